"""What payments tell: once per capture and refund, under ids that stay, as settlement understands it."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from chassis import clock, events, store
from chassis.events import Message
from chassis.sources import Change
from functions.payments import publication, table
from functions.settlement import model as settlement
from functions.settlement.shapes import PaymentCaptured, RefundSucceeded
from tests.conftest import Shop
from tests.functions.inside import days_later

pytestmark = pytest.mark.usefixtures("engine")
QUEUE = "settlement-lines"


def images(shop: Shop, order: str) -> list[dict[str, Any]]:
    """The items of an order as they stand: the payment, and its refunds."""
    partition = f"{shop.id}#{order}"
    return store.query(table.TABLE, ("pk", partition), ("sk", "A", "Z"), limit=10, oldest_first=True)


def told(new: dict[str, Any], old: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """What a change has settlement told."""
    messages = publication.messages([Change("1", dict(table.key_of(new)), old, new)])
    return [read(message) for message in messages if message.queue == QUEUE]


def read(message: Message) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(message.body.model_dump_json())
    return event


def test_a_capture_is_told_once_in_words_that_settlement_understands(shop: Shop) -> None:
    shop.pay("1", shop.wallet(1000), 1000, metadata={"lines": "7"})
    (payment,) = images(shop, "1")
    (event,) = told(payment)
    assert event["data"] == shop.payment("1")
    assert (event["principal"], event["type"], event["sequence"]) == (shop.id, "payment.captured", 1)
    line = settlement.line_of(PaymentCaptured.model_validate_json(json.dumps(event)))
    shown = shop.payment("1")
    assert (line.type, line.order_id, line.amount, line.fee) == ("payment", "1", 1000, 35)
    assert (line.event_id, line.merchant_id) == (event["id"], shop.id)
    assert (line.window, line.available_at) == (shown["settlement_window"], shown["available_at"])
    assert line.occurred_at == shown["captured_at"]


def test_a_refund_is_told_once_in_words_that_settlement_understands(shop: Shop) -> None:
    shop.pay("1", shop.wallet(1000), 1000)
    refund_id = shop.refund("1", 400).json()["id"]
    payment, refund = images(shop, "1")
    # The payment's later versions tell nothing of its capture.
    assert told(payment, old=payment | {"version": 1}) == []
    (event,) = told(refund)
    assert event["data"] == shop.http.get(f"/v1/payments/1/refunds/{refund_id}").json()
    line = settlement.line_of(RefundSucceeded.model_validate_json(json.dumps(event)))
    assert (line.type, line.order_id, line.refund_id, line.amount) == ("refund", "1", refund_id, 400)
    assert line.window == settlement_window_of(shop)


def settlement_window_of(shop: Shop) -> str:
    window: str = shop.payment("1")["settlement_window"]
    return window


def test_what_is_not_captured_is_not_told(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    shop.authorize("held", wallet, 600)
    shop.pay("refused", wallet, 600)
    shop.authorize("canceled", wallet, 100)
    shop.cancel("canceled")
    for order in ("held", "refused", "canceled"):
        (payment,) = images(shop, order)
        assert told(payment) == []


def test_a_later_capture_is_told_with_its_own_version_and_amount(shop: Shop) -> None:
    shop.authorize("1", shop.wallet(1000), 1000)
    shop.capture("1", 600)
    (payment,) = images(shop, "1")
    (event,) = told(payment)
    assert (event["sequence"], event["data"]["captured"]) == (2, 600)


def test_a_refund_to_a_card_is_told_when_it_has_succeeded(shop: Shop) -> None:
    shop.pay("1", shop.wallet(1000), 1000)
    shop.refund("1", 400)
    _, item = images(shop, "1")
    pending = {**item, "status": "pending", "version": 1}
    for unknown in ("succeeded_at", "settlement_window", "available_at", "entry"):
        pending.pop(unknown)
    done = {**item, "version": 2}
    assert told(pending) == []
    (event,) = told(done, old=pending)
    assert event["sequence"] == 2
    assert told(done, old=done) == []
    assert told({**pending, "status": "failed", "version": 2}, old=pending) == []


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    taken: list[Message] = []
    monkeypatch.setattr(events, "send", taken.extend)
    return taken


def mine(sent: list[Message], shop: Shop) -> Iterator[dict[str, Any]]:
    for message in sent:
        event = read(message)
        if event.get("principal") == shop.id:
            yield event


def test_telling_again_has_the_same_ids_whatever_became_of_the_record(
    shop: Shop, sent: list[Message]
) -> None:
    shop.pay("1", shop.wallet(1000), 1000)
    first = told(*images(shop, "1"))
    shop.refund("1", 400)
    shop.refund("1", 600)
    _, *refunds = images(shop, "1")
    publication.repeat()
    again = {event["id"]: event["type"] for event in mine(sent, shop)}
    assert again == {event["id"]: event["type"] for event in (*first, *(told(each)[0] for each in refunds))}
    assert len(again) == 3


@pytest.mark.parametrize(("days", "count"), [(1, 1), (3, 0)])
def test_only_what_happened_of_late_is_told_again(
    shop: Shop, sent: list[Message], monkeypatch: pytest.MonkeyPatch, days: int, count: int
) -> None:
    shop.pay("1", shop.wallet(1000), 1000)
    days_later(monkeypatch, days)
    publication.repeat()
    assert len(list(mine(sent, shop))) == count


def test_a_refund_has_a_settlement_day_of_its_own(shop: Shop) -> None:
    shop.pay("1", shop.wallet(1000), 1000)
    shown = shop.refund("1", 400).json()
    assert shown["succeeded_at"] == shown["created_at"]
    ends = clock.timestamp(clock.now() + timedelta(days=1))
    assert shown["succeeded_at"] < shown["settlement_window"] <= ends
    days = datetime.fromisoformat(shown["available_at"]) - datetime.fromisoformat(shown["settlement_window"])
    assert days == timedelta(days=2)
