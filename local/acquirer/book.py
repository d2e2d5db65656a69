"""The acquirer's book: every attempt with its one answer, durable before it is given."""

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.durable import Conflict, Durable

APPROVED = "approved"
REFUSED = "processing_error"
"""What any attempt is told that has been voided, or that asks for what there is not."""
LATE_AT_MOST_SECONDS = 900.0
"""A late charge that nobody asks about is booked after this time."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS attempts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    verb TEXT NOT NULL,
    request TEXT NOT NULL,   -- what was asked, without number and security code; empty in a tombstone
    card TEXT,               -- its name in the deck, never its number
    charge TEXT,             -- of a capture or refund: the authorize attempt
    amount INTEGER NOT NULL DEFAULT 0,
    captured INTEGER NOT NULL DEFAULT 0,
    refunded INTEGER NOT NULL DEFAULT 0,
    voided INTEGER NOT NULL DEFAULT 0,
    outcome TEXT NOT NULL,   -- `approved` or a decline code
    booked_at TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS attempts_of_charge ON attempts (charge);
CREATE TABLE IF NOT EXISTS late (id TEXT PRIMARY KEY, entry TEXT NOT NULL, due REAL NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An attempt as it is to be booked."""

    id: str
    verb: str
    card: str | None = None
    brand: str | None = None
    last4: str | None = None
    expiry: str | None = None
    charge: str | None = None
    amount: int = 0
    currency: str | None = None
    capture: bool = False

    @property
    def request(self) -> str:
        """What two requests must have in common to be the same."""
        return json.dumps({name: value for name, value in asdict(self).items() if name != "id"})


