"""What can be done with payments; each verb that moves money ends in one commit."""

from chassis import clock, store
from chassis.auth import Principal
from chassis.errors import InProgress, InsufficientFunds, NotFound
from chassis.operations import Intent, Reply
from chassis.paging import Page
from chassis.writes import Exists
from functions.payments import model, table
from functions.payments.model import NewPayment, Payment, PaymentQuery, Status, StoredAttempt, StoredPayment
from ledger.posting import post

RACES = 5
"""How often other requests for the same order may be faster before this one gives up."""


def pay(principal: Principal, intent: Intent, order_id: str, order: NewPayment) -> Reply[Payment]:
    """Make one more attempt at paying the order, unless an earlier one is the same or has paid it.

    The first request of an order makes a single call and no read: a record that stands in its way comes
    back with the refused condition, and decides.
    """
    merchant = principal.acting_merchant
    at = clock.timestamp(clock.now())
    stored: StoredPayment | None = None
    for _ in range(RACES):
        attempted = model.attempt(stored, merchant, order_id, order, intent=intent, at=at)
        try:
            return _execute(attempted, principal.only_holder)
        except Exists as existing:
            stored = StoredPayment.model_validate(existing.item)
        earlier = model.earlier_attempt(stored, intent)
        if earlier is not None:
            return _replay(stored, earlier, intent)
    raise InProgress(f"order {order_id} is being paid by other requests")


def _execute(attempted: StoredPayment, only_holder: str | None) -> Reply[Payment]:
    """Commit the payment, or store that the money was not there. Raises Exists when another was faster."""
    try:
        store.commit(table.save(attempted), *post(model.payment_posting(attempted, only_holder)))
    except InsufficientFunds as refusal:
        failed = model.refused(attempted, refusal.code)
        store.commit(table.save(failed))
        raise _insufficient(failed, failed.attempts[-1], replayed=False) from None
    return Reply(attempted.shown())


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


def list_payments(principal: Principal, query: PaymentQuery) -> Page[Payment]:
    """The merchant's payments, newest first."""
    return table.payments_of(principal.acting_merchant.id, query)


def get_payment(principal: Principal, order_id: str) -> Payment:
    """The payment of one of the merchant's orders."""
    stored = table.payment(principal.acting_merchant.id, order_id)
    if stored is None:
        raise NotFound(f"order {order_id} has no payment")
    return stored.shown()
