"""Starts the load generator, in a process of its own, and reads what came of it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from subprocess import TimeoutExpired

from local import process
from local.bench.plan import Outcome, Plan, Request
from local.errors import LocalError
from local.ports import LOOPBACK, answers, free_port
from local.process import Logs

CLOSED_CONNECTIONS = 32
"""In flight at once where the system is to show what it can do."""
OPEN_CONNECTIONS = 256
STAND_IN_REQUESTS = 10_000
START_SECONDS = 20.0
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Load:
    """Where the generator's files are, while it works."""

    folder: Path

    def send(self, port: int, requests: Sequence[Request]) -> Outcome:
        """Send them all, and wait for the last answer. Raises LocalError where the generator fails."""
        is_open = any(request.due is not None for request in requests)
        plan = Plan(port, OPEN_CONNECTIONS if is_open else CLOSED_CONNECTIONS, requests)
        files = [self.folder / name for name in ("plan.json", "outcome.json")]
        plan.write(files[0])
        child = self._start("The load generator", ["local.bench.generator", *map(str, files)])
        try:
            code = child.process.wait(PATIENCE_SECONDS)
        except TimeoutExpired:
            raise LocalError(f"The load took more than {PATIENCE_SECONDS:g} s.") from None
        finally:
            child.kill()
            files[0].unlink()
        if code:
            raise LocalError(f"The load generator failed{child.last_words()}")
        return Outcome.read(files[1])

    def own_rate(self) -> float:
        """Requests per second that the generator gets done with a server that does nothing."""
        port = free_port()
        stand_in = self._start("The stand-in", ["local.bench.stand_in", str(port)])
        try:
            stand_in.await_until(lambda: answers(f"http://{LOOPBACK}:{port}", "/"), START_SECONDS)
            request = Request("/v1/payments/order-000000", "sk_none", '{"amount": 1250, "currency": "GBP"}')
            outcome = self.send(port, [request] * STAND_IN_REQUESTS)
        finally:
            stand_in.kill()
        if any(answer.status != HTTPStatus.CREATED for answer in outcome.answers):
            raise LocalError("The load generator failed: not all of the stand-in's answers arrived.")
        return len(outcome.answers) / outcome.seconds

    def _start(self, name: str, command: list[str]) -> process.Child:
        log = self.folder / f"{command[0]}.log"
        return process.start(name, command, os.environ, Logs.together(log))
