"""What can be done with payments; each verb that moves money ends in one commit."""

from collections.abc import Callable, Sequence

from chassis import clock, paging, store
from chassis.auth import Principal
from chassis.errors import Conflict, InProgress, InsufficientFunds, NotFound
from chassis.operations import Intent, Reply
from chassis.paging import Page, PageQuery
from chassis.writes import Exists, Write
from functions.payments import model, table
from functions.payments.shapes import (
    Capture,
    NewPayment,
    NewRefund,
    Payment,
    PaymentQuery,
    Refund,
    Status,
    StoredAttempt,
    StoredPayment,
    StoredRefund,
)
from ledger import accounts, balances
from ledger.posting import post

RACES = 20
"""How often other requests for the same order may be faster before this one gives up."""


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
            return _execute(attempted, principal.only_holder)
        except Exists as existing:
            stored = StoredPayment.model_validate(existing.item)
    raise _too_busy(order_id)


def _execute(attempted: StoredPayment, only_holder: str | None) -> Reply[Payment]:
    """Commit the payment, or store that the money was not there. Raises Exists when another was faster."""
    try:
        store.commit(table.save(attempted), *_take(attempted, only_holder))
    except InsufficientFunds as refusal:
        failed = model.refused(attempted, refusal.code)
        store.commit(table.save(failed))
        raise _insufficient(failed, failed.latest, replayed=False) from None
    return Reply(attempted.shown())


def _take(attempted: StoredPayment, only_holder: str | None) -> tuple[Write, ...]:
    if attempted.status is Status.AUTHORIZED:
        wallet = accounts.wallet(attempted.latest.source.wallet)
        return (balances.hold(wallet, attempted.amount, attempted.currency, only_holder),)
    return post(model.capture_posting(attempted, only_holder))


def _replay(stored: StoredPayment, earlier: StoredAttempt, intent: Intent) -> Reply[Payment]:
    if earlier.outcome is Status.FAILED:
        raise _insufficient(stored, earlier, replayed=True)
    # Another key that asks the same finds the order paid: it creates nothing.
    return Reply(stored.shown(), replayed=True, status=None if earlier.key == intent.attempt_key else 200)


def _insufficient(payment: StoredPayment, attempt: StoredAttempt, *, replayed: bool) -> InsufficientFunds:
    return InsufficientFunds(
        f"{attempt.source.wallet} did not hold enough",
        instance=f"/v1/payments/{payment.order_id}",
        replayed=replayed,
    )


def capture(principal: Principal, order_id: str, asked: Capture) -> Reply[Payment]:
    """Take what an authorization holds, all or part; the rest goes back. Idempotent by state."""
    at = clock.now()

    def step(stored: StoredPayment) -> Step | None:
        if model.is_captured_already(stored, asked.amount):
            return None
        captured = model.captured(stored, asked.amount, at)
        return captured, post(model.capture_posting(captured))

    return _move(principal.acting_merchant.id, order_id, step)


def cancel(principal: Principal, order_id: str) -> Reply[Payment]:
    """Give up an authorization, so that the money can be spent again. Idempotent by state."""
    at = clock.now()

    def step(stored: StoredPayment) -> Step | None:
        if stored.status is Status.CANCELED:
            return None
        return model.canceled(stored, "requested", at), _release(stored)

    return _move(principal.acting_merchant.id, order_id, step)


def expire() -> int:
    """Cancel the authorizations that nobody may capture any more; returns how many.

    One that cannot be canceled does not keep the others from it: what it failed with is raised in the end.
    """
    at = clock.now()

    def step(stored: StoredPayment) -> Step | None:
        if not model.is_expired(stored, at):
            return None
        return model.canceled(stored, "expired", at), _release(stored)

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


def _release(stored: StoredPayment) -> tuple[Write, ...]:
    return (balances.release(accounts.wallet(stored.latest.source.wallet), stored.amount),)


Step = tuple[StoredPayment, Sequence[Write]]
"""A payment as it will be, and what else its commit writes."""


def _move(
    merchant_id: str,
    order_id: str,
    step: Callable[[StoredPayment], Step | None],
    stored: StoredPayment | None = None,
) -> Reply[Payment]:
    """Commit the step from the payment as it is, or as others have left it; None: it was taken already."""
    stored = stored or _payment(merchant_id, order_id)
    for _ in range(RACES):
        taken = step(stored)
        if taken is None:
            return Reply(stored.shown(), replayed=True)
        moved, writes = taken
        try:
            store.commit(table.save(moved), *writes)
        except Exists as existing:
            stored = StoredPayment.model_validate(existing.item)
        else:
            return Reply(moved.shown())
    raise _too_busy(order_id)


def refund(principal: Principal, intent: Intent, order_id: str, asked: NewRefund) -> Reply[Refund]:
    """Give captured money back to the wallet, whatever became of the wallet since."""
    merchant_id = principal.acting_merchant.id
    at = clock.now()
    refund_id = intent.id("ref")
    stored = _payment(merchant_id, order_id)
    for _ in range(RACES):
        try:
            refunded, made = model.refunded(stored, refund_id, asked, intent.fingerprint, at)
        except Conflict:
            # What is left may be less because this very request was here before.
            earlier = table.refund(merchant_id, order_id, refund_id)
            if earlier is None:
                raise
            return _replay_refund(earlier, intent)
        try:
            store.commit(
                table.create_refund(merchant_id, made),
                table.save(refunded),
                *post(model.refund_posting(stored, made)),
            )
        except table.Repeated as existing:
            return _replay_refund(StoredRefund.model_validate(existing.item), intent)
        except Exists as existing:
            stored = StoredPayment.model_validate(existing.item)
        else:
            return Reply(made.shown())
    raise _too_busy(order_id)


def _replay_refund(stored: StoredRefund, intent: Intent) -> Reply[Refund]:
    intent.check(stored.fingerprint)
    return Reply(stored.shown(), replayed=True)


def list_payments(principal: Principal, query: PaymentQuery) -> Page[Payment]:
    """The merchant's payments, newest first."""
    return table.payments_of(principal.acting_merchant.id, query)


def get_payment(principal: Principal, order_id: str) -> Payment:
    """The payment of one of the merchant's orders."""
    return _payment(principal.acting_merchant.id, order_id).shown()


def list_refunds(principal: Principal, order_id: str, query: PageQuery) -> Page[Refund]:
    """The refunds of a payment, newest first."""
    merchant_id = principal.acting_merchant.id
    _payment(merchant_id, order_id)
    refunds = (refund.shown() for refund in table.refunds(merchant_id, order_id, limit=model.MAX_REFUNDS))
    listing = f"{merchant_id}/{order_id}/refunds"
    return paging.of_few(listing, refunds, query, key=lambda refund: f"{refund.created_at}#{refund.id}")


def get_refund(principal: Principal, order_id: str, refund_id: str) -> Refund:
    """One refund of a payment."""
    stored = table.refund(principal.acting_merchant.id, order_id, refund_id)
    if stored is None:
        raise NotFound(f"order {order_id} has no refund {refund_id}")
    return stored.shown()


def _payment(merchant_id: str, order_id: str) -> StoredPayment:
    stored = table.payment(merchant_id, order_id)
    if stored is None:
        raise NotFound(f"order {order_id} has no payment")
    return stored


def _too_busy(order_id: str) -> InProgress:
    return InProgress(f"order {order_id} is being changed by other requests")
