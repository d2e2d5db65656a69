"""Owns the acquirer of the simulation: each attempt has one answer for ever, its book is what was charged."""

from dataclasses import dataclass, field
from typing import Any

APPROVED, REFUSED = "approved", "processing_error"
Reply = tuple[int, Any]
"""Status and JSON."""


@dataclass(slots=True)
class Attempt:
    """An attempt as it stands in the book; amounts in minor units."""

    id: str
    verb: str
    asked: dict[str, Any]
    outcome: str
    charge: str | None = None
    amount: int = 0
    captured: int = 0
    refunded: int = 0
    voided: bool = False

    @property
    def is_held(self) -> bool:
        """Whether it still keeps money from the card's holder that nobody has taken."""
        approved = self.verb == "authorize" and self.outcome == APPROVED
        return approved and not self.voided and not self.captured

    @property
    def net(self) -> int:
        """What the card's holder has really paid by it."""
        return 0 if self.voided or self.outcome != APPROVED else self.captured - self.refunded


@dataclass(slots=True)
class Acquirer:
    """As `local.acquirer.book` keeps it, without a disk."""

    attempts: dict[str, Attempt] = field(default_factory=dict)

    def answer(self, method: str, path: str, asked: dict[str, Any], decline: str | None) -> Reply:
        """What the acquirer makes of a request; `decline` is what it would refuse a new one with."""
        if method == "GET":
            found = self.attempts.get(path.rpartition("/")[2])
            return (404, {"outcome": "not_found"}) if found is None else _told(_outcome(found))
        verb, attempt_id = path.rpartition("/")[2], asked["attempt"]
        if verb == "void":
            return _told(self._void(attempt_id))
        known = self.attempts.get(attempt_id)
        if known is None:
            known = self._book(verb, asked, decline)
        elif known.asked not in ({}, asked):
            return 409, {"error": "conflict"}
        return _told(_outcome(known))

    def _book(self, verb: str, asked: dict[str, Any], decline: str | None) -> Attempt:
        attempt = Attempt(
            asked["attempt"],
            verb,
            asked,
            decline or APPROVED,
            charge=asked.get("charge"),
            amount=asked.get("amount", 0),
        )
        if attempt.outcome == APPROVED and not self._applies(attempt):
            attempt.outcome = REFUSED
        self.attempts[attempt.id] = attempt
        return attempt

    def _applies(self, attempt: Attempt) -> bool:
        """Count it at the charge that it is about, where that allows it."""
        if attempt.charge is None:
            attempt.captured = attempt.amount if attempt.asked.get("capture") else 0
            return True
        charge = self.attempts.get(attempt.charge)
        if charge is None or charge.verb != "authorize" or charge.outcome != APPROVED or charge.voided:
            return False
        if attempt.verb == "capture" and not charge.captured and charge.amount >= attempt.amount:
            charge.captured = attempt.amount
            return True
        if attempt.verb == "refund" and charge.captured - charge.refunded >= attempt.amount:
            charge.refunded += attempt.amount
            return True
        return False

    def _void(self, attempt_id: str) -> str:
        known = self.attempts.get(attempt_id)
        if known is None:
            self.attempts[attempt_id] = Attempt(attempt_id, "void", {}, REFUSED)
            return APPROVED
        if known.verb in {"capture", "refund"}:
            return REFUSED  # nobody of ours takes those back
        for attempt in self.attempts.values():
            if attempt_id in {attempt.id, attempt.charge}:
                attempt.voided = True
        return APPROVED


def _outcome(attempt: Attempt) -> str:
    return REFUSED if attempt.voided else attempt.outcome


def _told(outcome: str) -> Reply:
    if outcome == APPROVED:
        return 200, {"outcome": APPROVED}
    return 200, {"outcome": "declined", "code": outcome}
