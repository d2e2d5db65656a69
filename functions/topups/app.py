"""The routes and event handlers of top-ups: money from a bank card into a wallet."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from acquiring.acquirer import CardDeclined
from chassis import ids
from chassis.auth import Access, Principal
from chassis.errors import NotFound
from chassis.events import Message
from chassis.operations import Intent, KeyRule, Reply
from chassis.paging import Page
from chassis.service import Service
from chassis.sources import Change
from functions.topups import actions, publication, resolution, table
from functions.topups.model import NewTopup, Resolution, Topup, TopupQuery
from ledger.accounts import AccountClosed, AccountFrozen, BalanceLimit, CurrencyMismatch

service = Service("topups", "Fund a wallet from a bank card.")
app = service.app

TopupId = Annotated[str, Field(pattern=ids.pattern("top"))]

service.event("topup.processing", Topup, "The acquirer was asked, and its answer is not known yet.")
service.event("topup.succeeded", Topup, "The card was charged, and the wallet has the money.")
service.event("topup.failed", Topup, "Nothing was charged.")


@service.operation(
    "POST /v1/topups",
    access=Access.MERCHANT,
    status=201,
    key=KeyRule.REQUIRED,
    refusals=(CardDeclined, NotFound, AccountClosed, AccountFrozen, BalanceLimit, CurrencyMismatch),
    may_wait=True,
)
def create_topup(principal: Principal, intent: Intent, body: NewTopup) -> Reply[Topup]:
    """Top up a wallet from a bank card.

    The wallet is credited once the acquirer has said yes, and once. 202 means that it has not answered yet;
    the top-up ends in another status by itself.
    """
    return actions.top_up(principal, intent, body)


@service.operation("GET /v1/topups", access=Access.MERCHANT)
def list_topups(principal: Principal, query: TopupQuery) -> Page[Topup]:
    """List the merchant's top-ups."""
    return actions.list_topups(principal, query)


@service.operation("GET /v1/topups/{topup_id}", access=Access.MERCHANT)
def get_topup(principal: Principal, topup_id: TopupId) -> Topup:
    """Show a top-up."""
    return actions.get_topup(principal, topup_id)


# One at a time: a batch of questions that nobody answers would outlast the function.
@service.queue("resolve", queue=resolution.QUEUE, batch_size=1)
def resolve(message: Resolution) -> None:
    """Find out how a charge ended whose answer was lost."""
    resolution.resolve(message)


@service.stream("publish", table=table.TABLE)
def publish(changes: Sequence[Change]) -> list[Message]:
    """Tell of what became of top-ups, and have those that wait for the acquirer looked after."""
    return publication.messages(changes)


@service.schedule("republish", every_minutes=24 * 60)
def republish() -> int:
    """Tell once more what was told of late, and remind of all that waits, should any of it have been lost."""
    return publication.repeat()
