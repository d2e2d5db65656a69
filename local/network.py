"""The outside world of a system on this machine: sandbox acquirer and bank, each a child process."""

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
class Outsider:
    """A running sandbox of somebody else's service."""

    child: process.Child
    url: str

    @classmethod
    def start(cls, state: State, name: str) -> Self:
        """Start it on a free port, with its book in the state folder; it is ready a moment later."""
        port = free_port()
        child = process.start(
            f"The sandbox {name}",
            [f"local.{name}", "--port", str(port), "--state", str(state.path / name)],
            # It is a stranger to this system: no key of ours is known to it.
            {name: value for name, value in os.environ.items() if not name.startswith("TAEL_")},
            Logs.together(state.logs / f"{name}.log"),
        )
        return cls(child, f"http://{LOOPBACK}:{port}")

    def await_ready(self) -> None:
        """Wait until it answers."""
        self.child.await_until(lambda: answers(self.url, "/health"), START_SECONDS)


@dataclass(frozen=True, slots=True)
class Network:
    """The running sandboxes."""

    acquirer: Outsider
    bank: Outsider

    @classmethod
    def start(cls, state: State) -> Self:
        """Start them all."""
        return cls(Outsider.start(state, "acquirer"), Outsider.start(state, "bank"))

    @property
    def children(self) -> tuple[process.Child, ...]:
        """Their processes."""
        return (self.acquirer.child, self.bank.child)

    def await_ready(self) -> None:
        """Wait until they answer."""
        for outsider in (self.acquirer, self.bank):
            outsider.await_ready()

    def stop(self) -> None:
        """Stop them; whatever they answered is in their books."""
        process.stop(self.children, STOP_SECONDS)
