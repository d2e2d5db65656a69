"""Owns the modelled roll-up: each shard of the ledger's stream in order, commits that share their sums."""

from collections import deque
from collections.abc import Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random

from chassis import paging
from functions.accounts import table
from functions.accounts.app import service
from tests.benchmarks.scale import limits
from tests.benchmarks.scale.assumptions import PUT, Assumptions, transaction
from tests.benchmarks.scale.engine import Process, Simulation
from tests.benchmarks.scale.storage import Demand, Storage

SOURCE = next(each for each in service.streams if each.name == "roll_up")
CHANGES_A_PAYMENT = 2
"""The wallet's balance, and the journal entry."""
TICK = 0.05
_TOTALS: tuple[Hashable, ...] = ("pending in all", "wallets in all", "entries")
"""What every batch of wallet payments in one currency adds to, beside its merchants' accounts."""


@dataclass(frozen=True)
class Flow:
    """Wallet payments, so many a second, in a ledger whose table has so many partitions."""

    rate: float
    merchants: int
    shards: int
    seconds: float
    assumed: Assumptions = field(default=Assumptions())
    seed: int = 1


@dataclass
class Followed:
    """How far behind the sums were."""

    flow: Flow
    lags: list[float] = field(default_factory=list)
    """Seconds from a payment to the commit that counts it, of the second half; shortest first."""
    counted: int = 0
    counted_late: int = 0
    waiting: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    units: float = 0.0
    """Write units a payment, refused commits included."""

    @property
    def throughput(self) -> float:
        """Payments a second, of the second half."""
        return self.counted_late / (self.flow.seconds / 2)

    def lag(self, share: float) -> float:
        """That quantile, in seconds; NaN when none was counted."""
        return self.lags[int(share * (len(self.lags) - 1))] if self.lags else float("nan")


Payment = tuple[float, int]
"""When it was made, and to whom."""


class RollUp:
    """The shards and their consumers, at work."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.simulation = Simulation()
        self.chance = Random(f"rollup/{flow.seed}")
        self.storage = Storage(
            self.simulation, self.chance, flow.assumed, table_units=limits.TABLE_WRITE_UNITS
        )
        self.followed = Followed(flow)
        self._arrived = 0

    def play(self) -> Followed:
        """Run it, and return what was measured."""
        for shard in range(self.flow.shards):
            waiting: deque[Payment] = deque()
            self.simulation.start(self._arrivals(waiting), after=self.chance.uniform(0, TICK))
            self.simulation.start(self._consumer(shard, waiting), after=self.chance.uniform(0, 1))
        self.simulation.run(self.flow.seconds)
        followed = self.followed
        followed.lags.sort()
        followed.waiting = self._arrived - followed.counted
        followed.failures = self.storage.failures
        followed.units = sum(self.storage.units.values()) / max(1, followed.counted)
        return followed

    def _arrivals(self, waiting: deque[Payment]) -> Process:
        rate = self.flow.rate / self.flow.shards
        began = self.simulation.now
        following = began + self.chance.expovariate(rate)
        for tick in count(1):
            yield TICK
            while following <= began + tick * TICK:
                waiting.append((following, self.chance.randrange(self.flow.merchants)))
                self._arrived += 1
                following += self.chance.expovariate(rate)

    def _consumer(self, shard: int, waiting: deque[Payment]) -> Process:
        """One batch after the other: ParallelizationFactor 1."""
        part = paging.shard_of(f"shard-{shard}", table.PARTS)
        most = SOURCE.batch_size // CHANGES_A_PAYMENT
        while True:
            while not waiting:
                yield TICK
            gathered = 0.0
            while gathered < SOURCE.window_seconds and len(waiting) < most:
                yield TICK
                gathered += TICK
            batch = [waiting.popleft() for _ in range(min(most, len(waiting)))]
            yield self.storage.call(PUT) + len(batch) * CHANGES_A_PAYMENT * self.flow.assumed.rollup_record
            for some in _slices(batch):
                yield from self._commit(shard, part, some)

    def _commit(self, shard: int, part: int, some: Sequence[Payment]) -> Generator[float, None, None]:
        """Until it succeeds: a batch that fails is told again, and nothing of its shard before that."""
        figures = [*_TOTALS, *{merchant for _, merchant in some}]
        demand = Demand(
            items=tuple((figure, part) for figure in figures),
            keys=((("totals", part), 2.0 * len(_TOTALS)),),
            tables=(("rollups", 2.0 * (len(figures) + 1)),),
        )
        while not (yield from self.storage.commit(demand, transaction(len(figures) + 1))):
            pass
        now, half = self.simulation.now, self.flow.seconds / 2
        self.followed.counted += len(some)
        self.followed.counted_late += len(some) if now >= half else 0
        self.followed.lags += [now - made for made, _ in some if made >= half]


def _slices(batch: Sequence[Payment]) -> Iterator[list[Payment]]:
    """Cut where the next payment would make it more figures than one commit takes."""
    some: list[Payment] = []
    merchants: set[int] = set()
    for payment in batch:
        if len(merchants | {payment[1]}) + len(_TOTALS) > table.FIGURES_PER_COMMIT:
            yield some
            some, merchants = [], set()
        some.append(payment)
        merchants.add(payment[1])
    yield some


def follow(flow: Flow) -> Followed:
    """Run one."""
    return RollUp(flow).play()
