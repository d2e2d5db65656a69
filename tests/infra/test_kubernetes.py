"""The Kubernetes manifests against the declaration: all of it is there, once, hardened, and nothing else."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
import yaml

from chassis.config import Settings
from functions.webhooks import addresses
from infra.declaration import CAPABILITIES, EVENT_TYPES, subscriptions
from infra.functions import QueueFeed, Routes, functions
from local.ports import answers, free_port
from local.process import CLEAN_EXITS
from runtime import workers
from runtime.http import DRAIN_SECONDS
from tests.infra.rendered import (
    COMPONENT,
    FOLDER,
    INSTANCE,
    KUBECTL,
    OVERLAYS,
    Manifest,
    container_of,
    declared,
    ingress_paths,
    leads_to,
    of_kind,
    overlay,
    pod_of,
    selects,
    settings_of,
    workloads,
)

pytestmark = pytest.mark.skipif(
    KUBECTL is None, reason="kubectl, which renders the overlays, is not installed; `make kubernetes` fails"
)

DECLARED = declared()
HTTP = {name for name, workload in DECLARED.items() if workload.component == "http"}
QUEUES = {name: workload for name, workload in DECLARED.items() if workload.component == "queue"}
LEAST_SPARE_SECONDS = 5
START_SECONDS = 30
API_VERSIONS = {
    *("v1", "apps/v1", "batch/v1", "autoscaling/v2", "policy/v1", "networking.k8s.io/v1"),
    "keda.sh/v1alpha1",
}
"""Of the last one alone kubernetes-validate has no schema: these are held to their shape below."""


@pytest.mark.parametrize("name", OVERLAYS)
def test_each_function_runs_once_and_nothing_else_does(name: str) -> None:
    found = {
        workload: (
            pod_of(manifest)["metadata"]["labels"][COMPONENT],
            container_of(manifest)["image"].rpartition("/")[2].partition(":")[0],
            tuple(container_of(manifest)["command"]),
        )
        for workload, manifest in workloads(name).items()
    }
    assert found == {
        workload: (wanted.component, wanted.image, wanted.command) for workload, wanted in DECLARED.items()
    }


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_pod_is_its_own_deployments_alone(name: str) -> None:
    for workload, manifest in workloads(name).items():
        labels = pod_of(manifest)["metadata"]["labels"]
        capability = labels["app.kubernetes.io/name"]
        assert labels[INSTANCE] == workload
        assert labels["app.kubernetes.io/part-of"] == "tael"
        assert labels.items() <= {**manifest["metadata"]["labels"], **labels}.items()
        assert pod_of(manifest)["spec"]["serviceAccountName"] == capability
        assert workload == capability or workload.startswith(f"{capability}-")
        if manifest["kind"] == "Deployment":
            assert manifest["spec"]["selector"] == {"matchLabels": {INSTANCE: workload}}
    assert set(of_kind(name, "ServiceAccount")) == {*CAPABILITIES, "pages"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_only_kinds_that_are_checked_are_used(name: str) -> None:
    assert {manifest["apiVersion"] for manifest in overlay(name)} <= API_VERSIONS
    identities = Counter((manifest["kind"], manifest["metadata"]["name"]) for manifest in overlay(name))
    assert set(identities.values()) == {1}
    assert {manifest["metadata"].get("namespace", "tael") for manifest in overlay(name)} == {"tael"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_operation_leads_to_the_service_that_has_it(name: str) -> None:
    reached = set()
    for function in functions():
        for route in function.feed.names if isinstance(function.feed, Routes) else ():
            service = leads_to(name, route.partition(" ")[2])
            assert service == function.name, route
            reached.add(service)
    assert leads_to(name, "/v1/nothing") == "pages"
    paths = [path for path, _ in ingress_paths(name)]
    assert len(paths) == len(set(paths))
    operations = [
        route.partition(" ")[2]
        for function in functions()
        for route in (function.feed.names if isinstance(function.feed, Routes) else ())
    ]
    for path in paths:
        assert any(f"{operation}/".startswith(f"{path.rstrip('/')}/") for operation in operations), path
    for service, manifest in of_kind(name, "Service").items():
        (pods,) = [each for each, found in workloads(name).items() if selects_all(manifest, found)]
        (port,) = manifest["spec"]["ports"]
        assert (pods, port["targetPort"]) == (service, "http")
    assert reached == set(of_kind(name, "Service")) == HTTP


def selects_all(service: Manifest, workload: Manifest) -> bool:
    wanted: dict[str, str] = service["spec"]["selector"]
    return selects({"matchLabels": wanted}, pod_of(workload))


def insecurities(pod: Manifest) -> list[str]:
    """What a pod may that it should not, or lacks that it should have."""
    spec = pod["spec"]
    (container,) = spec["containers"]
    inside = container["securityContext"]
    promises = {
        "not root, by number": spec["securityContext"]["runAsNonRoot"]
        and spec["securityContext"]["runAsUser"] > 0,
        "seccomp": spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"},
        "no token": spec["automountServiceAccountToken"] is False,
        "no service links": spec["enableServiceLinks"] is False,
        "no escalation": inside["allowPrivilegeEscalation"] is False,
        "read-only root": inside["readOnlyRootFilesystem"] is True,
        "no capabilities": inside["capabilities"] == {"drop": ["ALL"]},
        "nothing of the host's": not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys(),
        "only a /tmp to write to": container["volumeMounts"] == [{"mountPath": "/tmp", "name": "tmp"}]  # noqa: S108
        and spec["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
        "requests and limits": all(
            set(container["resources"][kind]) == {"cpu", "memory"} for kind in ("requests", "limits")
        ),
    }
    return [promise for promise, kept in promises.items() if not kept]


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_pod_may_more_than_it_needs(name: str) -> None:
    assert {workload: insecurities(pod_of(found)) for workload, found in workloads(name).items()} == {
        workload: [] for workload in DECLARED
    }
    for account in of_kind(name, "ServiceAccount").values():
        assert account["automountServiceAccountToken"] is False
    (namespace,) = of_kind("production", "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", OVERLAYS)
def test_http_is_probed_and_drains_before_its_time_is_over(name: str) -> None:
    for workload in HTTP:
        pod = pod_of(workloads(name)[workload])["spec"]
        (container,) = pod["containers"]
        (port,) = container["ports"]
        assert (port["name"], str(port["containerPort"])) == ("http", container["command"][-1])
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"] == {"path": "/health", "port": "http"}
        pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pause + DRAIN_SECONDS + LEAST_SPARE_SECONDS <= pod["terminationGracePeriodSeconds"]
        assert workloads(name)[workload]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("name", OVERLAYS)
def test_workers_have_time_for_the_work_under_way(name: str) -> None:
    for workload in DECLARED.keys() - HTTP - {"accounts-rebuild"}:
        spec = workloads(name)[workload]["spec"]
        grace = spec["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace >= workers.PATIENCE_SECONDS + LEAST_SPARE_SECONDS
        assert spec["minReadySeconds"] > 0


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_stream_has_one_reader_and_a_capability_one_ticker(name: str) -> None:
    scaled = {
        manifest["spec"]["scaleTargetRef"]["name"]
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for manifest in of_kind(name, kind).values()
    }
    for workload, wanted in DECLARED.items():
        spec = workloads(name)[workload]["spec"]
        if wanted.component in {"stream", "schedules"} and workload != "accounts-rebuild":
            assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
            assert workload not in scaled
    rebuild = workloads(name)["accounts-rebuild"]["spec"]
    assert (rebuild["suspend"], rebuild["concurrencyPolicy"]) == (True, "Forbid")


def test_in_production_http_is_scaled_and_survives_the_loss_of_a_node() -> None:
    scalers = of_kind("production", "HorizontalPodAutoscaler")
    budgets = of_kind("production", "PodDisruptionBudget")
    assert set(scalers) == set(budgets) == HTTP
    for workload in HTTP:
        spec = scalers[workload]["spec"]
        assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload}
        assert 2 <= spec["minReplicas"] < spec["maxReplicas"]
        # What scales a Deployment owns its count: a manifest that names one would set it back.
        assert "replicas" not in workloads("production")[workload]["spec"]
        assert budgets[workload]["spec"]["maxUnavailable"] == 1
        assert selects(budgets[workload]["spec"]["selector"], pod_of(workloads("production")[workload]))
        spread = pod_of(workloads("production")[workload])["spec"]["topologySpreadConstraints"]
        assert [each["topologyKey"] for each in spread] == [
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        ]
        for each in spread:
            assert selects(each["labelSelector"], pod_of(workloads("production")[workload]))
            assert INSTANCE in each["matchLabelKeys"]


def test_in_production_each_queue_has_workers_by_its_backlog() -> None:
    stage, region = settings_of("production")["TAEL_STAGE"], settings_of("production")["AWS_REGION"]
    scaled = of_kind("production", "ScaledObject")
    (authentication,) = of_kind("production", "TriggerAuthentication")
    assert set(scaled) == set(QUEUES)
    for workload, wanted in QUEUES.items():
        (function,) = wanted.functions
        assert isinstance(function.feed, QueueFeed)
        spec = dict(scaled[workload]["spec"])
        assert spec.pop("scaleTargetRef") == {"name": workload}
        (trigger,) = spec.pop("triggers")
        least, most = spec.pop("minReplicaCount"), spec.pop("maxReplicaCount")
        assert 0 <= least <= 1 < most
        assert function.feed.concurrency in {None, most}
        assert spec == {"pollingInterval": 15, "fallback": {"failureThreshold": 4, "replicas": 1}}
        length = trigger["metadata"].pop("queueLength")
        assert isinstance(length, str)  # KEDA takes metadata of strings alone
        assert int(length) >= 1
        assert trigger == {
            "type": "aws-sqs-queue",
            "metadata": {
                "queueURL": f"https://sqs.{region}.amazonaws.com/ACCOUNT/tael-{stage}-{function.feed.queue.name}",
                "awsRegion": region,
            },
            "authenticationRef": {"name": authentication},
        }
        deployment = workloads("production")[workload]["spec"]
        assert "replicas" not in deployment
        assert deployment["strategy"] == {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


def test_the_local_overlay_scales_nothing() -> None:
    for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget", "ScaledObject", "TriggerAuthentication"):
        assert of_kind("local", kind) == {}
    assert {manifest["spec"].get("replicas", 1) for manifest in of_kind("local", "Deployment").values()} == {
        1
    }


def test_production_names_every_image_and_role() -> None:
    images = {container_of(found)["image"] for found in workloads("production").values()}
    registry = "ACCOUNT.dkr.ecr.REGION.amazonaws.com"
    assert {image.rpartition(":")[0] for image in images} == {
        f"{registry}/tael-{capability}" for capability in CAPABILITIES
    }
    roles = {
        name: account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
        for name, account in of_kind("production", "ServiceAccount").items()
        if name != "pages"
    }
    assert roles == {name: f"arn:aws:iam::ACCOUNT:role/tael-prod-{name}" for name in CAPABILITIES}


@pytest.mark.parametrize("name", OVERLAYS)
def test_settings_are_those_of_the_declaration(name: str) -> None:
    settings = settings_of(name)
    assert json.loads(settings["TAEL_SUBSCRIPTIONS"]) == subscriptions()
    assert json.loads(settings["TAEL_EVENT_TYPES"]) == list(EVENT_TYPES)
    assert settings["TAEL_CARD_KEY"] == f"alias/tael-{settings['TAEL_STAGE']}-vault"
    known = {f"TAEL_{field.upper()}" for field in Settings.model_fields}
    assert {variable for variable in settings if variable.startswith("TAEL_")} <= known
    (config_map,) = of_kind(name, "ConfigMap")
    for workload, wanted in DECLARED.items():
        assert wanted.settings <= settings.keys()
        assert container_of(workloads(name)[workload])["envFrom"] == [{"configMapRef": {"name": config_map}}]


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_pod_gets_the_secrets_that_it_needs_and_no_others(name: str) -> None:
    example = yaml.safe_load((FOLDER / "base/secrets.example.yaml").read_text())
    assert set(example["stringData"].values()) == {""}
    given: dict[str, set[str]] = {}
    for workload, manifest in workloads(name).items():
        for variable in container_of(manifest).get("env", ()):
            wanted = {"secretKeyRef": {"name": example["metadata"]["name"], "key": variable["name"]}}
            assert variable["valueFrom"] == wanted
            given.setdefault(workload, set()).add(variable["name"])
    assert given == {workload: wanted.secrets for workload, wanted in DECLARED.items() if wanted.secrets}
    assert set().union(*given.values()) == set(example["stringData"])
    assert of_kind(name, "Secret") == {}


def egress_of(name: str, workload: str) -> set[str]:
    """The policies that let a workload's pods out."""
    return {
        policy
        for policy, manifest in of_kind(name, "NetworkPolicy").items()
        if selects(manifest["spec"]["podSelector"], pod_of(workloads(name)[workload]))
        and manifest["spec"].get("egress")
    }


