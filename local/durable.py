"""A stranger's memory: a database in a folder, in which every change is durable before it is answered for."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_TRIES = "CREATE TABLE IF NOT EXISTS tries (id TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT;"


class Conflict(Exception):
    """The attempt id was used before, for another request."""


class Durable:
    """A book in a folder; each transaction is durable, and they come one at a time."""

    def __init__(self, folder: Path, schema: str, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._db = sqlite3.connect(folder / "book.sqlite3", isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(schema + _TRIES)

    def close(self) -> None:
        """Close it; what was answered is in it either way."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._do_what_is_due()
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _do_what_is_due(self) -> None:
        """What should have happened by itself since the last transaction; first in each of them."""

    def count_try(self, attempt_id: str) -> int:
        """How many times this attempt has been tried, this one included."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO tries VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET count = count + 1",
                (attempt_id,),
            )
            (count,) = self._db.execute("SELECT count FROM tries WHERE id = ?", (attempt_id,)).fetchone()
        return int(count)
