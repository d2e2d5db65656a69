"""Owns what goes wrong in a run: which faults there are, how often each happens, and how long calls take."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """What becomes of one call."""

    NONE = "ok"
    LOST = "request lost"
    ANSWER_LOST = "done, answer lost"
    LATE = "timed out, done later"
    SLOW = "slow"
    THROTTLED = "throttled"
    CONFLICT = "conflict"
    DIES_BEFORE = "process dies before"
    DIES_AFTER = "process dies after"
    ERROR = "answers 500"
    GARBLED = "answers nonsense"
    REFUSED = "refused"
    TWICE = "delivered twice"


OF_A_WRITE = (
    *(Fault.LOST, Fault.ANSWER_LOST, Fault.LATE, Fault.SLOW, Fault.THROTTLED, Fault.CONFLICT),
    *(Fault.DIES_BEFORE, Fault.DIES_AFTER),
)
OF_A_READ = (Fault.LOST, Fault.SLOW, Fault.THROTTLED, Fault.DIES_BEFORE, Fault.DIES_AFTER)
OF_THE_OUTSIDE = (
    *(Fault.LOST, Fault.ANSWER_LOST, Fault.LATE, Fault.SLOW, Fault.ERROR, Fault.GARBLED, Fault.REFUSED),
    *(Fault.DIES_BEFORE, Fault.DIES_AFTER),
)
OF_A_REQUEST = (Fault.LOST, Fault.ANSWER_LOST)
OF_A_BATCH = (Fault.TWICE,)
OF_AN_ENDPOINT = (
    Fault.LOST,
    Fault.ANSWER_LOST,
    Fault.ERROR,
    Fault.REFUSED,
    Fault.DIES_BEFORE,
    Fault.DIES_AFTER,
)

CALM, STORMY = 0.25, 0.12
"""The share of runs with no faults of their own beside concurrency, and of calls that fail in the worst."""
SKEW_SECONDS = 2.0
LATENCY_SECONDS = 0.004


@dataclass(slots=True)
class Weather:
    """How one run is disturbed: each run has faults of its own, some of them often (swarm testing).

    Groce et al., "Swarm Testing" (ISSTA 2012): runs that leave some faults out find what runs with all of
    them hide from each other.
    """

    random: Random
    rates: dict[Fault, float]
    skew_seconds: float
    latency_seconds: float

    @classmethod
    def of(cls, chooser: Random) -> "Weather":
        """The weather of a seed."""
        rates: dict[Fault, float] = {}
        if chooser.random() >= CALM:
            for fault in Fault:
                if fault is not Fault.NONE and chooser.random() < 0.6:
                    rates[fault] = chooser.random() ** 3 * STORMY
        skew = chooser.choice((0.0, 0.0, SKEW_SECONDS, 2.5 * SKEW_SECONDS))
        latency = LATENCY_SECONDS * chooser.choice((1, 1, 5, 25))
        return cls(chooser, rates, skew, latency)

    def strikes(self, possible: tuple[Fault, ...], times: float = 1.0) -> Fault:
        """What becomes of the call at hand, where faults are so many times as frequent as elsewhere."""
        if not self.rates:
            return Fault.NONE
        drawn = self.random.random() / times
        for fault in possible:
            drawn -= self.rates.get(fault, 0.0)
            if drawn < 0:
                return fault
        return Fault.NONE

    def latency(self) -> float:
        """How long one way of a call takes, in seconds."""
        return self.random.expovariate(1 / self.latency_seconds)

    def skew(self) -> float:
        """By how much the clock of a machine is wrong."""
        return self.random.uniform(-self.skew_seconds, self.skew_seconds)
