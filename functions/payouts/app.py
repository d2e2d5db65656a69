"""The routes and event handlers of payouts: a merchant's balance, or a wallet, to a bank account."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from chassis import ids
from chassis.auth import Access, Principal
from chassis.errors import InsufficientFunds, NotFound
from chassis.events import Message
from chassis.operations import Intent, KeyRule, Reply
from chassis.paging import Page
from chassis.service import Service
from chassis.sources import Change as TableChange
from functions.payouts import actions, publication, resolution, table
from functions.payouts.records import Change, Question
from functions.payouts.shapes import NewPayout, Payout, PayoutQuery
from ledger.accounts import AccountFrozen, CurrencyMismatch

service = Service("payouts", "Pay out a merchant's balance, or a wallet, to a bank account.")
app = service.app

PayoutId = Annotated[str, Field(pattern=ids.pattern("po"))]

service.event("payout.processing", Payout, "The money is held, and the bank has not answered yet.")
service.event("payout.in_transit", Payout, "The bank has taken the order.")
service.event("payout.paid", Payout, "The bank has paid; should it return the money, another event tells.")
service.event("payout.returned", Payout, "The money came back, and is where it was taken from.")
service.event("payout.failed", Payout, "Nothing was paid, and nothing was taken.")


@service.operation(
    "POST /v1/payouts",
    access=Access.MERCHANT,
    status=201,
    key=KeyRule.REQUIRED,
    refusals=(InsufficientFunds, NotFound, AccountFrozen, CurrencyMismatch),
    may_wait=True,
)
def create_payout(principal: Principal, intent: Intent, body: NewPayout) -> Reply[Payout]:
    """Pay out to a registered bank account.

    The amount leaves the source at once, and is never paid twice. 201 shows what the bank said: `in_transit`,
    or `failed` with the amount back in its source; 202 means that it has not answered yet. A payout ends in
    another status by itself, and the bank may return even one that is `paid`: the amount is then back in its
    source. From a wallet of the merchant's or of its own, which may be closed, only the platform pays out.
    """
    return actions.pay_out(principal, intent, body)


@service.operation("GET /v1/payouts", access=Access.MERCHANT)
def list_payouts(principal: Principal, query: PayoutQuery) -> Page[Payout]:
    """List the merchant's payouts."""
    return actions.list_payouts(principal, query)


@service.operation("GET /v1/payouts/{payout_id}", access=Access.MERCHANT)
def get_payout(principal: Principal, payout_id: PayoutId) -> Payout:
    """Show a payout."""
    return actions.get_payout(principal, payout_id)


# One at a time: a batch of questions that nobody answers would outlast the function.
@service.queue("resolve", queue=resolution.QUEUE, batch_size=1)
def resolve(message: Question | Change) -> None:
    """Find out how an order ended whose answer was lost, or follow a line of the feed that failed."""
    if isinstance(message, Change):
        resolution.follow(message)
    else:
        resolution.resolve(message)


@service.stream("publish", table=table.TABLE)
def publish(changes: Sequence[TableChange]) -> list[Message]:
    """Tell of what became of payouts, and have those that wait for the bank looked after."""
    return publication.messages(changes)


@service.schedule("reconcile", every_minutes=1)
def reconcile() -> int:
    """Follow what the bank says of the orders that it has taken: paid, or returned."""
    return resolution.reconcile()


@service.schedule("republish", every_minutes=24 * 60)
def republish() -> int:
    """Tell once more what was told of late, and remind of all that wait or are overdue."""
    return publication.repeat()
