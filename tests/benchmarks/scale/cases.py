"""Owns what is simulated: every case by its group, and the row of numbers that it comes to."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from tests.benchmarks.scale.account import COLD, DEFAULT, DEPLOYED, NEW, RAISED
from tests.benchmarks.scale.assumptions import DESIGNS, OURS, Assumptions
from tests.benchmarks.scale.payments import GATEWAY, LAMBDA, STORAGE, Outcome, Scenario, play
from tests.benchmarks.scale.rollup import Flow, follow
from tests.benchmarks.scale.settlement import Traffic, settle

CLIENTS = (1, 2, 4, 8, 16, 32, 100, 1_000, 10_000)
MANY = (100, 1_000, 10_000)
PAYMENTS_SECONDS = 800.0
"""Of the measured time of one client; N clients get an N-th of it, so that all are equally exact."""
HOT, SPREAD, QUOTAS, START, SENSITIVITY, SETTLING, WIDTH, ROLL_UP = (
    *("one merchant", "10,000 merchants", "quotas", "first ten seconds", "sensitivity"),
    *("settlement", "settlement's concurrency", "roll-up"),
)
VARIANTS = (
    ("as assumed", Assumptions()),
    ("items held for 1/4", Assumptions(window=0.25)),
    ("items held for all", Assumptions(window=1.0)),
    ("latencies x 0.4", Assumptions(speed=0.4)),
)
"""The second and third say for which part of a transaction; with the fourth it takes 10 ms."""
Case = Scenario | Traffic | Flow


@dataclass(frozen=True)
class Paying:
    """What a number of clients came to."""

    group: str
    variant: str
    """What is special: the quotas, or what is assumed otherwise."""
    design: str
    clients: int
    payments: float
    """A second."""
    capacity: float
    """E(N): payments a second and client."""
    p50: float
    """Seconds, of the payments that were made."""
    p99: float
    refused: float
    """The share of requests that were answered 429 or 503."""
    by_gateway: float
    by_lambda: float
    by_storage: float
    units: float
    """Write units a payment, refused tries included."""
    little: float
    """Little's law: 1 where the run was long enough."""


@dataclass(frozen=True)
class Following:
    """What settlement, or the roll-up, came to."""

    group: str
    merchants: int
    at_once: int
    """Batches of settlement, or shards of the stream."""
    offered: float
    """Payments a second."""
    seconds: float
    done: float
    """Payments a second that were counted, in the second half."""
    p50: float
    """Seconds behind."""
    p99: float
    waiting: int
    """At the end."""
    dead: int
    units: float


Row = Paying | Following


def cases(seed: int) -> Iterator[tuple[str, str, Case]]:
    """Group, variant and case of everything, the longest first."""
    for clients, design, group in product(reversed(CLIENTS), reversed(DESIGNS), (SPREAD, HOT)):
        warm_up, measured = _seconds(clients, hot=group == HOT)
        yield group, "", Scenario(design, clients, group == HOT, warm_up, measured, seed=seed)
    for account, clients in product((DEPLOYED, DEFAULT, NEW), MANY):
        yield QUOTAS, account.name, Scenario(OURS, clients, False, 4, 4, account=account, seed=seed)
    for clients in (1_000, 3_000):
        yield START, COLD.name, Scenario(OURS, clients, False, 0, 10, account=COLD, seed=seed)
    for (variant, assumed), design, clients in product(VARIANTS, DESIGNS, (1, 8, 100)):
        warm_up, measured = _seconds(clients, hot=True)
        yield SENSITIVITY, variant, Scenario(design, clients, True, warm_up, measured, RAISED, assumed, seed)
    yield from _followers(seed)


def _seconds(clients: int, *, hot: bool) -> tuple[float, float]:
    """Warm-up and measured time: long enough for a deadline of 3 seconds, where anything comes to that."""
    if clients <= MANY[0]:
        return 8.0, PAYMENTS_SECONDS / clients
    if hot:
        return 6.0, 6.0
    return 0.5, 2_000 / clients


def _followers(seed: int) -> Iterator[tuple[str, str, Case]]:
    counted = [(1, 100), (1, 1_000), (1, 1_500), (1, 2_000), (100, 1_000), (1_000, 100), (1_000, 300)]
    counted += [(10_000, 30), (10_000, 50)]
    for merchants, rate in counted:
        yield SETTLING, "", Traffic(rate, merchants, 300, seed=seed)
    yield SETTLING, "", Traffic(100, 10_000, 1_800, seed=seed)
    for merchants, rate in ((1, 5_000), (10_000, 1_000)):
        for concurrency in (2, 10, 50):
            yield WIDTH, "", Traffic(rate, merchants, 120, concurrency, seed=seed)
    for merchants in (1, 10_000):
        for rate, shards in ((100, 4), (1_000, 4), (1_000, 40), (10_000, 40)):
            yield ROLL_UP, "", Flow(rate, merchants, shards, 30, seed=seed)


def row(group: str, variant: str, case: Case) -> Row:
    """Simulate a case."""
    if isinstance(case, Scenario):
        return _paying(group, variant, play(case))
    if isinstance(case, Traffic):
        settled = settle(case)
        return Following(
            *(group, case.merchants, case.concurrency, case.rate, case.seconds, settled.throughput),
            p50=settled.lag(0.5),
            p99=settled.lag(0.99),
            waiting=settled.waiting,
            dead=settled.dead,
            units=settled.units,
        )
    followed = follow(case)
    return Following(
        *(group, case.merchants, case.shards, case.rate, case.seconds, followed.throughput),
        p50=followed.lag(0.5),
        p99=followed.lag(0.99),
        waiting=followed.waiting,
        dead=0,
        units=followed.units,
    )


def _paying(group: str, variant: str, outcome: Outcome) -> Paying:
    return Paying(
        group,
        variant,
        outcome.scenario.design.name,
        outcome.scenario.clients,
        outcome.throughput,
        outcome.capacity,
        p50=outcome.latency(0.5),
        p99=outcome.latency(0.99),
        refused=outcome.refused(),
        by_gateway=outcome.refused(GATEWAY),
        by_lambda=outcome.refused(LAMBDA),
        by_storage=outcome.refused(STORAGE),
        units=outcome.units,
        little=outcome.little,
    )


def ratio(rows: list[Row], group: str, design: str, clients: int, variant: str = "") -> float:
    """E(N)/E(1) of a design in a group."""
    by_clients = {
        each.clients: each.capacity
        for each in rows
        if isinstance(each, Paying) and (each.group, each.design, each.variant) == (group, design, variant)
    }
    return by_clients[clients] / by_clients[1]
