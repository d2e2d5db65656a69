"""Owns the modelled settlement: a queue of captured payments, and consumers that count them in commits."""

from collections import Counter, deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import ceil
from random import Random

from functions.settlement import actions, table
from functions.settlement.app import service
from infra.declaration import QUEUES
from tests.benchmarks.scale import limits
from tests.benchmarks.scale.assumptions import BATCH_OF_25, Assumptions, transaction
from tests.benchmarks.scale.engine import Process, Simulation
from tests.benchmarks.scale.storage import Demand, Storage

QUEUE = next(each for each in QUEUES if each.name == "settlement-lines")
SOURCE = next(each for each in service.queues if each.name == "collect")
TICK = 0.05
"""Seconds: how finely arrivals and looks at the queue are cut; each arrival keeps its own exact time."""
HEAD_UNITS, LINE_UNITS, LINES_A_KILOBYTE = 2.0, 2.0, 33
"""Of a commit: its settlement, each line, and how many lines of the manifest fit into one kilobyte.

98 lines are 204 units, as the requests say that `functions.settlement.table` makes.
"""


@dataclass(frozen=True)
class Traffic:
    """Captured payments that arrive at random, so many a second, for merchants who are all alike."""

    rate: float
    merchants: int
    seconds: float
    concurrency: int = SOURCE.concurrency or 1
    assumed: Assumptions = field(default=Assumptions())
    seed: int = 1


@dataclass(slots=True)
class Line:
    """One captured payment on its way."""

    arrived: float
    merchant: int
    receives: int = 0


@dataclass
class Settled:
    """What came of it."""

    traffic: Traffic
    lags: list[float] = field(default_factory=list)
    """Seconds from the queue to the commit, of those that arrived in the second half; shortest first."""
    counted: int = 0
    counted_late: int = 0
    """In the second half."""
    waiting: int = 0
    """Not counted at the end, in flight and hidden ones included."""
    dead: int = 0
    """In the dead-letter queue, though nothing is wrong with them."""
    units: float = 0.0
    """Write units a counted line, refused commits included."""

    @property
    def throughput(self) -> float:
        """Lines a second, of the second half."""
        return self.counted_late / (self.traffic.seconds / 2)

    def lag(self, share: float) -> float:
        """That quantile, in seconds; NaN when none was counted."""
        return self.lags[int(share * (len(self.lags) - 1))] if self.lags else float("nan")


class Settlement:
    """The queue and its consumers, at work."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.simulation = Simulation()
        self.chance = Random(f"settlement/{traffic.seed}")
        self.storage = Storage(
            self.simulation, self.chance, traffic.assumed, table_units=limits.TABLE_WRITE_UNITS
        )
        self.queue: deque[Line] = deque()
        self.settled = Settled(traffic)
        self.arrived = 0
        self._batch = min(SOURCE.batch_size, limits.SQS_BATCH_BYTES // traffic.assumed.settlement_message)

    def play(self) -> Settled:
        """Run it, and return what was measured."""
        self.simulation.start(self._arrivals())
        for consumer in range(self.traffic.concurrency):
            self.simulation.start(self._consumer(), after=consumer * TICK / self.traffic.concurrency)
        self.simulation.run(self.traffic.seconds)
        settled = self.settled
        settled.waiting = self.arrived - settled.counted - settled.dead
        settled.units = sum(self.storage.units.values()) / max(1, settled.counted)
        settled.lags.sort()
        return settled

    def _arrivals(self) -> Process:
        following = self.chance.expovariate(self.traffic.rate)
        for tick in count(1):
            yield TICK
            while following <= tick * TICK:
                self.queue.append(Line(following, self.chance.randrange(self.traffic.merchants)))
                self.arrived += 1
                following += self.chance.expovariate(self.traffic.rate)

    def _consumer(self) -> Process:
        """Gather for the window, or until the batch is full; handle it; again."""
        while True:
            while not self.queue:
                yield TICK
            gathered = 0.0
            while gathered < SOURCE.window_seconds and len(self.queue) < self._batch:
                yield TICK
                gathered += TICK
            lines = [self.queue.popleft() for _ in range(min(self._batch, len(self.queue)))]
            yield from self._collect(lines)

    def _collect(self, lines: Sequence[Line]) -> Generator[float, None, None]:
        """As `actions.collect`: commit by commit until its time is over; the rest comes again, or is dead."""
        received = self.simulation.now
        until = received + actions.SWEEP_SECONDS
        groups: dict[int, list[Line]] = {}
        for line in lines:
            line.receives += 1
            groups.setdefault(line.merchant, []).append(line)
        failed: list[Line] = []
        for merchant, group in groups.items():
            for start in range(0, len(group), table.LINES):
                part = group[start : start + table.LINES]
                if self.simulation.now > until or not (yield from self._count(merchant, part)):
                    failed += part
        alive = [line for line in failed if line.receives < QUEUE.max_receives]
        self.settled.dead += len(failed) - len(alive)
        if alive:
            # They are hidden from their receipt on, not from the handler's answer.
            hidden = received + QUEUE.visibility_seconds - self.simulation.now
            self.simulation.start(self._again(alive), after=max(hidden, 0.0))

    def _again(self, lines: Sequence[Line]) -> Process:
        self.queue.extend(lines)
        yield 0.0

    def _count(self, merchant: int, part: Sequence[Line]) -> Generator[float, None, bool]:
        """One read of the lines' keys, and the commit of those lines."""
        yield self.storage.call(BATCH_OF_25) + len(part) * self.traffic.assumed.settlement_line
        counted = yield from self.storage.commit(
            self._demand(merchant, len(part)), transaction(len(part) + 2)
        )
        if counted:
            now, half = self.simulation.now, self.traffic.seconds / 2
            self.settled.counted += len(part)
            self.settled.counted_late += len(part) if now >= half else 0
            self.settled.lags += [now - line.arrived for line in part if line.arrived >= half]
        return counted

    def _demand(self, merchant: int, lines: int) -> Demand:
        own = HEAD_UNITS + 2 * ceil(lines / LINES_A_KILOBYTE)
        by_shard = Counter(self.chance.randrange(table.LINE_SHARDS) for _ in range(lines))
        shards = tuple(((merchant, shard), LINE_UNITS * number) for shard, number in by_shard.items())
        return Demand(
            items=(("settlement", merchant),),
            keys=((("settlement", merchant), own), *shards),
            tables=(("settlements", own + LINE_UNITS * lines),),
        )


def settle(traffic: Traffic) -> Settled:
    """Run one."""
    return Settlement(traffic).play()
