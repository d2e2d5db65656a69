"""A whole system on one machine: engine, tables, services and schedules, started and stopped together."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from typing import NoReturn

from chassis.config import Engine as EngineKind
from infra.declaration import CAPABILITIES
from local import process, secrets, state
from local.engine import Engine
from local.errors import LocalError
from local.ports import LOOPBACK, answers, free_port, require_free
from local.process import Logs
from local.secrets import Secrets

STAGE = "local"
SERVICES = tuple(f"functions.{name}.app" for name in CAPABILITIES)
PROVISION_SECONDS = 60.0
START_SECONDS = 30.0
DRAIN_SECONDS = 30.0
"""Time for what is under way: requests, or the run of a schedule."""
SUPERVISION_SECONDS = 0.2


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
    environment: Mapping[str, str]
    """What a process needs in its environment to be part of this system."""
    children: tuple[process.Child, ...]

    def supervise(self) -> NoReturn:
        """Serve until a part of the system ends by itself, which raises."""
        while True:
            for child in self.children:
                child.require_alive()
            time.sleep(SUPERVISION_SECONDS)


@contextmanager
def running(
    state: Path,
    port: int = 0,
    engine: EngineKind = EngineKind.EMBEDDED,
    workers: int = 1,
) -> Iterator[System]:
    """Start a system and stop it in the end: HTTP first, so that it drains, the engine last.

    Port 0 takes a free one.
    """
    if port:
        require_free(port)
    with ExitStack() as stack:
        yield _start(stack, state, port or free_port(), engine, workers)


def _start(stack: ExitStack, folder: Path, port: int, choice: EngineKind, workers: int) -> System:
    opened = stack.enter_context(state.opened(folder))
    kept = secrets.load_or_generate(opened.secrets)
    embedded = None
    if choice is EngineKind.EMBEDDED:
        embedded = Engine.start(opened)
        stack.callback(embedded.stop)
    environment = _environment(choice, embedded, kept)
    # The services need their tables at the first request, not at the start: so both go on at once.
    provision = _start_provision(opened, environment)
    stack.callback(provision.kill)
    # Its first tick comes after a minute, so nothing waits for it to be ready.
    schedules = _start_schedules(opened, environment)
    stack.callback(schedules.stop, DRAIN_SECONDS)
    http = _start_http(opened, environment, port, workers)
    stack.callback(http.stop, DRAIN_SECONDS)
    url = f"http://{LOOPBACK}:{port}"
    _await_provision(provision)
    http.await_until(lambda: answers(url, "/health"), START_SECONDS)
    return System(
        url=url,
        engine_url=embedded.url if embedded else None,
        engine_kind=choice,
        platform_key=environment["TAEL_PLATFORM_KEY"],
        platform_key_is_generated="TAEL_PLATFORM_KEY" not in os.environ,
        secrets=kept,
        state=opened,
        environment=environment,
        children=(*((embedded.child,) if embedded else ()), http, schedules),
    )


def _environment(choice: EngineKind, embedded: Engine | None, kept: Secrets) -> dict[str, str]:
    environment = dict(os.environ) | {"TAEL_ENGINE": choice.value}
    if choice is EngineKind.AWS:
        _require_production_secrets()
        return environment
    environment.setdefault("TAEL_PLATFORM_KEY", kept.platform_key)
    environment.setdefault("TAEL_PEPPERS", kept.peppers)
    environment["TAEL_STAGE"] = STAGE
    environment.pop("TAEL_ENGINE_URL", None)
    if embedded:
        environment["TAEL_ENGINE_URL"] = embedded.url
        # A proxy that this machine uses for the internet must not be asked for its own loopback address.
        for name in ("no_proxy", "NO_PROXY"):
            environment[name] = ",".join(filter(None, (environment.get(name), LOOPBACK)))
    return environment


def _require_production_secrets() -> None:
    """Keys issued under a pepper that only this machine knows would be dead everywhere else."""
    unset = [name for name in ("TAEL_PLATFORM_KEY", "TAEL_PEPPERS", "TAEL_STAGE") if not os.environ.get(name)]
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


def _start_schedules(opened: state.State, environment: Mapping[str, str]) -> process.Child:
    return process.start(
        "The scheduler",
        ["runtime.schedules", *SERVICES],
        environment,
        Logs(stdout=opened.logs / "schedules.jsonl", stderr=opened.logs / "schedules.log"),
        keep_fds=(opened.lock_fd,),
    )


def _start_http(
    opened: state.State, environment: Mapping[str, str], port: int, workers: int
) -> process.Child:
    where = ["--host", LOOPBACK, "--port", str(port), "--workers", str(workers)]
    return process.start(
        "The HTTP server",
        ["runtime.http", *SERVICES, *where],
        environment,
        Logs(stdout=opened.logs / "http.jsonl", stderr=opened.logs / "http.log"),
        keep_fds=(opened.lock_fd,),
    )
