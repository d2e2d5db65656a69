"""Owns the stored items of a table: each as it is, as a slow replica still sees it, and as its indexes do."""

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from infra.declaration import Index, Table
from tests.simulation.aws.values import Item, text_bytes

Key = tuple[str, str | None]
"""Of an item: `pk`, and `sk` where the table has one."""
Spot = tuple[str, ...]
"""Where it stands in its partition: (sk,) or () in the table; (sort, pk, sk) or (sort, pk) in an index."""
Place = tuple[str, str, str | None]
"""Of an item in the whole database: physical table, `pk`, `sk`."""
Entry = tuple[str, Spot]
"""A partition of an index, and a place in it."""

WRITE_UNIT_BYTES: Final = 1024


@dataclass(slots=True)
class IndexState:
    """What an index shows by now: sparse, keys only."""

    declared: Index
    partitions: dict[str, list[Spot]] = field(default_factory=dict)

    def entry(self, key: Key, item: Item | None) -> Entry | None:
        """Where an item belongs; None where it has not both keys."""
        if item is None:
            return None
        partition, sort = item.get(self.declared.partition), item.get(self.declared.sort)
        if partition is None or sort is None:
            return None
        pk, sk = key
        return partition["S"], (sort["S"], pk) if sk is None else (sort["S"], pk, sk)

    def entry_bytes(self, entry: Entry) -> int:
        """What an entry takes, with the names of its attributes."""
        declared = self.declared
        names = (
            len(declared.partition) + len(declared.sort) + len("pk") + (len("sk") if len(entry[1]) > 2 else 0)
        )
        return names + text_bytes("".join((entry[0], *entry[1])))

    def shown(self, entry: Entry) -> Item:
        """An entry as an item."""
        partition, (sort, *key) = entry
        item = dict(zip(("pk", "sk"), ({"S": part} for part in key), strict=False))
        return {**item, self.declared.partition: {"S": partition}, self.declared.sort: {"S": sort}}

    def units(self, before: Entry | None, after: Entry | None) -> int:
        """The write units of a change: it takes an entry away, makes one, or both."""
        if before == after:
            return 0
        spent = write_units(self.entry_bytes(before)) if before else 0
        return spent + write_units(self.entry_bytes(after)) if after else spent

    def change(self, before: Entry | None, after: Entry | None) -> None:
        if before:
            _remove(self.partitions, before)
        if after:
            insort(self.partitions.setdefault(after[0], []), after[1])


def write_units(size: int) -> int:
    """The write units of so many bytes."""
    return max(1, ceil(size / WRITE_UNIT_BYTES))


class TableState:
    """The items of one table. Whoever reads `items` reads them as they are now, in the low-level form."""

    def __init__(
        self, declared: Table, name: str, now: Callable[[], float], lag: Callable[[], float]
    ) -> None:
        self.declared = declared
        self.name = name
        """The physical one."""
        self.key_names = ("pk", "sk") if declared.sort_key else ("pk",)
        self.items: dict[Key, Item] = {}
        self.sizes: dict[Key, int] = {}
        self.partitions: dict[str, list[Spot]] = {}
        self.indexes = {index.name: IndexState(index) for index in declared.indexes}
        self._now = now
        self._lag = lag
        self._unseen: dict[Key, list[tuple[float, Item | None]]] = {}
        """Writes that a slow replica has not seen yet, in their order: until when, and what was before."""
        self._pending: list[tuple[float, int, IndexState, Entry | None, Entry | None]] = []
        self._written = 0

    def write(self, key: Key, item: Item | None, size: int) -> int:
        """Put an item in place of what is there, or remove that; returns the write units of the indexes."""
        before = self.items.get(key)
        visible_at = self._visible_at(key, before)
        if item is not None:
            if before is None:
                insort(self.partitions.setdefault(key[0], []), _spot(key))
            self.items[key] = item
            self.sizes[key] = size
        elif before is not None:
            del self.items[key], self.sizes[key]
            _remove(self.partitions, (key[0], _spot(key)))
        spent = 0
        for index in self.indexes.values():
            old, new = index.entry(key, before), index.entry(key, item)
            if old == new:
                continue
            spent += index.units(old, new)
            if visible_at is None:
                index.change(old, new)
            else:
                self._written += 1
                heapq.heappush(self._pending, (visible_at, self._written, index, old, new))
        return spent

    def _visible_at(self, key: Key, before: Item | None) -> float | None:
        """When this write shows; None: at once. A replica never sees a write before an earlier one."""
        lag = self._lag()
        if not lag and key not in self._unseen:
            return None
        self._settle()
        now = self._now()
        unseen = [write for write in self._unseen.get(key, ()) if write[0] > now]
        visible_at = max(now + lag, unseen[-1][0] if unseen else 0.0)
        if visible_at <= now:
            self._unseen.pop(key, None)
            return None
        self._unseen[key] = [*unseen, (visible_at, before)]
        return visible_at

    def _settle(self) -> None:
        """Let the indexes show what has become visible."""
        now = self._now()
        while self._pending and self._pending[0][0] <= now:
            _, _, index, old, new = heapq.heappop(self._pending)
            index.change(old, new)

    def index(self, name: str) -> IndexState:
        """An index as it is now. Raises KeyError."""
        self._settle()
        return self.indexes[name]

    def seen(self, key: Key, *, as_of_now: bool) -> Item | None:
        """An item as it is, or as it was before the first write that a slow replica has not seen."""
        if not as_of_now and key in self._unseen:
            now = self._now()
            for visible_at, before in self._unseen[key]:
                if visible_at > now:
                    return before
            self._settle()
            del self._unseen[key]
        return self.items.get(key)

    def keys(self, *, as_of_now: bool) -> Iterable[Key]:
        """All that there may be: what was deleted is still there for a slow replica."""
        return self.items if as_of_now else self.items.keys() | self._unseen.keys()

    def places(self, pk: str, *, as_of_now: bool) -> list[Spot]:
        """The places of a partition, in order; for a slow replica those too that are gone since."""
        places = self.partitions.get(pk, [])
        if as_of_now or not self._unseen:
            return places
        there = {_spot(key) for key in self._unseen if key[0] == pk}
        return sorted({*places, *there})


def _spot(key: Key) -> Spot:
    return () if key[1] is None else (key[1],)


def _remove(partitions: dict[str, list[Spot]], entry: Entry) -> None:
    places = partitions[entry[0]]
    del places[bisect_left(places, entry[1])]
    if not places:
        del partitions[entry[0]]
