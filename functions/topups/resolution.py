"""How a charge comes to an end: by the acquirer's answer, or by finding out when that was lost."""

import math
from datetime import datetime

from acquiring.acquirer import Outcome
from chassis import clock, events, store
from chassis.events import Message
from chassis.outside import NotFound, Unknown
from chassis.writes import Exists
from functions.topups import gateway, model, table
from functions.topups.model import Resolution, Status, StoredTopup
from ledger.posting import post

QUEUE = "topup-resolutions"


class StillUnknown(Exception):
    """The acquirer cannot tell yet: the message comes again, and ends in the dead-letter queue."""


def concluded(asked: StoredTopup, outcome: Outcome) -> StoredTopup:
    """The top-up after the acquirer's answer, committed with its credit; as it is while there is none."""
    if isinstance(outcome, Unknown):
        return asked
    after = model.concluded(asked, outcome, clock.now())
    credit = post(model.credit_posting(after)) if after.status is Status.SUCCEEDED else ()
    try:
        store.commit(table.save(after), *credit)
    except Exists as existing:
        # Whoever was faster asked the same acquirer about the same attempt.
        return table.parsed(existing.item)
    return after


def resolve(question: Resolution) -> None:
    """Find out what became of the charge. Raises StillUnknown while nobody can tell."""
    topup = table.topup(question.topup_id)
    if topup is None or topup.status is not Status.PROCESSING:
        return
    if _seconds_until_due(topup) > 0:
        # Whoever asked may still be at work on it.
        events.send([reminder(topup)])
        return
    if topup.abandoned:
        _end(topup, gateway.give_up(topup))
        return
    found = gateway.find_out(topup)
    if isinstance(found, NotFound):
        topup = _abandon(topup)
        found = gateway.give_up(topup)
    _end(topup, found)


def _end(topup: StoredTopup, outcome: Outcome) -> None:
    if isinstance(outcome, Unknown):
        raise StillUnknown(topup.attempt_id)
    concluded(topup, outcome)


def _abandon(topup: StoredTopup) -> StoredTopup:
    """Claim the right to void, before it is done: whoever holds an approval commits it first, or never.

    Without the claim, a charge that is booked between our question and our void could be credited by
    another, and then be voided by us.
    """
    abandoned = model.abandoned(topup, clock.now())
    try:
        store.commit(table.save(abandoned))
    except Exists:
        raise StillUnknown(f"{topup.id} is being resolved by another") from None
    return table.kept(abandoned)


def reminder(topup: StoredTopup) -> Message:
    """The message that has somebody find out, once whoever asked must be done or dead."""
    delay = min(max(0, _seconds_until_due(topup)), events.MAX_DELAY_SECONDS)
    return Message(QUEUE, Resolution(topup_id=topup.id), delay_seconds=delay)


def _seconds_until_due(topup: StoredTopup) -> int:
    return math.ceil((datetime.fromisoformat(topup.resolve_at) - clock.now()).total_seconds())
