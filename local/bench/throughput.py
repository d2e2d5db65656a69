"""P and E: how fast a system takes payments when it is offered as many as it can take, and settles them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from local.bench import processor, verification
from local.bench.arithmetic import per_worker, rate
from local.bench.load import Load
from local.bench.market import Market
from local.bench.quiet import await_quiet
from local.errors import LocalError
from local.system import System

WARM_UP = 100
"""Payments before the measured ones, so that every worker has its connections and knows the merchants."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """What one traffic came to with so many workers; seconds from the first request on."""

    traffic: str
    workers: int
    payments: int
    accepted_seconds: float
    settled_seconds: float
    busy: dict[str, float]
    """Part of the system -> processor seconds until all was accepted; empty where nothing tells."""
    generator_seconds: float
    """Processor seconds of the load generator."""
    others: float | None
    """The part of the machine that was busy with anything else meanwhile; None where nothing tells."""

    @property
    def accepted(self) -> float:
        """P = N / T to acceptance, which is C."""
        return rate(self.payments, self.accepted_seconds)

    @property
    def settled(self) -> float:
        """P = N / T until a settlement has counted the last one."""
        return rate(self.payments, self.settled_seconds)

    @property
    def per_worker(self) -> float:
        """E = C / N."""
        return per_worker(self.accepted, self.workers)


def measure(system: System, market: Market, load: Load, payments: int, workers: int) -> Throughput:
    """Offer the payments all at once, and wait until all are settled. Raises LocalError if any is amiss."""
    port = urlsplit(system.url).port or 0
    warming = market.orders(min(WARM_UP, payments))
    market.accept(warming, load.send(port, market.requests(warming)))
    await_quiet(system)
    orders = market.orders(payments)
    requests = market.requests(orders)
    others = processor.Others.now(system.children)
    before = processor.seconds(system.children)
    outcome = load.send(port, requests)
    busy = processor.used(before, processor.seconds(system.children))
    taken = others.taken(system.children)
    market.accept(orders, outcome)
    if not verification.await_settled(market):
        raise LocalError(f"Not all was settled within {verification.PATIENCE_SECONDS:g} s.")
    settled_seconds = time.monotonic() - outcome.began
    verify(market)
    return Throughput(
        market.traffic.name,
        workers,
        payments,
        outcome.seconds,
        settled_seconds,
        busy,
        outcome.processor_seconds,
        taken,
    )


def verify(market: Market) -> None:
    """Raise LocalError where anything does not add up."""
    failed = [check for check in verification.checks(market) if not check.holds]
    if failed:
        first = failed[0].contradictions[0]
        raise LocalError(f"It does not add up: {'; '.join(check.claim for check in failed)} ({first}).")


def efficiency(measured: Sequence[Throughput], one: Throughput) -> float | None:
    """E(N) / E(1) of a measurement; None where nothing was measured with one worker."""
    first = next((each for each in measured if (each.workers, each.traffic) == (1, one.traffic)), None)
    return one.per_worker / first.per_worker if first else None
