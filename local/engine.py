"""The embedded engine: DynamoDB in a child process on the loopback address, its state in a folder."""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local import process
from local.errors import LocalError
from local.ports import LOOPBACK, answers, free_port
from local.process import Logs
from local.state import State

PACKAGE = "ministack"
START_SECONDS = 60.0
STOP_SECONDS = 120.0
"""It writes its whole state at the end, which takes longer the more there is."""
HOLDS_TO_ROLES = {"AUTH": "true", **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "embedded")}
"""It then knows `chassis.aws`, by its keys, for the administrator of the account."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running embedded engine."""

    child: process.Child
    url: str

    @classmethod
    def start(cls, state: State, port: int = 0, *, functions: Path | None = None) -> Self:
        """Start it on that or a free port and wait until it answers with its state loaded.

        Where it has a folder for functions, it unpacks them there, and holds each to what its role allows.
        """
        if importlib.util.find_spec(PACKAGE) is None:
            raise LocalError(
                f"The embedded engine is missing (the Python package {PACKAGE}): run `make setup`, "
                "or choose another with --engine."
            )
        port = port or free_port()
        log = state.logs / "engine.log"
        child = process.start(
            "The embedded engine",
            _command(port),
            _environment(state, port) | ({**HOLDS_TO_ROLES, "TMPDIR": str(functions)} if functions else {}),
            Logs.together(log),
            keep_fds=(state.lock_fd,),
        )
        engine = cls(child, f"http://{LOOPBACK}:{port}")
        try:
            child.await_until(lambda: answers(engine.url, "/_ministack/health"), START_SECONDS)
            _require_persistence(log, "load")
        except BaseException:
            # An engine that could not read its state must not get to save over it.
            child.kill()
            raise
        return engine

    def stop(self) -> None:
        """Stop it; its state is in the folder afterwards."""
        self.child.stop(STOP_SECONDS)
        _require_persistence(self.child.log, "save")


def _command(port: int) -> list[str]:
    quiet = ["--log-level", "warning", "--no-access-log"]
    # Kept-alive connections must outlive the pauses of a client's pool, or requests race their closing.
    patience = ["--timeout-keep-alive", "75", "--timeout-graceful-shutdown", "5"]
    return ["uvicorn", f"{PACKAGE}.app:app", "--host", LOOPBACK, "--port", str(port), *quiet, *patience]


def _environment(state: State, port: int) -> dict[str, str]:
    # Functions that run in it inherit this: no account but its own, and no proxy between them and it.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TAEL_", "AWS_"))}
    return {
        **inherited,
        **dict.fromkeys(("no_proxy", "NO_PROXY"), LOOPBACK),
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state.engine),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        # It would look for containers of its own to remove; none of ours are in Docker.
        "DOCKER_HOST": f"unix://{state.engine}/no-docker.sock",
    }


def _require_persistence(log: Path, verb: str) -> None:
    """The engine only logs what it could not load or save; for money that is a failure."""
    marks = (f"Persistence: failed to {verb}", "Persistence: error", "refusing to load")
    lines = log.read_text(errors="replace").splitlines()
    if any(mark in line for line in lines for mark in marks):
        raise LocalError(f"The embedded engine could not {verb} its state. Its log is {log}.")
