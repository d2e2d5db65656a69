"""A whole system on one machine: engine, tables, HTTP services and workers, started and stopped together."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from typing import NoReturn

from chassis import clock
from chassis.config import Engine as EngineKind
from infra.declaration import CAPABILITIES, EVENT_TYPES, VAULT_KEY, subscriptions
from local import attach, process, secrets, state
from local.engine import Engine
from local.errors import LocalError
from local.keys import alias_of
from local.network import Network
from local.ports import LOOPBACK, answers, free_port, require_free
from local.process import Logs
from local.secrets import Secrets

STAGE = "local"
SERVICES = tuple(f"functions.{name}.app" for name in CAPABILITIES)
DESK = "local.desk"
"""Served beside them on a laptop alone."""
PROVISION_SECONDS = 60.0
START_SECONDS = 30.0
STREAM_DRAIN_SECONDS = 20
WORKER_SECONDS = 50.0
"""A stop waits for the work under way, which takes 30 seconds at most, and for the draining."""
QUEUE_WAIT_SECONDS = 1
"""A stop waits for the receive under way; the embedded engine does not charge for short ones."""
PRODUCTION_SECRETS = (
    "TAEL_PLATFORM_KEY",
    "TAEL_PEPPERS",
    "TAEL_STAGE",
    "TAEL_CARD_KEY",
    "TAEL_FINGERPRINT_KEY",
    "TAEL_WEBHOOK_KEY",
    "TAEL_ACQUIRER_URL",
    "TAEL_BANK_URL",
)


@dataclass(frozen=True, slots=True)
class System:
    """A running system, ready to serve."""

    url: str
    engine_url: str | None
    """Only the embedded engine's address is known here."""
    engine_kind: EngineKind
    platform_key: str
    platform_key_is_generated: bool
    secrets: Secrets
    state: state.State
    acquirer_url: str | None
    """Of the sandbox acquirer, where it is part of this system."""
    bank_url: str | None
    """Of the sandbox bank."""
    environment: Mapping[str, str]
    """What a process needs in its environment to be part of this system."""
    children: tuple[process.Child, ...]

    def supervise(self) -> NoReturn:
        """Serve until a part of the system ends by itself, which raises."""
        process.supervise(self.children)


@contextmanager
def running(
    state: Path,
    port: int = 0,
    engine: EngineKind = EngineKind.EMBEDDED,
    workers: int = 1,
    settings: Mapping[str, str] | None = None,
) -> Iterator[System]:
    """Start a system and stop it in the end, in the order in which its parts feed each other.

    First what writes records by itself (HTTP, schedules, queues), then, once they have read what was written,
    the streams, and the engine last: it keeps its queues over a restart, but no unread changes.

    Port 0 takes a free one; `settings` win over the environment.
    """
    if port:
        require_free(port)
    with ExitStack() as stack:
        environment = {**os.environ, **(settings or {})}
        yield _start(stack, _Wanted(state, port or free_port(), engine, workers, environment))


@dataclass(frozen=True, slots=True)
class _Wanted:
    folder: Path
    port: int
    engine: EngineKind
    workers: int
    environment: Mapping[str, str]
    """What its own environment is made from."""


def _start(stack: ExitStack, wanted: _Wanted) -> System:
    choice, port = wanted.engine, wanted.port
    opened = stack.enter_context(state.opened(wanted.folder))
    kept = secrets.load_or_generate(opened.secrets)
    embedded = None
    if choice is EngineKind.EMBEDDED:
        embedded = Engine.start(opened)
        stack.callback(embedded.stop)
    network = None
    if choice is not EngineKind.AWS:
        network = Network.start(opened)
        stack.callback(network.stop)
    environment = _environment(wanted, embedded, network, kept)
    if embedded:
        environment[clock.FILE_VARIABLE] = str(opened.clock)
    url = f"http://{LOOPBACK}:{port}"
    stack.enter_context(attach.announced(opened.path, url))
    # The services need their tables at the first request, not at the start: so both go on at once.
    provision = _start_provision(opened, environment)
    stack.callback(provision.kill)
    http = _start_http(opened, environment, port, wanted.workers)
    stack.callback(http.kill)
    _await_provision(provision)
    running_workers = _start_workers(stack, opened, environment, http)
    http.await_until(lambda: answers(url, "/health"), START_SECONDS)
    if network:
        network.await_ready()
    return System(
        url=url,
        engine_url=embedded.url if embedded else None,
        engine_kind=choice,
        platform_key=environment["TAEL_PLATFORM_KEY"],
        platform_key_is_generated="TAEL_PLATFORM_KEY" not in os.environ,
        secrets=kept,
        state=opened,
        acquirer_url=network.acquirer.url if network else None,
        bank_url=network.bank.url if network else None,
        environment=environment,
        children=(*_children(embedded), http, *running_workers, *_children(network)),
    )


