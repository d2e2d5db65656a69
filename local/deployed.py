"""The rendered template on the embedded engine: its gateway, functions and event source mappings, running.

What is real about it, and what is simulated: docs/localstack.md.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from chassis import aws, openapi
from chassis.config import Engine as EngineKind
from infra.declaration import CAPABILITIES
from infra.template import template
from infra.template.packaging import Packaging
from local import process, state
from local.adapted import adapted
from local.connection import connected
from local.engine import Engine
from local.network import Network
from local.package import archive
from local.ports import LOOPBACK, require_free
from local.process import Child, Logs
from local.stack import Say, Stack
from local.uploads import OLDEST_REGION, Bucket

BUCKET = "tael-deployments"
POLL_SECONDS = 0.1
DRAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployed system, ready to serve."""

    url: str
    engine_url: str
    platform_key: str
    acquirer_url: str
    bank_url: str
    state: state.State
    environment: Mapping[str, str]
    """What connects a process to this system's engine, as the administrator of its account."""
    children: tuple[Child, ...]


@contextmanager
def deployed(folder: Path, stage: str, port: int, say: Say) -> Iterator[Deployed]:
    """Start the engine on that state folder, create or change the stack in it, and keep it all running."""
    if port:
        require_free(port)
    with ExitStack() as stack:
        opened = stack.enter_context(state.opened(folder))
        network = Network.start(opened)
        stack.callback(network.stop)
        engine = Engine.start(opened, port, functions=_emptied(stack, opened.path / "functions"))
        stack.callback(engine.stop)
        environment = {
            "TAEL_ENGINE": EngineKind.EMBEDDED.value,
            "TAEL_ENGINE_URL": engine.url,
            "TAEL_STAGE": stage,
            "AWS_REGION": OLDEST_REGION,
            **dict.fromkeys(("no_proxy", "NO_PROXY"), LOOPBACK),
        }
        with connected(environment):
            outputs = _apply(stage, {"AcquirerUrl": network.acquirer.url, "BankUrl": network.bank.url}, say)
            arn = outputs["PlatformKeySecretArn"]
            operator = aws.administrator("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        roll_up = _start_roll_up(opened, environment)
        stack.callback(roll_up.stop, DRAIN_SECONDS)
        network.await_ready()
        yield Deployed(
            url=f"{engine.url}/_aws/execute-api/{outputs['ApiId']}",
            engine_url=engine.url,
            platform_key=operator,
            acquirer_url=network.acquirer.url,
            bank_url=network.bank.url,
            state=opened,
            environment=environment,
            children=(engine.child, roll_up, *network.children),
        )


def _emptied(stack: ExitStack, folder: Path) -> Path:
    """A folder for what the engine unpacks, and would leave behind."""
    remove = partial(shutil.rmtree, folder, ignore_errors=True)
    remove()
    folder.mkdir(state.PRIVATE_DIRECTORY)
    stack.callback(remove)
    return folder


def _apply(stage: str, parameters: Mapping[str, str], say: Say) -> dict[str, str]:
    bucket = Bucket(BUCKET)
    bucket.make()
    wanted = adapted(template(Packaging.ZIP))
    code = bucket.put("code", ".zip", archive({"openapi.json": _document()}))
    url = bucket.url(bucket.put("template", ".json", json.dumps(wanted).encode()))
    stack = Stack(f"tael-{stage}", say, POLL_SECONDS)
    stack.apply(wanted, {"Stage": stage, **parameters, "CodeBucket": BUCKET, "CodeKey": code}, url)
    return stack.outputs()


def _document() -> str:
    """The merged OpenAPI document, which the images are given when they are built."""
    services = [import_module(f"functions.{name}.app").service for name in CAPABILITIES]
    return json.dumps(openapi.document(services))


def _start_roll_up(opened: state.State, environment: Mapping[str, str]) -> Child:
    """What reads the ledger's stream in the place of the mapping that this engine cannot feed."""
    return process.start(
        "The worker for streams",
        ["runtime.streams", "functions.accounts.app"],
        {**os.environ, **environment},
        Logs(stdout=opened.logs / "streams.jsonl", stderr=opened.logs / "streams.log"),
        keep_fds=(opened.lock_fd,),
    )
