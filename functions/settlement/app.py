"""The routes and event handlers of settlement: what was captured becomes money that can be paid out."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from chassis import ids
from chassis.auth import Access, Principal
from chassis.events import Message
from chassis.paging import Page, PageQuery
from chassis.service import Service
from chassis.sources import Change
from functions.settlement import actions, publication, table
from functions.settlement.shapes import (
    Position,
    Settlement,
    SettlementEvent,
    SettlementLine,
    SettlementQuery,
)

service = Service("settlement", "From captured payments to a merchant's available balance.")
app = service.app

SettlementId = Annotated[str, Field(pattern=ids.pattern("stl"))]

service.event("settlement.open", Settlement, "The first payment or refund of a settlement day was counted.")
service.event("settlement.closed", Settlement, "Nothing more is counted: its net is known.")
service.event("settlement.released", Settlement, "What it paid can be paid out.")


@service.operation("GET /v1/balance", access=Access.MERCHANT)
def get_balance(principal: Principal) -> Position:
    """Show the merchant's balance, by currency.

    A payment, or a refund, is counted some seconds after it is captured, or made.
    """
    return actions.get_position(principal)


@service.operation("GET /v1/settlements", access=Access.MERCHANT)
def list_settlements(principal: Principal, query: SettlementQuery) -> Page[Settlement]:
    """List the merchant's settlements: one for each currency and settlement day with payments or refunds."""
    return actions.list_settlements(principal, query)


@service.operation(
    "GET /v1/settlements/{settlement_id}",
    access=Access.MERCHANT,
    refusals=(actions.TooLarge,),
    csv=actions.settlement_csv,
)
def get_settlement(principal: Principal, settlement_id: SettlementId) -> Settlement:
    """Show a settlement.

    With `Accept: text/csv` it is one row for each of its payments and refunds, and one for what was carried
    over from the settlement before: the column `net` adds up to the settlement's net.
    """
    return actions.get_settlement(principal, settlement_id)


@service.operation("GET /v1/settlements/{settlement_id}/payments", access=Access.MERCHANT)
def list_settlement_payments(
    principal: Principal, settlement_id: SettlementId, query: PageQuery
) -> Page[SettlementLine]:
    """List the payments and refunds of a settlement, those counted last first."""
    return actions.list_lines(principal, settlement_id, query)


# A settlement is written by each batch that counts for it, so many batches at once would only meet at it. And
# each line of a batch may be another merchant's: it is no larger than what is counted in time one by one.
@service.queue("collect", queue="settlement-lines", batch_size=490, window_seconds=2, concurrency=10)
def collect(events: Sequence[SettlementEvent]) -> dict[int, Exception]:
    """Count captured payments and refunds for the settlements of their merchants."""
    return actions.collect(events)


@service.schedule("settle", every_minutes=1)
def settle() -> int:
    """Close settlements after their cut-off, and release them after their delay."""
    return actions.settle()


# Nearly all changes are lines, of which there is nothing to tell.
@service.stream("publish", table=table.TABLE, batch_size=1000, window_seconds=1)
def publish(changes: Sequence[Change]) -> list[Message]:
    """Tell of settlements that were opened, closed and released."""
    return publication.messages(changes)


@service.schedule("republish", every_minutes=24 * 60)
def republish() -> int:
    """Tell once more what was told of late, should any of it have been lost."""
    return publication.repeat()