def _children(part: Engine | Network | None) -> tuple[process.Child, ...]:
    if isinstance(part, Network):
        return part.children
    return (part.child,) if part else ()


def _environment(
    wanted: _Wanted, embedded: Engine | None, network: Network | None, kept: Secrets
) -> dict[str, str]:
    environment = dict(wanted.environment) | {"TAEL_ENGINE": wanted.engine.value}
    if network is None:
        _require_production_secrets()
        return environment
    environment.setdefault("TAEL_PLATFORM_KEY", kept.platform_key)
    environment.setdefault("TAEL_PEPPERS", kept.peppers)
    environment.setdefault("TAEL_FINGERPRINT_KEY", kept.fingerprint_key)
    environment.setdefault("TAEL_WEBHOOK_KEY", kept.webhook_key)
    environment.setdefault("TAEL_WEBHOOK_ALLOW_LOOPBACK", "true")
    environment["TAEL_STAGE"] = STAGE
    environment["TAEL_SUBSCRIPTIONS"] = json.dumps(subscriptions())
    environment["TAEL_EVENT_TYPES"] = json.dumps(EVENT_TYPES)
    environment["TAEL_CARD_KEY"] = alias_of(VAULT_KEY, STAGE)
    environment["TAEL_ACQUIRER_URL"] = network.acquirer.url
    environment["TAEL_BANK_URL"] = network.bank.url
    environment.pop("TAEL_ENGINE_URL", None)
    if embedded:
        environment["TAEL_ENGINE_URL"] = embedded.url
        # A proxy that this machine uses for the internet must not be asked for its own loopback address.
        for name in ("no_proxy", "NO_PROXY"):
            environment[name] = ",".join(filter(None, (environment.get(name), LOOPBACK)))
    return environment


def _require_production_secrets() -> None:
    """Keys issued under a pepper that only this machine knows would be dead everywhere else."""
    unset = [name for name in PRODUCTION_SECRETS if not os.environ.get(name)]
    if unset:
        raise LocalError(f"With --engine aws the environment must name the stack's own {', '.join(unset)}.")


def _start_provision(opened: state.State, environment: Mapping[str, str]) -> process.Child:
    log = opened.logs / "provision.log"
    return process.start("Provisioning", ["local.provision"], environment, Logs.together(log))


def _await_provision(child: process.Child) -> None:
    try:
        code = child.process.wait(PROVISION_SECONDS)
    except TimeoutExpired:
        raise LocalError(
            f"The tables were not there within {PROVISION_SECONDS:g} s. The log is {child.log}."
        ) from None
    if code != 0:
        raise LocalError(f"The tables could not be provisioned{child.last_words()} The log is {child.log}.")


def _start_http(
    opened: state.State, environment: Mapping[str, str], port: int, workers: int
) -> process.Child:
    where = ["--host", LOOPBACK, "--port", str(port), "--workers", str(workers)]
    return process.start(
        "The HTTP server",
        ["runtime.http", *SERVICES, DESK, *where],
        environment,
        Logs(stdout=opened.logs / "http.jsonl", stderr=opened.logs / "http.log"),
        keep_fds=(opened.lock_fd,),
    )


def _start_workers(
    stack: ExitStack, opened: state.State, environment: Mapping[str, str], http: process.Child
) -> list[process.Child]:
    """Start what runs without being asked; what writes stops together, and then those who read that."""
    # The embedded engine's streams are read to their end, because it forgets them.
    drain = ["--drain-seconds", str(STREAM_DRAIN_SECONDS)] if _forgets(environment) else []
    streams = _start_worker(opened, environment, "streams", drain)
    stack.callback(streams.stop, WORKER_SECONDS)
    writers = [http]
    stack.callback(process.stop, writers, WORKER_SECONDS)
    writers.append(_start_worker(opened, environment, "queues", ["--wait-seconds", str(QUEUE_WAIT_SECONDS)]))
    writers.append(_start_worker(opened, environment, "schedules", []))
    return [streams, *writers[1:]]


def _start_worker(
    opened: state.State, environment: Mapping[str, str], kind: str, options: Sequence[str]
) -> process.Child:
    return process.start(
        f"The worker for {kind}",
        [f"runtime.{kind}", *SERVICES, *options],
        environment,
        Logs(stdout=opened.logs / f"{kind}.jsonl", stderr=opened.logs / f"{kind}.log"),
        keep_fds=(opened.lock_fd,),
    )


def _forgets(environment: Mapping[str, str]) -> bool:
    return environment["TAEL_ENGINE"] == EngineKind.EMBEDDED.value
