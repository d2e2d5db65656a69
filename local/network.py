"""The card network of a system on this machine: the sandbox acquirer as a child process."""

import os
from dataclasses import dataclass
from typing import Self

from local import process
from local.ports import LOOPBACK, answers, free_port
from local.process import Logs
from local.state import State

START_SECONDS = 30.0
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Network:
    """A running sandbox acquirer."""

    child: process.Child
    url: str

    @classmethod
    def start(cls, state: State) -> Self:
        """Start it on a free port, with its book in the state folder; it is ready a moment later."""
        port = free_port()
        child = process.start(
            "The sandbox acquirer",
            ["local.acquirer", "--port", str(port), "--state", str(state.path / "acquirer")],
            # It is a stranger to this system: no key of ours is known to it.
            {name: value for name, value in os.environ.items() if not name.startswith("TAEL_")},
            Logs.together(state.logs / "acquirer.log"),
        )
        return cls(child, f"http://{LOOPBACK}:{port}")

    def await_ready(self) -> None:
        """Wait until it answers."""
        self.child.await_until(lambda: answers(self.url, "/health"), START_SECONDS)

    def stop(self) -> None:
        """Stop it; whatever it answered is in its book."""
        self.child.stop(STOP_SECONDS)
