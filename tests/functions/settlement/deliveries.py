"""Makes what payments tell, and delivers it as a queue may: several times, in any order, to the dying."""

import json
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import TypeAdapter

from chassis import ids, store
from chassis.writes import Write
from functions.settlement import actions, app, table
from functions.settlement.model import settlement_id
from functions.settlement.records import StoredSettlement
from functions.settlement.shapes import SettlementEvent

# Far ahead, so that the schedule of the system that these tests share does not close their settlements.
TODAY = "2096-11-26T00:00:00.000000Z"
TOMORROW = "2096-11-27T00:00:00.000000Z"
AVAILABLE = {TODAY: "2096-11-28T00:00:00.000000Z", TOMORROW: "2096-11-29T00:00:00.000000Z"}
Event = dict[str, Any]
EVENTS: TypeAdapter[list[SettlementEvent]] = TypeAdapter(list[SettlementEvent])


def captured(
    merchant: str,
    order: str,
    amount: int = 1000,
    fee: int = 35,
    *,
    currency: str = "GBP",
    window: str = TODAY,
) -> Event:
    """The event of a captured payment, with more in it than settlement reads."""
    data = {
        "order_id": order,
        "currency": currency,
        "captured": amount,
        "fee": fee,
        "captured_at": "2096-11-25T12:00:00.000000Z",
        "settlement_window": window,
        "available_at": AVAILABLE[window],
        "status": "captured",
    }
    return _event("payment.captured", merchant, order, data)


def refunded(
    merchant: str, order: str, amount: int = 400, *, currency: str = "GBP", window: str = TODAY
) -> Event:
    """The event of a refund."""
    data = {
        "id": ids.derive("ref", merchant, order),
        "order_id": order,
        "currency": currency,
        "amount": amount,
        "succeeded_at": "2096-11-25T13:00:00.000000Z",
        "settlement_window": window,
        "available_at": AVAILABLE[window],
    }
    return _event("refund.succeeded", merchant, order, data)


def changed(event: Event, **data: Any) -> Event:
    """The event with other data."""
    return {**event, "data": {**event["data"], **data}}


def _event(kind: str, merchant: str, order: str, data: dict[str, Any]) -> Event:
    return {
        "id": ids.derive("evt", kind, merchant, order),
        "type": kind,
        "created_at": TODAY,
        "principal": merchant,
        "sequence": 1,
        "data": data,
    }


def deliver(*bodies: Any) -> list[int]:
    """Have a batch handled as Lambda would; returns the positions that are to come again."""
    records = [
        {"messageId": str(at), "body": body if isinstance(body, str) else json.dumps(body)}
        for at, body in enumerate(bodies)
    ]
    answer = app.collect({"Records": records}, None)
    return [int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]


def count(*events: Event) -> None:
    """Have events counted without the handler around it, whose meter is its own."""
    assert actions.collect(EVENTS.validate_python(events)) == {}


class Killed(BaseException):
    """The process ends here."""


def mortal(chooser: random.Random, odds: float) -> Callable[..., None]:
    """`store.commit`, in a process that dies now and then right before or right after it."""
    commit = store.commit

    def dying(*writes: Write) -> None:
        if chooser.random() < odds:
            raise Killed
        commit(*writes)
        if chooser.random() < odds:
            raise Killed

    return dying


def deliver_all(events: Iterable[Event], chooser: random.Random, batch: int) -> int:
    """Deliver each event one to three times, in any order, and again after a death; returns how often."""
    waiting = [json.dumps(event) for event in events for _ in range(chooser.randint(1, 3))]
    chooser.shuffle(waiting)
    deliveries = 0
    while waiting:
        taken, waiting = waiting[:batch], waiting[batch:]
        deliveries += len(taken)
        try:
            waiting += [taken[position] for position in deliver(*taken)]
        except Killed:
            waiting += taken
    return deliveries


def found(merchant: str, currency: str = "GBP", window: str = TODAY) -> StoredSettlement:
    """The settlement of a day."""
    settlement = table.settlement(settlement_id(merchant, currency, window))
    assert settlement is not None
    return settlement


def orders_of(settlement: StoredSettlement) -> Sequence[str]:
    """The orders of everything that the manifest lists."""
    return [line.order_id for line in table.all_lines(settlement.id)]
