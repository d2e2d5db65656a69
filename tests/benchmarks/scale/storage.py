"""Owns the modelled DynamoDB: units a second, transactions that conflict, and our own retries of both."""

from collections.abc import Generator, Hashable
from dataclasses import dataclass
from random import Random

from chassis import store
from tests.benchmarks.scale import limits
from tests.benchmarks.scale.assumptions import Assumptions, Latency
from tests.benchmarks.scale.engine import Simulation

THROTTLED, CONFLICT = "throttled", "conflict"


class Bucket:
    """Units that come at a rate, and of which so many are kept."""

    __slots__ = ("_at", "_left", "most", "rate")

    def __init__(self, rate: float, most: float, *, left: float | None = None) -> None:
        self.rate = rate
        self.most = most
        self._left = most if left is None else left
        self._at = 0.0

    def has(self, units: float, now: float) -> bool:
        self._left = min(self.most, self._left + (now - self._at) * self.rate)
        self._at = now
        return self._left >= units

    def take(self, units: float) -> None:
        self._left -= units


@dataclass(frozen=True, slots=True)
class Demand:
    """What one write call needs: items that others may be writing, units of hot keys, units of tables."""

    items: tuple[Hashable, ...] = ()
    keys: tuple[tuple[Hashable, float], ...] = ()
    tables: tuple[tuple[str, float], ...] = ()


def pause(tries: int, elapsed: float, chance: Random) -> float | None:
    """How long the store waits before it tries again; None when its deadline would pass.

    `tries` failed before this one, the first of them `elapsed` seconds ago.
    """
    ceiling = min(store.BACKOFF_CAP_SECONDS, store.BACKOFF_BASE_SECONDS * 2**tries)
    wait = chance.uniform(0, ceiling)
    return None if elapsed + wait > store.DEADLINE_SECONDS else wait


class Storage:
    """Tables, hot keys and items that a transaction holds at this moment."""

    def __init__(
        self,
        simulation: Simulation,
        chance: Random,
        assumed: Assumptions,
        *,
        table_units: float | None,
        gives_up_at_once: bool = False,
    ) -> None:
        self._simulation = simulation
        self._chance = chance
        self._assumed = assumed
        self._table_units = table_units
        self._gives_up_at_once = gives_up_at_once
        self._buckets: dict[Hashable, Bucket] = {}
        self._held_until: dict[Hashable, float] = {}
        self.tries = 0
        self.failures = {THROTTLED: 0, CONFLICT: 0}
        self.units: dict[str, float] = {}
        """Taken from each table, by refused calls too."""

    def call(self, latency: Latency) -> float:
        """How long one call takes, in seconds."""
        return self._assumed.speed * latency.draw(self._chance)

    def commit(self, demand: Demand, latency: Latency, *, after: float = 0.0) -> Generator[float, None, bool]:
        """Write, again and again as the store does; whether it succeeded before the deadline.

        `after` is what its caller does first, in seconds: one step of simulated time instead of two.

        The condition of an item is looked at, and its units are taken, when the window of conflict begins.
        """
        began = self._simulation.now + after
        tries = 0
        while True:
            takes = self.call(latency)
            before = takes * (1 - self._assumed.window) / 2
            yield after + before
            after = 0.0
            if self.prepare(demand, takes * self._assumed.window) is None:
                yield takes - before
                return True
            yield max(takes / 2 - before, 0.0)
            if self._gives_up_at_once:
                return False
            wait = pause(tries, self._simulation.now - began, self._chance)
            if wait is None:
                return False
            tries += 1
            yield wait

    def prepare(self, demand: Demand, window: float) -> str | None:
        """Take the units and hold the items, or say why not; a conflict is billed, throttling is not."""
        now = self._simulation.now
        self.tries += 1
        wanted = [(self._key(key), units) for key, units in demand.keys]
        if self._table_units is not None:
            wanted += [(self._table(name), units) for name, units in demand.tables]
        for bucket, units in wanted:
            if not bucket.has(units, now):
                self.failures[THROTTLED] += 1
                return THROTTLED
        for bucket, units in wanted:
            bucket.take(units)
        for name, units in demand.tables:
            self.units[name] = self.units.get(name, 0.0) + units
        held = self._held_until
        for item in demand.items:
            if held.get(item, 0.0) > now:
                self.failures[CONFLICT] += 1
                return CONFLICT
        held.update(dict.fromkeys(demand.items, now + window))
        return None

    def _key(self, key: Hashable) -> Bucket:
        found = self._buckets.get(key)
        if found is None:
            found = self._new(limits.PARTITION_WRITE_UNITS)
            self._buckets[key] = found
        return found

    def _table(self, name: str) -> Bucket:
        found = self._buckets.get(name)
        if found is None:
            assert self._table_units is not None
            found = self._new(self._table_units)
            self._buckets[name] = found
        return found

    def _new(self, rate: float) -> Bucket:
        return Bucket(rate, rate * self._assumed.burst_seconds)
