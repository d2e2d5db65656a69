"""The routes of payments: an order is paid once, whatever is retried."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from acquiring.acquirer import CardDeclined
from chassis import ids
from chassis.auth import Access, Principal
from chassis.errors import Conflict, IdempotencyMismatch, InProgress, InsufficientFunds
from chassis.events import Message
from chassis.operations import Intent, KeyRule, Reply
from chassis.paging import Page, PageQuery
from chassis.service import Service
from chassis.sources import Change
from functions.payments import actions, publication, refunds, resolution, table
from functions.payments.model import AuthorizationExpired, RefundExceedsCapture
from functions.payments.shapes import (
    Capture,
    NewPayment,
    NewRefund,
    Payment,
    PaymentQuery,
    Refund,
    Resolution,
)
from ledger.accounts import AccountClosed, AccountFrozen, CurrencyMismatch

service = Service("payments", "Online payment of an order: authorize, capture, cancel, refund.")
app = service.app

OrderId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$", description="The merchant's own.", examples=["536365"]
    ),
]
RefundId = Annotated[str, Field(pattern=ids.pattern("ref"))]

service.event("payment.processing", Payment, "The acquirer was asked, and its answer is not known yet.")
service.event("payment.authorized", Payment, "The money is held, and can be captured until `expires_at`.")
service.event("payment.captured", Payment, "The order is paid.")
service.event("payment.failed", Payment, "An attempt has failed: nothing was taken, and another may follow.")
service.event("payment.canceled", Payment, "The authorization was given up, on request or as it expired.")
service.event("payment.partially_refunded", Payment, "A refund has succeeded, and more can be refunded.")
service.event("payment.refunded", Payment, "Everything that was captured has been given back.")
service.event("refund.pending", Refund, "The acquirer was asked, and its answer is not known yet.")
service.event("refund.succeeded", Refund, "The money is on its way back to who paid it.")
service.event("refund.failed", Refund, "Nothing was given back: the amount can be refunded again.")


@service.operation(
    "POST /v1/payments/{order_id}",
    access=Access.MERCHANT,
    status=201,
    key=KeyRule.OPTIONAL,
    refusals=(
        InsufficientFunds,
        CardDeclined,
        Conflict,
        InProgress,
        AccountFrozen,
        AccountClosed,
        CurrencyMismatch,
        IdempotencyMismatch,
    ),
    may_wait=True,
)
def pay(principal: Principal, intent: Intent, order_id: OrderId, body: NewPayment) -> Reply[Payment]:
    """Pay an order.

    The order id names the payment, so one order cannot be paid twice. Without an Idempotency-Key the body
    stands for it. A refusal is stored: to try again after one, send a new key. 202 means that the acquirer
    has not answered yet; the payment ends in another status by itself.
    """
    return actions.pay(principal, intent, order_id, body)


@service.operation("GET /v1/payments", access=Access.MERCHANT)
def list_payments(principal: Principal, query: PaymentQuery) -> Page[Payment]:
    """List the merchant's payments."""
    return actions.list_payments(principal, query)


@service.operation("GET /v1/payments/{order_id}", access=Access.MERCHANT)
def get_payment(principal: Principal, order_id: OrderId) -> Payment:
    """Show the payment of an order."""
    return actions.get_payment(principal, order_id)


@service.operation(
    "POST /v1/payments/{order_id}/capture",
    access=Access.MERCHANT,
    refusals=(CardDeclined, Conflict, InProgress, AuthorizationExpired),
    may_wait=True,
)
def capture_payment(principal: Principal, order_id: OrderId, body: Capture) -> Reply[Payment]:
    """Capture an authorized payment, all or part.

    What is not captured can be spent by the customer again. Repeating it changes nothing.
    """
    return actions.capture(principal, order_id, body)


@service.operation(
    "POST /v1/payments/{order_id}/cancel",
    access=Access.MERCHANT,
    refusals=(CardDeclined, Conflict, InProgress),
    may_wait=True,
)
def cancel_payment(principal: Principal, order_id: OrderId) -> Reply[Payment]:
    """Cancel an authorized payment.

    What it held can be spent by the customer again. Repeating it changes nothing.
    """
    return actions.cancel(principal, order_id)


@service.operation(
    "POST /v1/payments/{order_id}/refunds",
    access=Access.MERCHANT,
    status=201,
    key=KeyRule.REQUIRED,
    refusals=(Conflict, InProgress, RefundExceedsCapture),
    may_wait=True,
)
def refund_payment(principal: Principal, intent: Intent, order_id: OrderId, body: NewRefund) -> Reply[Refund]:
    """Refund a captured payment, all or part.

    The money goes back to where it came from, also when the wallet is frozen or closed by then. The fee is
    not given back.
    """
    return refunds.refund(principal, intent, order_id, body)


@service.operation("GET /v1/payments/{order_id}/refunds", access=Access.MERCHANT)
def list_refunds(principal: Principal, order_id: OrderId, query: PageQuery) -> Page[Refund]:
    """List the refunds of a payment."""
    return refunds.list_refunds(principal, order_id, query)


@service.operation("GET /v1/payments/{order_id}/refunds/{refund_id}", access=Access.MERCHANT)
def get_refund(principal: Principal, order_id: OrderId, refund_id: RefundId) -> Refund:
    """Show a refund."""
    return refunds.get_refund(principal, order_id, refund_id)


@service.schedule("expire", every_minutes=1)
def expire() -> int:
    """Release the holds of authorizations that nobody may capture any more."""
    return actions.expire()


# One at a time: a batch of questions that nobody answers would outlast the function.
@service.queue("resolve", queue=resolution.QUEUE, batch_size=1)
def resolve(message: Resolution) -> None:
    """Find out how a question to the acquirer ended whose answer was lost."""
    resolution.resolve(message)


@service.stream("publish", table=table.TABLE)
def publish(changes: Sequence[Change]) -> list[Message]:
    """Tell of what became of payments and refunds, and have what waits for the acquirer looked after."""
    return publication.messages(changes)


@service.schedule("republish", every_minutes=24 * 60)
def republish() -> int:
    """Tell once more what was told of late, and remind of all that waits, should any of it have been lost."""
    return publication.repeat()
