"""The rules of payouts: which status may follow which, and what money moves with it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis import clock
from chassis.auth import PLATFORM
from chassis.config import settings
from chassis.operations import Intent
from chassis.writes import Write
from functions.payouts.records import Accepted, Refused, StoredPayout, attempt_of
from functions.payouts.shapes import FailureCode, NewPayout, Status
from ledger import accounts, balances, posting
from ledger.accounts import Account
from ledger.posting import Posting
from ledger.reasons import Reason

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.PROCESSING: frozenset({Status.IN_TRANSIT, Status.FAILED}),
    Status.IN_TRANSIT: frozenset({Status.PAID, Status.RETURNED}),
    Status.PAID: frozenset({Status.RETURNED}),
    Status.RETURNED: frozenset(),
    Status.FAILED: frozenset(),
}
"""Status -> what may follow it; nothing else may."""


OVERDUE_DAYS = 7
"""A bank has paid or returned within days what it has taken."""


class Impossible(ValueError):
    """The status that would follow is none that may."""


@dataclass(frozen=True, slots=True)
class Step:
    """A payout after a transition, and the writes on the ledger that belong into the same commit."""

    payout: StoredPayout
    money: tuple[Write, ...]


def new_payout(merchant_id: str, intent: Intent, new: NewPayout, at: datetime) -> StoredPayout:
    """The payout that the bank is about to be asked for."""
    payout_id = intent.id("po")
    stamp = clock.timestamp(at)
    return StoredPayout(
        id=payout_id,
        merchant_id=merchant_id,
        status=Status.PROCESSING,
        amount=new.amount,
        currency=new.currency,
        wallet=new.source.wallet if new.source else None,
        bank_account=new.bank_account,
        attempt_id=attempt_of(payout_id),
        resolve_at=clock.timestamp(at + timedelta(seconds=settings().resolve_seconds)),
        created_at=stamp,
        updated_at=stamp,
        fingerprint=intent.fingerprint,
    )


def begun(payout: StoredPayout) -> Step:
    """A new payout, whose money is held: the merchant's own, or what the platform itself holds."""
    holders = (payout.merchant_id, PLATFORM)
    hold = balances.hold_to_empty(payout.source, payout.amount, payout.currency, holders)
    return Step(payout, (hold,))


def unfunded(payout: StoredPayout) -> StoredPayout:
    """The same new payout, had the money not been there."""
    return payout.model_copy(update={"status": Status.FAILED, "failure_code": FailureCode.INSUFFICIENT_FUNDS})


def abandoned(payout: StoredPayout, at: datetime) -> StoredPayout:
    """The payout that nobody at the bank knows of and that shall not be: from now on it is only cancelled.

    The version that this leaves is what an acceptance that is still on its way fails at.
    """
    return payout.model_copy(update={"abandoned": True, "updated_at": clock.timestamp(at)})


def concluded(payout: StoredPayout, answer: Accepted | Refused, at: datetime) -> Step:
    """The payout after the bank's answer. Raises Impossible unless it waited for one."""
    if isinstance(answer, Refused):
        failed = _moved(payout, Status.FAILED, at, failure_code=answer.code)
        return Step(failed, (balances.release(payout.source, payout.amount),))
    taken = _moved(payout, Status.IN_TRANSIT, at)
    return _posted(
        taken,
        Reason.PAYOUT,
        payout.source,
        accounts.bank_in_transit(payout.currency),
        from_hold=payout.amount,
    )


def followed(payout: StoredPayout, fate: Status, at: datetime) -> Step | None:
    """The payout after what a line of the bank's feed tells of it; None where it has been there already.

    The feed is read again after a crash, and its lines may come late: what was returned has been paid or
    not, and is not paid again. Raises Impossible for what the bank can't mean.
    """
    if payout.status in {fate, Status.RETURNED}:
        return None
    moved = _moved(payout, fate, at)
    if fate is Status.PAID:
        between = accounts.bank_in_transit(payout.currency), accounts.bank(payout.currency)
        return _posted(moved, Reason.PAYOUT_PAID, *between)
    was_paid = payout.status is Status.PAID
    back = accounts.bank(payout.currency) if was_paid else accounts.bank_in_transit(payout.currency)
    return _posted(moved, Reason.PAYOUT_RETURN, back, payout.source)


def is_overdue(payout: StoredPayout, at: datetime) -> bool:
    """Whether the bank has been silent for too long about what it has taken."""
    since = datetime.fromisoformat(payout.updated_at)
    return payout.status is Status.IN_TRANSIT and at - since > timedelta(days=OVERDUE_DAYS)


def _moved(
    payout: StoredPayout, status: Status, at: datetime, failure_code: FailureCode | None = None
) -> StoredPayout:
    if status not in TRANSITIONS[payout.status]:
        raise Impossible(f"{payout.id} is {payout.status}, and will not be {status}")
    return payout.model_copy(
        update={"status": status, "failure_code": failure_code, "updated_at": clock.timestamp(at)}
    )


def _posted(
    payout: StoredPayout, reason: Reason, source: Account, target: Account, from_hold: int | None = None
) -> Step:
    movement = Posting(
        reason=reason,
        source=source,
        target=target,
        amount=payout.amount,
        currency=payout.currency,
        operation=payout.attempt_id,
        at=payout.updated_at,
        reference=payout.id,
        from_hold=from_hold,
    )
    entries = (*payout.entries, *(entry.id for entry in posting.entries(movement)))
    return Step(payout.model_copy(update={"entries": entries}), posting.post(movement))