def test_pods_reach_what_their_functions_need_and_no_more() -> None:
    for workload, wanted in DECLARED.items():
        names = {function.name for function in wanted.functions}
        expected = {"to-dns", "to-aws"} if workload != "pages" else set()
        if "TAEL_ACQUIRER_URL" in wanted.settings:
            expected.add("to-acquirer")
        if "TAEL_BANK_URL" in wanted.settings:
            expected.add("to-bank")
        if names & {"webhooks.deliver", "webhooks.deliver_slowly"}:
            # In the other one's place: that one lets into private networks, where AWS may have its endpoints.
            expected = {"to-dns", "to-webhook-receivers"}
        assert egress_of("production", workload) == expected, workload
        assert egress_of("local", workload) == {*expected, "to-localstack"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_nothing_gets_in_but_from_the_ingress_controller(name: str) -> None:
    policies = {each: manifest["spec"] for each, manifest in of_kind(name, "NetworkPolicy").items()}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for workload, manifest in workloads(name).items():
        letting_in = [
            spec
            for spec in policies.values()
            if selects(spec["podSelector"], pod_of(manifest)) and spec.get("ingress")
        ]
        assert [spec["ingress"] for spec in letting_in] == (
            [
                [
                    {
                        "from": [
                            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}}}
                        ],
                        "ports": [{"port": "http"}],
                    }
                ]
            ]
            if workload in HTTP
            else []
        )


