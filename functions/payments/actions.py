"""What can be done with payments; each verb that moves money ends in one commit."""

from collections.abc import Callable, Sequence
from datetime import datetime

from acquiring.acquirer import CardDeclined, DeclineCode
from chassis import clock, store
from chassis.auth import Principal
from chassis.errors import InProgress, InsufficientFunds, PaymentRequired
from chassis.operations import Intent, Reply
from chassis.paging import Page
from chassis.writes import Exists, Write
from functions.payments import gateway, model, pending, postings, resolution, table
from functions.payments.records import StoredAttempt, StoredPayment
from functions.payments.shapes import (
    CancellationReason,
    Capture,
    CardSource,
    NewPayment,
    Payment,
    PaymentQuery,
    Status,
    WalletSource,
)
from ledger import accounts, balances
from ledger.posting import post

RACES = 20
"""How often other requests for the same order may be faster before this one gives up."""
ACCEPTED = 202
"""The status while the acquirer's answer is not known."""
Step = tuple[StoredPayment, Sequence[Write]]
"""A payment as it will be, and what else its commit writes."""


def pay(principal: Principal, intent: Intent, order_id: str, order: NewPayment) -> Reply[Payment]:
    """Make one more attempt at paying the order, unless an earlier one is the same or has paid it.

    The first request of an order makes a single call and no read: a record that stands in its way comes
    back with the refused condition, and decides.
    """
    merchant = principal.acting_merchant
    at = clock.now()
    # Without a fee plan there can be no new attempt, but there may be an earlier one to answer with.
    stored = None if order.currency in merchant.fees else table.payment(merchant.id, order_id)
    for _ in range(RACES):
        earlier = model.earlier_attempt(stored, intent) if stored else None
        if stored and earlier:
            return _replay(stored, earlier, intent)
        attempted = model.attempt(stored, merchant, order_id, order, intent=intent, at=at)
        try:
            if isinstance(order.source, CardSource):
                return _pay_by_card(attempted, order.source)
            return _pay_by_wallet(attempted, order.source, principal.only_holder)
        except Exists as existing:
            stored = table.parsed(existing.item)
        except gateway.NoCard:
            # What was answered before the card went away is answered again.
            known = table.payment(merchant.id, order_id) if stored is None else None
            if known is None:
                raise
            stored = known
    raise _too_busy(order_id)


def _pay_by_wallet(attempted: StoredPayment, source: WalletSource, only_holder: str | None) -> Reply[Payment]:
    """Commit the payment, or store that the money was not there. Raises Exists when another was faster."""
    at = clock.now()
    paid = model.succeeded(attempted, at)
    if paid.status is Status.AUTHORIZED:
        wallet = accounts.wallet(source.wallet)
        taking: tuple[Write, ...] = (balances.hold(wallet, paid.amount, paid.currency, only_holder),)
    else:
        taking = post(postings.capture_posting(paid, only_holder))
    try:
        store.commit(table.save(paid), *taking)
    except InsufficientFunds as refusal:
        failed = model.failed(attempted, refusal.code, at)
        store.commit(table.save(failed))
        raise _refusal(failed, failed.latest, replayed=False) from None
    return Reply(paid.shown())


def _pay_by_card(attempted: StoredPayment, source: CardSource) -> Reply[Payment]:
    """Store the attempt, ask the acquirer, commit its answer. Raises Exists when another was faster."""
    card = gateway.card_of(attempted.merchant_id, source.card)
    asked = pending.to_authorize(attempted, clock.now())
    store.commit(table.save(asked))
    asked = table.kept(asked)
    ended = resolution.concluded(asked, gateway.authorize(asked, card))
    return _answer(ended, _same_attempt(ended, asked.latest), replayed=False)


def _same_attempt(payment: StoredPayment, tried: StoredAttempt) -> StoredAttempt:
    """The attempt as the payment has it now: whoever resolved it may have let another one follow."""
    return next(known for known in payment.attempts if known.attempt_id == tried.attempt_id)


def _replay(stored: StoredPayment, earlier: StoredAttempt, intent: Intent) -> Reply[Payment]:
    reply = _answer(stored, earlier, replayed=True)
    # Another key that asks the same finds the order paid: it creates nothing.
    return reply if earlier.key == intent.attempt_key else Reply(reply.resource, replayed=True, status=200)


