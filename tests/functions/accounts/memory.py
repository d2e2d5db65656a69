"""A store in memory for thousands of commits a second, which dies where it is told to."""

from collections.abc import Iterator
from typing import Any

from chassis.attributes import Item
from chassis.writes import ABSENT, Condition, Key, Write

Place = tuple[str, str, str]


class Killed(Exception):
    """The process is gone."""


class Memory:
    """Executes what `rollups` writes: puts, and updates that add, under the conditions that it uses."""

    def __init__(self) -> None:
        self.items: dict[Place, Item] = {}
        self.deaths: list[str] = []
        """What becomes of the next commits: `before` or `after` it is done the process dies, or `lives`."""
        self.sizes: list[int] = []

    def get(self, table: str, key: Key) -> Item | None:
        return self.items.get(_place(table, key))

    def scan(self, table: str) -> Iterator[Item]:
        return iter([item for place, item in self.items.items() if place[0] == table])

    def query(
        self, table: str, partition: tuple[str, str], sort: tuple[str, str, str], **_: Any
    ) -> list[Item]:
        return [item for item in self.scan(table) if item["pk"] == partition[1]]

    def commit(self, *writes: Write) -> None:
        death = self.deaths.pop(0) if self.deaths else "lives"
        if death == "before":
            raise Killed
        for write in writes:
            found = self.get(write.table, write.key)
            if not all(_holds(condition, found) for condition in write.conditions):
                raise write.refused(found)
        self.sizes.append(len(writes))
        for write in writes:
            self.items[_place(write.table, write.key)] = _written(write, self.get(write.table, write.key))
        if death == "after":
            raise Killed


def _place(table: str, key: Key) -> Place:
    return table, key["pk"], key["sk"]


def _holds(condition: Condition, found: Item | None) -> bool:
    if condition == ABSENT:
        return found is None
    assert condition.operator == "="
    return found is not None and found[condition.attribute] == condition.value


def _written(write: Write, found: Item | None) -> Item:
    if write.item is not None:
        return {**write.key, **write.item}
    before = {**write.key, **write.initial, **(found or {})}
    return before | {name: before.get(name, 0) + value for name, value in write.add.items()}
