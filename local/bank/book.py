"""The bank's book: every order with its one answer, and what became of it, line by line."""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from local.bank.accounts import BY_NAME
from local.durable import Conflict, Durable

ACCEPTED = "accepted"
CANCELED = "canceled"
"""What any order is told that has been cancelled."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    request TEXT NOT NULL,   -- a digest of what was asked; empty in a tombstone
    account TEXT,            -- its name among the test accounts, never its IBAN
    last4 TEXT,
    amount INTEGER NOT NULL DEFAULT 0,
    currency TEXT,
    outcome TEXT NOT NULL,   -- `accepted` or a refusal's code
    paid INTEGER NOT NULL DEFAULT 0,
    returned INTEGER NOT NULL DEFAULT 0,
    booked_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS changes (
    line INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, status TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS due (id TEXT PRIMARY KEY, step INTEGER NOT NULL, due REAL NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it is to be booked."""

    id: str
    account: str
    last4: str
    amount: int
    currency: str
    content: str
    """All that was asked: what two requests must have in common to be the same."""

    @property
    def request(self) -> str:
        """What the book keeps of the content."""
        return sha256(self.content.encode()).hexdigest()


class Book(Durable):
    """A book in a folder. Each method is one durable transaction; amounts are minor units."""

    def __init__(self, folder: Path, delay_seconds: float, now: Callable[[], float] = time.time) -> None:
        super().__init__(folder, _SCHEMA, now)
        self._delay_seconds = delay_seconds

    def book(self, order: Order, decline: str | None) -> str:
        """The one outcome of this order: booked now, or as it was booked before. Raises Conflict."""
        with self._transaction():
            found = self._find(order.id)
            if found is not None:
                # A tombstone, whose request is empty, refuses whatever is asked under its id.
                if found["request"] not in {"", order.request}:
                    raise Conflict(order.id)
                return str(found["outcome"])
            outcome = decline or ACCEPTED
            self._insert(order.id, outcome, order)
            if outcome == ACCEPTED:
                self._await(order.id, step=0, since=self._now())
            return outcome

    def lookup(self, attempt_id: str) -> str | None:
        """The order's outcome, or None where it is not in the book."""
        with self._transaction():
            found = self._find(attempt_id)
            return None if found is None else str(found["outcome"])

    def cancel(self, attempt_id: str) -> str:
        """Refuse the id from now on, unless its money has left: the outcome that the order has then."""
        with self._transaction():
            found = self._find(attempt_id)
            if found is None:
                self._insert(attempt_id, CANCELED)
                return CANCELED
            waits = self._db.execute("DELETE FROM due WHERE id = ? AND step = 0", (attempt_id,))
            if waits.rowcount:
                self._db.execute("UPDATE orders SET outcome = ? WHERE id = ?", (CANCELED, attempt_id))
                return CANCELED
            return str(found["outcome"])

    def changes(self, after: int, limit: int) -> list[dict[str, Any]]:
        """What became of orders, in order of time, from the line after `after`."""
        with self._transaction():
            rows = self._db.execute(
                "SELECT line, id AS attempt, status, at FROM changes WHERE line > ? ORDER BY line LIMIT ?",
                (after, limit),
            ).fetchall()
        return [dict(row) for row in rows]

    def statement(self, after: int, limit: int) -> list[dict[str, Any]]:
        """What was really paid, in order of the orders, from the line after `after`."""
        with self._transaction():
            rows = self._db.execute(
                "SELECT * FROM orders WHERE paid > 0 AND seq > ? ORDER BY seq LIMIT ?", (after, limit)
            ).fetchall()
        return [_line(row) for row in rows]

    def _find(self, attempt_id: str) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._db.execute(
            "SELECT * FROM orders WHERE id = ?", (attempt_id,)
        ).fetchone()
        return found

    def _insert(self, attempt_id: str, outcome: str, order: Order | None = None) -> None:
        asked = (order.request, order.account, order.last4, order.amount, order.currency) if order else None
        self._db.execute(
            "INSERT INTO orders (id, request, account, last4, amount, currency, outcome, booked_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (attempt_id, *(asked or ("", None, None, 0, None)), outcome, _stamp(self._now())),
        )

    def _await(self, attempt_id: str, step: int, since: float) -> None:
        self._db.execute("INSERT INTO due VALUES (?, ?, ?)", (attempt_id, step, since + self._delay_seconds))

    def _do_what_is_due(self) -> None:
        while due := self._db.execute(
            "SELECT due.*, account FROM due JOIN orders USING (id) WHERE due <= ? ORDER BY due, seq LIMIT 1",
            (self._now(),),
        ).fetchone():
            fate = BY_NAME[due["account"]].fate
            status, step = fate[due["step"]], due["step"] + 1
            self._db.execute("DELETE FROM due WHERE id = ?", (due["id"],))
            self._db.execute(f"UPDATE orders SET {status} = amount WHERE id = ?", (due["id"],))  # noqa: S608 - ours
            self._db.execute(
                "INSERT INTO changes (id, status, at) VALUES (?, ?, ?)",
                (due["id"], status, _stamp(due["due"])),
            )
            if step < len(fate):
                self._await(due["id"], step, since=due["due"])


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _line(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "line": row["seq"],
        "attempt": row["id"],
        "currency": row["currency"],
        "paid": row["paid"],
        "returned": row["returned"],
        "net": row["paid"] - row["returned"],
        "last4": row["last4"],
        "at": row["booked_at"],
    }