def test_webhooks_are_kept_from_the_addresses_that_the_code_refuses() -> None:
    (rule,) = of_kind("production", "NetworkPolicy")["to-webhook-receivers"]["spec"]["egress"]
    assert [destination["ipBlock"] for destination in rule["to"]] == [
        {"cidr": "0.0.0.0/0", "except": [str(block) for block in addresses._SPECIAL_IPV4]},
        {"cidr": str(addresses._GLOBAL_UNICAST), "except": [str(block) for block in addresses._SPECIAL_IPV6]},
    ]


SECRETS = {
    "TAEL_PLATFORM_KEY": "k" * 32,
    "TAEL_PEPPERS": "1:" + "00" * 16,
    "TAEL_FINGERPRINT_KEY": "00" * 16,
    "TAEL_WEBHOOK_KEY": "00" * 16,
}


def started(workload: str, port: int) -> subprocess.Popen[bytes]:
    """The process of a pod of the local overlay: its command and its environment, and nowhere to reach."""
    container = container_of(workloads("local")[workload])
    own = {variable["name"]: SECRETS[variable["name"]] for variable in container.get("env", ())}
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    here = {"0.0.0.0": "127.0.0.1", "8080": str(port)}  # noqa: S104 - not to be bound
    return subprocess.Popen(
        [sys.executable, *(here.get(word, word) for word in container["command"][1:])],
        env={"PATH": os.environ["PATH"], **settings_of("local"), **own, **nowhere},
        stdout=subprocess.PIPE,
    )


@pytest.mark.parametrize("workload", ["accounts", "settlement-collect", "wallets-publish-status"])
def test_a_pod_starts_with_what_it_is_given_and_ends_when_it_is_asked(workload: str) -> None:
    port = free_port()
    with started(workload, port) as process:
        try:
            if workload in HTTP:
                await_health(f"http://127.0.0.1:{port}")
            else:
                assert process.stdout is not None
                assert "out of reach" in json.loads(process.stdout.readline())["message"]
            process.send_signal(signal.SIGTERM)
            assert process.wait(START_SECONDS) in CLEAN_EXITS
        finally:
            process.kill()


def await_health(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers(url, "/health"):
        assert time.monotonic() < deadline, "it does not answer"
        time.sleep(0.05)
