"""Owns the closed loop: clients that pay, each when its last payment is answered, and what came of it."""

from collections.abc import Generator
from dataclasses import dataclass, field
from random import Random

from chassis import paging
from tests.benchmarks.scale.account import RAISED, Account, Entrance
from tests.benchmarks.scale.assumptions import PUT, Assumptions, Design, transaction
from tests.benchmarks.scale.engine import Process, Simulation
from tests.benchmarks.scale.storage import Demand, Storage

WALLETS = 1_000_000
MERCHANTS = 10_000
"""Of the spread traffic."""
PAID, GATEWAY, LAMBDA, STORAGE = "paid", "429 of the gateway", "503 of Lambda", "503 of the storage"
_GOLDEN, _MASK = 0x9E3779B97F4A7C15, 0xFFFFFFFFFFFFFFFF


def mixed(seed: int, client: int, number: int) -> int:
    """64 bits that say what a client's payment of that number is: the same for every design (splitmix64)."""
    bits = (seed * 0x5851F42D4C957F2D + (client + 1) * _GOLDEN + number * 0xD1342543DE82EF95) & _MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 31)


@dataclass(frozen=True)
class Scenario:
    """One run."""

    design: Design
    clients: int
    hot: bool
    """Whether all pay one merchant, or each payment one of 10,000; the wallets are a million in any case."""
    warm_up: float
    """Seconds that are not counted."""
    measured: float
    """Seconds that are."""
    account: Account = RAISED
    assumed: Assumptions = field(default=Assumptions())
    seed: int = 1
    gives_up_at_once: bool = False


@dataclass
class Outcome:
    """What came of a scenario, of its measured time alone."""

    scenario: Scenario
    latencies: list[float] = field(default_factory=list)
    """Of the payments that were made, in seconds, shortest first."""
    answers: dict[str, int] = field(default_factory=dict)
    in_system: float = 0.0
    """Requests on the way at a time, on the average over time."""
    answered_latency: float = 0.0
    """Seconds of all requests that were answered, added up."""
    tries: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    """Of tries at the storage, warm-up included."""
    units: float = 0.0
    """Write units a payment, of what was tried, warm-up included."""

    @property
    def paid(self) -> int:
        return self.answers.get(PAID, 0)

    @property
    def throughput(self) -> float:
        """Payments a second."""
        return self.paid / self.scenario.measured

    @property
    def capacity(self) -> float:
        """Payments a second and client: E(N)."""
        return self.throughput / self.scenario.clients

    def latency(self, share: float) -> float:
        """That quantile of the payments that were made, in seconds; NaN when there are none."""
        if not self.latencies:
            return float("nan")
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]

    def refused(self, *kinds: str) -> float:
        """The share of requests that were answered so; of all refusals where no kind is named."""
        answered = sum(self.answers.values())
        some = sum(self.answers.get(kind, 0) for kind in kinds or (GATEWAY, LAMBDA, STORAGE))
        return some / answered if answered else 0.0

    @property
    def little(self) -> float:
        """Requests on the way over (their rate times their mean latency): Little's law says 1."""
        return self.in_system * self.scenario.measured / self.answered_latency


class Run:
    """The clients of a scenario, at work."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.simulation = Simulation()
        self.chance = Random(f"{scenario.seed}/{scenario.clients}")
        self.storage = Storage(
            self.simulation,
            self.chance,
            scenario.assumed,
            table_units=scenario.account.table_units,
            gives_up_at_once=scenario.gives_up_at_once,
        )
        self.entrance = Entrance(scenario.account)
        self.outcome = Outcome(scenario)
        self._latency = transaction(scenario.design.writes)
        self._begun: dict[int, float] = {}
        self._paid_in_all = 0

    def play(self) -> Outcome:
        """Run it, and return what was measured."""
        scenario, outcome = self.scenario, self.outcome
        for client in range(scenario.clients):
            # Not all at once, or they would give up at once too, and come back in waves.
            self.simulation.start(self._client(client), after=self.chance.uniform(0, scenario.warm_up / 2))
        until = scenario.warm_up + scenario.measured
        self.simulation.run(until)
        for begun in self._begun.values():
            outcome.in_system += (until - max(begun, scenario.warm_up)) / scenario.measured
        outcome.latencies.sort()
        outcome.tries, outcome.failures = self.storage.tries, self.storage.failures
        outcome.units = sum(self.storage.units.values()) / max(1, self._paid_in_all)
        return outcome

    def _client(self, client: int) -> Process:
        number = 0
        while True:
            begun = self.simulation.now
            self._begun[client] = begun
            answer = yield from self._request(mixed(self.scenario.seed, client, number))
            del self._begun[client]
            self._count(begun, answer)
            number += 1
            if answer != PAID:
                yield self.scenario.assumed.client_pause

    def _request(self, bits: int) -> Generator[float, None, str]:
        now = self.simulation.now
        if not self.entrance.admits(now):
            return GATEWAY
        environment = self.entrance.environment(now)
        if environment is None:
            return LAMBDA
        assumed = self.scenario.assumed
        handler = assumed.handler + (assumed.cold_start if environment == "cold" else 0.0)
        paid = yield from self._pay(bits, handler)
        self.entrance.release()
        return PAID if paid else STORAGE

    def _pay(self, bits: int, handler: float) -> Generator[float, None, bool]:
        design = self.scenario.design
        for units in design.records[:1]:
            if not (yield from self.storage.commit(Demand(tables=(("records", units),)), PUT)):
                return False
        paid = yield from self.storage.commit(self._demand(bits), self._latency, after=handler)
        # When the handler has failed, Powertools deletes its record: that is a write too.
        for units in design.records[1:]:
            yield from self.storage.commit(Demand(tables=(("records", units),)), PUT)
        return paid

    def _demand(self, bits: int) -> Demand:
        design = self.scenario.design
        merchant = 0 if self.scenario.hot else (bits >> 24) % MERCHANTS
        shard = (bits >> 56) % paging.SHARDS
        items: tuple[tuple[str, int], ...] = (("wallet", bits % WALLETS),)
        keys: tuple[tuple[tuple[str, int, int], float], ...] = ((("list", merchant, shard), design.index),)
        if design.merchant:
            items += (("merchant", merchant),)
            keys += ((("merchant", merchant, 0), design.merchant),)
        tables = (
            ("payments", design.payments),
            ("payments/list", design.index),
            ("ledger", design.ledger + design.merchant),
        )
        return Demand(items, keys, tables)

    def _count(self, begun: float, answer: str) -> None:
        now = self.simulation.now
        self._paid_in_all += answer == PAID
        if now < self.scenario.warm_up:
            return
        outcome = self.outcome
        outcome.in_system += (now - max(begun, self.scenario.warm_up)) / self.scenario.measured
        outcome.answered_latency += now - begun
        outcome.answers[answer] = outcome.answers.get(answer, 0) + 1
        if answer == PAID:
            outcome.latencies.append(now - begun)


def play(scenario: Scenario) -> Outcome:
    """Run one scenario."""
    return Run(scenario).play()
