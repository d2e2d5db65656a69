"""The routes of payments: an order is paid once, whatever is retried."""

from typing import Annotated

from pydantic import Field

from chassis.auth import Access, Principal
from chassis.errors import Conflict, IdempotencyMismatch, InProgress, InsufficientFunds
from chassis.operations import Intent, KeyRule, Reply
from chassis.paging import Page
from chassis.service import Service
from functions.payments import actions
from functions.payments.model import NewPayment, Payment, PaymentQuery
from ledger.accounts import AccountClosed, AccountFrozen, CurrencyMismatch

service = Service("payments", "Online payment of an order.")
app = service.app

OrderId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$", description="The merchant's own.", examples=["536365"]
    ),
]


@service.operation(
    "POST /v1/payments/{order_id}",
    access=Access.MERCHANT,
    status=201,
    key=KeyRule.OPTIONAL,
    refusals=(
        InsufficientFunds,
        Conflict,
        InProgress,
        AccountFrozen,
        AccountClosed,
        CurrencyMismatch,
        IdempotencyMismatch,
    ),
)
def pay(principal: Principal, intent: Intent, order_id: OrderId, body: NewPayment) -> Reply[Payment]:
    """Pay an order.

    The order id names the payment, so one order cannot be paid twice. Without an Idempotency-Key the body
    stands for it. A refusal is stored: to try again after one, send a new key.
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
