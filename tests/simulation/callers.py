"""Owns the callers: merchants and the operator, who ask again until they know, and remember every answer."""

import random
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from tests.simulation.machines import Answer, Machines
from tests.simulation.scheduler import Scheduler
from tests.simulation.weather import OF_A_REQUEST, Fault, Weather

PATIENCE_SECONDS = (4.0, 12.0, 35.0)
"""After which a caller hangs up; a function may go on meanwhile."""
TRIES = 5
PAUSE_SECONDS = (0.1, 8.0)
TRANSIENT = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE}
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a merchant with its key, or the platform, perhaps on behalf of one."""

    name: str
    headers: tuple[tuple[str, str], ...]


@dataclass(eq=False, slots=True)
class Ask:
    """One request, however often it is sent, and all answers to it."""

    kind: str
    caller: Caller
    method: str
    path: str
    body: Any = None
    key: str | None = None
    answers: list[Answer] = field(default_factory=list)

    @property
    def is_known(self) -> bool:
        """Whether its caller has no reason to send it again."""
        return bool(self.answers) and not is_open(self.answers[-1])

    def __str__(self) -> str:
        key = f" key={self.key}" if self.key else ""
        return f"{self.caller.name}: {self.method} {self.path} {self.body or ''}{key}"


def is_open(answer: Answer) -> bool:
    """Whether an answer leaves it open what becomes of the request."""
    return answer.status in TRANSIENT or answer.code == "in_progress"


@dataclass(slots=True)
class Counter:
    """Where requests are made, and kept with what came back."""

    scheduler: Scheduler
    machines: Machines
    weather: Weather
    chooser: random.Random
    asked: list[Ask] = field(default_factory=list)

    def make(self, ask: Ask) -> Answer | None:
        """Send a request until its outcome is known, as a careful client does; None when it gives up."""
        if ask not in self.asked:
            self.asked.append(ask)
        for _ in range(TRIES):
            answer = self.send(ask)
            if answer is not None and not is_open(answer):
                return answer
            self.scheduler.sleep(self.chooser.uniform(*PAUSE_SECONDS))
        return None

    def send(self, ask: Ask) -> Answer | None:
        """Send it once; what is not heard of is not remembered either."""
        headers = dict(ask.caller.headers)
        if ask.key is not None:
            headers["idempotency-key"] = ask.key
        patience = self.chooser.choice(PATIENCE_SECONDS)
        fault = self.weather.strikes(OF_A_REQUEST)
        if fault is Fault.LOST:
            self.scheduler.sleep(patience)
            return None
        answer = self.machines.answer(ask.method, ask.path, ask.body, headers, patience)
        if answer is None or fault is Fault.ANSWER_LOST:
            return None
        ask.answers.append(answer)
        return answer
