"""How long a payment takes when they arrive by themselves: an open model, at parts of what was measured."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from local.bench import verification
from local.bench.arithmetic import arrivals, percentile, rate
from local.bench.load import Load
from local.bench.market import Market
from local.bench.quiet import await_quiet
from local.bench.throughput import verify
from local.errors import LocalError
from local.system import System

PARTS = (0.5, 0.8)
"""Of the capacity."""
MOST_SECONDS = 15.0
PERCENTILES = (50.0, 90.0, 99.0, 100.0)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long payments took that arrived at one rate, in seconds from when they were due."""

    part: float
    offered: float
    """Per second."""
    achieved: float
    """Per second, until the last answer."""
    latencies: Sequence[float]
    lags: Sequence[float]
    """By how much each was sent too late."""

    def percentile(self, percent: float) -> float:
        """Of the latencies; 100 is the worst of them."""
        return percentile(self.latencies, percent)


def measure(system: System, market: Market, load: Load, payments: int, capacity: float) -> Iterator[Latency]:
    """Offer at most so many payments at each part of the capacity, and verify all of them in the end."""
    port = urlsplit(system.url).port or 0
    for part in PARTS:
        offered = part * capacity
        orders = market.orders(min(payments, math.ceil(MOST_SECONDS * offered)))
        moments = arrivals(market.chooser, offered, len(orders))
        await_quiet(system)
        outcome = load.send(port, market.requests(orders, moments))
        market.accept(orders, outcome)
        yield Latency(
            part,
            offered,
            achieved=rate(len(orders), outcome.seconds),
            latencies=[answer.latency for answer in outcome.answers],
            lags=[answer.lag for answer in outcome.answers],
        )
    if not verification.await_settled(market):
        raise LocalError(f"Not all was settled within {verification.PATIENCE_SECONDS:g} s.")
    verify(market)
