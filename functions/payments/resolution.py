"""How what the acquirer was asked comes to an end: by its answer, or by finding out when that was lost."""

import math
from datetime import datetime

from acquiring.acquirer import Outcome
from chassis import clock, events, store
from chassis.events import Message
from chassis.outside import NotFound, Unknown
from chassis.sources import Change
from chassis.writes import Exists, Write
from functions.payments import gateway, pending, postings, table
from functions.payments.pending import Answer
from functions.payments.records import Pending, StoredPayment
from functions.payments.shapes import Resolution, Status
from ledger.posting import post

QUEUE = "payment-resolutions"


class StillUnknown(Exception):
    """The acquirer cannot tell yet: the message comes again, and ends in the dead-letter queue."""


def asked(payment: StoredPayment) -> StoredPayment:
    """The payment after the acquirer was asked what it waits for; any other is as it was."""
    if payment.pending is None:
        return payment
    return concluded(payment, gateway.perform(payment, payment.pending))


def concluded(waiting: StoredPayment, outcome: Outcome) -> StoredPayment:
    """The payment after the acquirer's answer, committed; as it is while there is none."""
    if waiting.pending is None or isinstance(outcome, Unknown):
        return waiting
    after, writes = _conclusion(waiting, waiting.pending, outcome)
    try:
        store.commit(table.save(after), *writes)
    except Exists as existing:
        # Whoever was faster asked the same acquirer about the same attempt.
        return table.parsed(existing.item)
    return after


def _conclusion(
    asked: StoredPayment, waiting: Pending, answer: Answer
) -> tuple[StoredPayment, tuple[Write, ...]]:
    at = clock.now()
    if waiting.kind == "refund":
        return _refund_conclusion(asked, str(waiting.refund_id), answer, at)
    after = pending.concluded(asked, waiting, answer, at)
    took_money = after.status is Status.CAPTURED and asked.status is not Status.CAPTURED
    return after, post(postings.capture_posting(after)) if took_money else ()


def _refund_conclusion(
    asked: StoredPayment, refund_id: str, answer: Answer, at: datetime
) -> tuple[StoredPayment, tuple[Write, ...]]:
    refund = table.refund(asked.merchant_id, asked.order_id, refund_id)
    if refund is None:
        raise LookupError(f"{refund_id} was stored together with its payment, and is not there")
    after, ended = pending.refund_concluded(asked, refund, answer, at)
    movement = post(postings.refund_posting(asked, ended)) if ended.status == "succeeded" else ()
    return after, (table.end_refund(asked.merchant_id, ended), *movement)


def resolve(question: Resolution) -> None:
    """Find out what became of what a payment waits for. Raises StillUnknown while nobody can tell."""
    payment = table.payment(question.merchant_id, question.order_id)
    if payment is None or payment.pending is None:
        return
    if _seconds_until_due(payment.pending) > 0:
        # Whoever asked may still be at work on it.
        events.send([reminder(payment, payment.pending)])
        return
    waiting = payment.pending
    if waiting.abandoned:
        _end(payment, gateway.give_up(waiting))
        return
    found = gateway.find_out(payment, waiting)
    if isinstance(found, NotFound):
        payment = _abandon(payment, waiting)
        found = gateway.give_up(waiting)
    _end(payment, found)


def _end(payment: StoredPayment, outcome: Outcome) -> None:
    if isinstance(outcome, Unknown):
        raise StillUnknown(payment.order_id)
    concluded(payment, outcome)


def _abandon(payment: StoredPayment, waiting: Pending) -> StoredPayment:
    """Claim the right to void, before it is done: whoever holds an approval commits it first, or never.

    Without the claim, a charge that is booked between our question and our void could be committed as
    captured by another, and then be voided by us.
    """
    abandoned = pending.abandoned(payment, waiting, clock.now())
    try:
        store.commit(table.save(abandoned))
    except Exists:
        raise StillUnknown(f"{payment.order_id} is being resolved by another") from None
    return table.kept(abandoned)


def reminder(payment: StoredPayment, waiting: Pending) -> Message:
    """The message that has somebody find out, once whoever asked must be done or dead."""
    question = Resolution(merchant_id=payment.merchant_id, order_id=payment.order_id)
    delay = min(max(0, _seconds_until_due(waiting)), events.MAX_DELAY_SECONDS)
    return Message(QUEUE, question, delay_seconds=delay)


def _seconds_until_due(waiting: Pending) -> int:
    return math.ceil((datetime.fromisoformat(waiting.resolve_at) - clock.now()).total_seconds())


def reminders_of(change: Change) -> list[Message]:
    """A reminder of a payment that has just begun to wait."""
    if change.new is None or not table.is_payment(change.new) or "pending" not in change.new:
        return []
    payment = table.parsed(change.new)
    waited_before = change.old is not None and change.old.get("pending") == change.new["pending"]
    return [] if payment.pending is None or waited_before else [reminder(payment, payment.pending)]
