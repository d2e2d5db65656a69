"""The Kubernetes overlays as kubectl renders them, and the parts of them that the tests ask for."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from infra.functions import Function, QueueFeed, Routes, ScheduleFeed, StreamFeed, functions
from infra.grants import GRANTS, Setting

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra/kubernetes"
KUBECTL = shutil.which("kubectl")
OVERLAYS = ("local", "production")
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"

Manifest = dict[str, Any]


@cache
def overlay(name: str) -> tuple[Manifest, ...]:
    """All that an overlay applies."""
    assert KUBECTL is not None
    done = subprocess.run(
        [KUBECTL, "kustomize", str(FOLDER / "overlays" / name)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return tuple(yaml.load_all(done.stdout, yaml.CSafeLoader))


def of_kind(name: str, kind: str) -> dict[str, Manifest]:
    """An overlay's manifests of one kind, by their names; what stands in for AWS is none of ours."""
    found = [manifest for manifest in overlay(name) if manifest["kind"] == kind]
    named = {manifest["metadata"]["name"]: manifest for manifest in found}
    assert len(named) == len(found), f"two {kind} share a name"
    named.pop("localstack", None)
    return named


@dataclass(frozen=True)
class Workload:
    """What runs pods of one kind, and the functions of the declaration that these are."""

    name: str
    component: str
    image: str
    command: tuple[str, ...]
    functions: tuple[Function, ...]

    @property
    def settings(self) -> set[str]:
        """The settings that these functions need, by their variables."""
        needs = (need for function in self.functions for need in GRANTS[function.name])
        return {_variable(need.name) for need in needs if isinstance(need, Setting)}

    @property
    def secrets(self) -> set[str]:
        """The secrets that these functions need, by their variables."""
        needs = (need for function in self.functions for need in GRANTS[function.name])
        return {
            _variable(need.resource)
            for need in needs
            if not isinstance(need, Setting) and need.service == "secretsmanager"
        }


def _variable(setting: str) -> str:
    return f"TAEL_{setting.upper()}"


def declared() -> dict[str, Workload]:
    """What is to run, from the one declaration: each function once, a capability's schedules together."""
    workloads: dict[str, Workload] = {}
    for function in functions():
        module, _, handler = function.handler.rpartition(".")
        capability = function.name.partition(".")[0]
        name, component, command = _runs(function, module, handler, capability)
        before = workloads.get(name)
        together = (*(before.functions if before else ()), function)
        workloads[name] = Workload(name, component, f"tael-{function.image}", command, together)
    return workloads


def _runs(function: Function, module: str, handler: str, capability: str) -> tuple[str, str, tuple[str, ...]]:
    python = ("python3", "-m")
    match function.feed:
        case Routes():
            served = () if function.name == "pages" else (module,)
            where = ("--host", "0.0.0.0", "--port", "8080")  # noqa: S104 - a pod is reached by its address
            return function.slug, "http", (*python, "runtime.http", *served, *where)
        case QueueFeed():
            return function.slug, "queue", (*python, "runtime.queues", module, "--only", handler)
        case StreamFeed():
            return function.slug, "stream", (*python, "runtime.streams", module, "--only", handler)
        case ScheduleFeed(every_minutes=None):
            return function.slug, "schedules", (*python, "runtime.schedules", module, "--once", handler)
        case ScheduleFeed():
            return f"{capability}-schedules", "schedules", (*python, "runtime.schedules", module)


@cache
def workloads(name: str) -> Mapping[str, Manifest]:
    """Deployments and jobs, by their names."""
    return {**of_kind(name, "Deployment"), **of_kind(name, "CronJob")}


def pod_of(workload: Manifest) -> Manifest:
    """The template of its pods."""
    spec = workload["spec"]
    template: Manifest = (
        spec["jobTemplate"]["spec"]["template"] if "jobTemplate" in spec else spec["template"]
    )
    return template


def container_of(workload: Manifest) -> Manifest:
    """The one container of its pods."""
    (container,) = pod_of(workload)["spec"]["containers"]
    made: Manifest = container
    return made


def selects(selector: Manifest, pod: Manifest) -> bool:
    """Whether a selector of labels means that pod."""
    labels = pod["metadata"]["labels"]
    wanted = selector.get("matchLabels", {})
    return wanted.items() <= labels.items() and all(
        (labels.get(term["key"]) in term["values"]) is {"In": True, "NotIn": False}[term["operator"]]
        for term in selector.get("matchExpressions", ())
    )


def settings_of(name: str) -> dict[str, str]:
    """What the ConfigMap tells every pod of an overlay."""
    (found,) = of_kind(name, "ConfigMap").values()
    settings: dict[str, str] = found["data"]
    return settings


def ingress_paths(name: str) -> Iterator[tuple[str, str]]:
    """Path -> the Service that it leads to."""
    (ingress,) = of_kind(name, "Ingress").values()
    for rule in ingress["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            assert path["pathType"] == "Prefix"
            yield path["path"], path["backend"]["service"]["name"]


def leads_to(name: str, path: str) -> str:
    """The Service that a request for this path reaches: that of the longest prefix, by whole segments."""
    segments = path.strip("/").split("/")
    found = [
        (len(prefix), service)
        for prefix, service in ingress_paths(name)
        if (parts := re.findall(r"[^/]+", prefix)) == segments[: len(parts)]
    ]
    return max(found)[1]