def _answer(payment: StoredPayment, attempt: StoredAttempt, *, replayed: bool) -> Reply[Payment]:
    """What an attempt is answered with, now and whenever it is repeated."""
    if attempt.outcome is Status.FAILED:
        raise _refusal(payment, attempt, replayed=replayed)
    status = ACCEPTED if attempt.outcome is Status.PROCESSING else None
    return Reply(payment.shown(), replayed=replayed, status=status)


def _refusal(payment: StoredPayment, attempt: StoredAttempt, *, replayed: bool) -> PaymentRequired:
    instance = f"/v1/payments/{payment.order_id}"
    if isinstance(attempt.source, CardSource):
        return CardDeclined(DeclineCode(attempt.failure_code or ""), instance=instance, replayed=replayed)
    detail = f"{attempt.source.wallet} did not hold enough"
    return InsufficientFunds(detail, instance=instance, replayed=replayed)


def capture(principal: Principal, order_id: str, asked: Capture) -> Reply[Payment]:
    """Take what an authorization holds, all or part; the rest goes back. Idempotent by state."""
    at = clock.now()

    def step(stored: StoredPayment) -> Step | None:
        if model.is_captured_already(stored, asked.amount):
            return None
        amount = model.capturable(stored, asked.amount, at)
        if not postings.is_by_wallet(stored):
            return pending.to_capture(stored, amount, at), ()
        captured = model.captured(stored, amount, at)
        return captured, post(postings.capture_posting(captured))

    return _move(principal.acting_merchant.id, order_id, step)


def cancel(principal: Principal, order_id: str) -> Reply[Payment]:
    """Give up an authorization, so that the money can be spent again. Idempotent by state."""
    at = clock.now()

    def step(stored: StoredPayment) -> Step | None:
        return None if stored.status is Status.CANCELED else _canceling(stored, "requested", at)

    return _move(principal.acting_merchant.id, order_id, step)


def expire() -> int:
    """Cancel the authorizations that nobody may capture any more; returns how many.

    One that cannot be canceled does not keep the others from it: what it failed with is raised in the end.
    """
    at = clock.now()

    def step(stored: StoredPayment) -> Step | None:
        is_due = model.is_expired(stored, at) and stored.pending is None
        return _canceling(stored, "expired", at) if is_due else None

    canceled = 0
    failures: list[Exception] = []
    for found in table.due(at):
        try:
            canceled += not _move(found.merchant_id, found.order_id, step, found).replayed
        except Exception as failure:  # noqa: BLE001 - whatever is wrong with one, the others are due too
            failures.append(failure)
    if failures:
        raise failures[0]
    return canceled


def _canceling(stored: StoredPayment, reason: CancellationReason, at: datetime) -> Step:
    canceled = model.canceled(stored, reason, at)
    source = stored.latest.source
    if isinstance(source, CardSource):
        return pending.to_void(stored, reason, at), ()
    return canceled, (balances.release(accounts.wallet(source.wallet), stored.amount),)


def _move(
    merchant_id: str,
    order_id: str,
    step: Callable[[StoredPayment], Step | None],
    stored: StoredPayment | None = None,
) -> Reply[Payment]:
    """Commit the step from the payment as it is, or as others have left it; None: it was taken already.

    Where the step is to ask the acquirer, it is asked then, and its answer committed too.
    """
    stored = stored or table.existing(merchant_id, order_id)
    for _ in range(RACES):
        taken = step(stored)
        if taken is None:
            return Reply(stored.shown(), replayed=True)
        moved, writes = taken
        try:
            store.commit(table.save(moved), *writes)
        except Exists as existing:
            stored = table.parsed(existing.item)
        else:
            return _ended(moved, resolution.asked(table.kept(moved)))
    raise _too_busy(order_id)


def _ended(moved: StoredPayment, ended: StoredPayment) -> Reply[Payment]:
    """What a step is answered with: done, or not known yet. Raises CardDeclined when the acquirer refused."""
    if moved.pending and not ended.pending and ended.status is moved.status and ended.failure_code:
        raise CardDeclined(DeclineCode(ended.failure_code), instance=f"/v1/payments/{ended.order_id}")
    return Reply(ended.shown(), status=ACCEPTED if ended.pending else None)


def list_payments(principal: Principal, query: PaymentQuery) -> Page[Payment]:
    """The merchant's payments, newest first."""
    return table.payments_of(principal.acting_merchant.id, query)


def get_payment(principal: Principal, order_id: str) -> Payment:
    """The payment of one of the merchant's orders."""
    return table.existing(principal.acting_merchant.id, order_id).shown()


def _too_busy(order_id: str) -> InProgress:
    return InProgress(f"order {order_id} is being changed by other requests")
