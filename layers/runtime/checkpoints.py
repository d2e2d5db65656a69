"""Owns the checkpoints of stream consumers: how far each has come in each shard, kept in one small item."""

import threading
from collections.abc import Collection

from chassis import store, writes
from chassis.attributes import Item

TABLE = "checkpoints"


class Moved(Exception):
    """Another worker of the same consumer has moved the checkpoint meanwhile."""


def _moved(_: Item | None) -> Exception:
    return Moved()


class Checkpoints:
    """The checkpoints of one consumer, shared by the threads that read its shards.

    Each write is conditional on nobody else's: of two workers that overlap, as in a rolling deployment, one
    finds out, and starts again from what the other has stored.
    """

    def __init__(self, consumer: str) -> None:
        self._key = {"pk": consumer}
        self._lock = threading.Lock()
        self._version = 0
        self._shards: dict[str, Item] = {}

    def load(self) -> None:
        """Take what is stored."""
        with self._lock:
            item = store.get(TABLE, self._key)
            self._version = item["version"] if item else 0
            self._shards = dict(item["shards"]) if item else {}

    def position(self, shard: str) -> str | None:
        """The sequence number up to which all has been handled; None when nothing has."""
        with self._lock:
            position: str | None = self._shards.get(shard, {}).get("sequence_number")
            return position

    def is_finished(self, shard: str) -> bool:
        """Whether the shard was closed and has been read to its end."""
        with self._lock:
            return bool(self._shards.get(shard, {}).get("finished"))

    def advance(self, shard: str, sequence_number: str) -> None:
        """All up to this change has been handled. Raises Moved."""
        self._store(shard, {"sequence_number": sequence_number})

    def finish(self, shard: str) -> None:
        """The shard has been read to its end. Raises Moved."""
        self._store(shard, {"finished": True})

    def keep(self, shards: Collection[str]) -> None:
        """Forget the shards that are gone, so that the item stays small; stored with the next checkpoint."""
        with self._lock:
            self._shards = {shard: kept for shard, kept in self._shards.items() if shard in shards}

    def _store(self, shard: str, state: Item) -> None:
        with self._lock:
            shards = {**self._shards, shard: {**self._shards.get(shard, {}), **state}}
            item: Item = {"shards": shards}
            if self._version:
                write = writes.replace_version(TABLE, self._key, item, self._version, refused=_moved)
            else:
                write = writes.put(TABLE, self._key, item, writes.ABSENT, refused=_moved)
            store.commit(write)
            self._version += 1
            self._shards = shards