class Book(Durable):
    """A book in a folder. Each method is one durable transaction; amounts are minor units."""

    def __init__(self, folder: Path, late_seconds: float, now: Callable[[], float] = time.time) -> None:
        super().__init__(folder, _SCHEMA, now)
        self._late_seconds = late_seconds

    def book(self, entry: Entry, decline: str | None) -> str:
        """The one outcome of this attempt: booked now, or as it was booked before. Raises Conflict."""
        with self._transaction():
            return self._book(entry, decline)

    def delay(self, entry: Entry) -> None:
        """Book it as approved later, unless it is voided before. Raises Conflict."""
        with self._transaction():
            if self._known(entry) is None:
                due = self._now() + LATE_AT_MOST_SECONDS
                content = json.dumps(asdict(entry))
                self._db.execute("INSERT OR IGNORE INTO late VALUES (?, ?, ?)", (entry.id, content, due))

    def lookup(self, attempt_id: str) -> str | None:
        """The attempt's outcome, or None where it is not in the book."""
        with self._transaction():
            found = self._find(attempt_id)
            if found is None:
                due = self._now() + self._late_seconds
                self._db.execute("UPDATE late SET due = min(due, ?) WHERE id = ?", (due, attempt_id))
            return None if found is None else _outcome(found)

    def card_of(self, attempt_id: str | None) -> str | None:
        """The name of the card that an attempt was made with, where it is in the book."""
        with self._transaction():
            found = self._find(attempt_id)
            if found is not None and found["charge"] is not None:
                found = self._find(found["charge"])
            return None if found is None else found["card"]

    def void(self, attempt_id: str) -> str:
        """End whatever the attempt did, and refuse its id from now on."""
        with self._transaction():
            self._db.execute("DELETE FROM late WHERE id = ?", (attempt_id,))
            found = self._find(attempt_id)
            if found is None:
                self._insert(Entry(attempt_id, "void"), REFUSED, request="")
            elif not found["voided"] and not self._undo(found):
                return REFUSED
            self._db.execute("UPDATE attempts SET voided = 1 WHERE ? IN (id, charge)", (attempt_id,))
            return APPROVED

    def statement(self, after: int, limit: int) -> list[dict[str, Any]]:
        """What was really charged, in order of time, from the line after `after`."""
        with self._transaction():
            rows = self._db.execute(
                "SELECT * FROM attempts WHERE verb = 'authorize' AND outcome = ? AND seq > ?"
                " ORDER BY seq LIMIT ?",
                (APPROVED, after, limit),
            ).fetchall()
        return [_line(row) for row in rows]

    def _book(self, entry: Entry, decline: str | None) -> str:
        known = self._known(entry)
        if known is not None:
            return _outcome(known)
        outcome = decline or (APPROVED if self._apply(entry) else REFUSED)
        self._insert(entry, outcome, entry.request)
        return outcome

    def _do_what_is_due(self) -> None:
        due = self._db.execute("SELECT * FROM late WHERE due <= ?", (self._now(),)).fetchall()
        for row in due:
            self._book(Entry(**json.loads(row["entry"])), None)
            self._db.execute("DELETE FROM late WHERE id = ?", (row["id"],))

    def _find(self, attempt_id: str | None) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._db.execute(
            "SELECT * FROM attempts WHERE id = ?", (attempt_id,)
        ).fetchone()
        return found

    def _known(self, entry: Entry) -> sqlite3.Row | None:
        found = self._find(entry.id)
        late = self._db.execute("SELECT entry FROM late WHERE id = ?", (entry.id,)).fetchone()
        earlier = {Entry(**json.loads(late["entry"])).request} if late else set()
        if found is not None:
            earlier.add(found["request"])
        # A tombstone, whose request is empty, refuses whatever is asked under its id.
        if earlier - {"", entry.request}:
            raise Conflict(entry.id)
        return found

    def _insert(self, entry: Entry, outcome: str, request: str) -> None:
        captured = entry.amount if entry.capture and outcome == APPROVED else 0
        booked_at = datetime.fromtimestamp(self._now(), UTC).isoformat()
        self._db.execute(
            "INSERT INTO attempts (id, verb, request, card, charge, amount, captured, outcome, booked_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(entry.id, entry.verb, request, entry.card, entry.charge),
                *(entry.amount, captured, outcome, booked_at),
            ),
        )

    def _apply(self, entry: Entry) -> bool:
        """Whether the charge that the entry is about allows it; if so, it is counted there."""
        match entry.verb:
            case "capture":
                condition = "captured = 0 AND refunded = 0 AND amount >= :amount"
                change = "captured = :amount"
            case "refund":
                condition = "captured - refunded >= :amount"
                change = "refunded = refunded + :amount"
            case _:
                return True
        return self._change(change, condition, {"charge": entry.charge, "amount": entry.amount})

    def _undo(self, row: sqlite3.Row) -> bool:
        """Take back what a capture or a refund counted, unless others have built on it."""
        if row["outcome"] != APPROVED or row["verb"] not in {"capture", "refund"}:
            return True
        counted = "captured" if row["verb"] == "capture" else "refunded"
        condition = "refunded = 0" if row["verb"] == "capture" else "refunded >= :amount"
        change = f"{counted} = {counted} - :amount"
        return self._change(change, condition, {"charge": row["charge"], "amount": row["amount"]})

    def _change(self, change: str, condition: str, values: Mapping[str, Any]) -> bool:
        changed = self._db.execute(
            f"UPDATE attempts SET {change} WHERE id = :charge AND verb = 'authorize'"  # noqa: S608 - ours
            f" AND outcome = 'approved' AND voided = 0 AND {condition}",
            values,
        )
        return changed.rowcount == 1


def _outcome(row: sqlite3.Row) -> str:
    return REFUSED if row["voided"] else str(row["outcome"])


def _line(row: sqlite3.Row) -> dict[str, Any]:
    asked = json.loads(row["request"])
    return {
        "line": row["seq"],
        "attempt": row["id"],
        "currency": asked["currency"],
        "authorized": row["amount"],
        "captured": row["captured"],
        "refunded": row["refunded"],
        "voided": bool(row["voided"]),
        "net": 0 if row["voided"] else row["captured"] - row["refunded"],
        "brand": asked["brand"],
        "last4": asked["last4"],
        "at": row["booked_at"],
    }
