"""Owns the shops' webhook endpoints: they verify what they get, remember it, and answer as the weather is."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from functions.webhooks.gateway import Letter
from functions.webhooks.records import Outcome
from functions.webhooks.shapes import Failure
from tests.simulation.scheduler import Killed, Scheduler
from tests.simulation.weather import OF_AN_ENDPOINT, Fault, Weather

GONE_SHARE = 0.02
"""Of the refusals, those that say 410: never again."""


@dataclass(slots=True)
class Receivers:
    """Takes the place of `functions.webhooks.gateway.post_all`."""

    scheduler: Scheduler
    weather: Weather
    received: list[Letter] = field(default_factory=list)

    def post_all(self, letters: Sequence[Letter], seconds: float) -> list[Outcome | BaseException]:
        """Deliver them side by side: it takes as long as the slowest of them."""
        struck = [self.weather.strikes(OF_AN_ENDPOINT) for _ in letters]
        if Fault.DIES_BEFORE in struck:
            raise Killed("before letters")
        outcomes: list[Outcome | BaseException] = [
            self._post(letter, fault, seconds) for letter, fault in zip(letters, struck, strict=True)
        ]
        self.scheduler.sleep(
            seconds if {Fault.LOST, Fault.ANSWER_LOST} & {*struck} else self.weather.latency()
        )
        if Fault.DIES_AFTER in struck:
            raise Killed("after letters")
        return outcomes

    def _post(self, letter: Letter, fault: Fault, seconds: float) -> Outcome:
        took = round(seconds * 1000)
        if fault is Fault.LOST:
            return Outcome(None, Failure.TIMEOUT, took)
        if fault is Fault.REFUSED:
            gone = self.weather.random.random() < GONE_SHARE
            return Outcome(410 if gone else 503, Failure.STATUS, 5)
        self.received.append(letter)
        if fault is Fault.ANSWER_LOST:
            return Outcome(None, Failure.TIMEOUT, took)
        if fault is Fault.ERROR:
            return Outcome(500, Failure.STATUS, 5)
        return Outcome(204, None, 5)
