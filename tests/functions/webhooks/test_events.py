"""The log of events: kept once, listed by time and type, seen by nobody else, delivered again when asked."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import events, observe, store
from chassis.errors import Unavailable, ValidationFailed
from chassis.events import Message
from functions.webhooks import actions, publication, table
from functions.webhooks.records import StoredDelivery
from functions.webhooks.shapes import Attempt, DeliveryStatus, EventQuery
from tests.conftest import Shop
from tests.functions.inside import Inside, days_later
from tests.functions.webhooks.telling import an_event, register

T = "2096-03-01T{}:00:00.000000Z"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """The messages that nobody delivers."""
    messages: list[Message] = []
    monkeypatch.setattr(events, "send", messages.extend)
    return messages


@pytest.fixture
def merchant(engine: object, shop: Shop) -> Inside:
    return Inside(shop.key)


def pages(merchant: Inside, **query: Any) -> list[str]:
    """The ids of all events that are listed, page by page."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = actions.list_events(merchant.principal, EventQuery(cursor=cursor, **query))
        found += [event.id for event in page.data]
        cursor = page.next_cursor
        if cursor is None:
            return found


def attempts(sent: list[Message]) -> list[tuple[str, Attempt]]:
    return [(message.queue, message.body) for message in sent if isinstance(message.body, Attempt)]


def test_an_event_that_is_told_twice_is_one_with_one_delivery(merchant: Inside, sent: list[Message]) -> None:
    endpoint_id = register(merchant, "payment.*").body["id"]
    register(merchant, "refund.*")
    event = an_event(merchant.principal.id, amount=12)
    assert publication.record([event, event]) == {}
    assert publication.record([event]) == {}
    # While nothing has attempted it, its message is sent again: the first one may have been lost.
    assert (
        attempts(sent)
        == [
            (
                "webhook-deliveries",
                Attempt(principal=event.principal, event=event.id, endpoint=endpoint_id, version=1),
            )
        ]
        * 3
    )
    assert pages(merchant) == [event.id]
    shown = merchant("GET", f"/v1/events/{event.id}").body
    assert shown == event.model_dump(exclude={"principal"})
    (delivery,) = merchant("GET", f"/v1/webhook-endpoints/{endpoint_id}/deliveries").body["data"]
    assert (delivery["event"], delivery["status"], delivery["attempts"]) == (event.id, "pending", 0)


@pytest.mark.parametrize("what", [{"events": ["refund.*"]}, {"status": "disabled"}])
def test_what_was_begun_is_attempted_whatever_its_endpoint_asks_for_since(
    merchant: Inside, sent: list[Message], monkeypatch: pytest.MonkeyPatch, what: dict[str, Any]
) -> None:
    """Found by the simulation: a delivery that was kept before its message was sent stayed pending."""
    endpoint_id = register(merchant, "payment.*").body["id"]
    event = an_event(merchant.principal.id)
    with monkeypatch.context() as away:
        away.setattr(events, "send", unavailable)
        assert list(publication.record([event])) == [0]
    assert merchant("PATCH", f"/v1/webhook-endpoints/{endpoint_id}", what).status == 200
    assert publication.record([event]) == {}
    assert [attempt.endpoint for _, attempt in attempts(sent)] == [endpoint_id]


def unavailable(messages: Iterable[Message]) -> None:
    raise Unavailable


def test_events_and_deliveries_are_kept_for_thirty_days(merchant: Inside, sent: list[Message]) -> None:
    endpoint_id = register(merchant).body["id"]
    event = an_event(merchant.principal.id, created_at=T.format("08"))
    publication.record([event])
    for key in ({"pk": event.id, "sk": "EVENT"}, {"pk": event.id, "sk": f"DELIVERY#{endpoint_id}"}):
        item = store.get(table.TABLE, key)
        assert item
        ends = datetime.fromtimestamp(item["ttl"], UTC)
        assert ends - datetime.fromisoformat(event.created_at) == timedelta(days=30)


def test_what_was_told_first_is_what_is_kept(merchant: Inside, sent: list[Message]) -> None:
    event = an_event(merchant.principal.id, amount=12)
    later = event.model_copy(update={"data": {**event.data, "amount": 13}})
    publication.record([event])
    publication.record([later])
    assert merchant("GET", f"/v1/events/{event.id}").body["data"]["amount"] == 12


def test_one_event_that_fails_is_told_again_by_itself(
    merchant: Inside, sent: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad, other = (an_event(merchant.principal.id) for _ in range(3))
    create = table.create_event

    def failing(event: Any) -> Any:
        if event.id == bad.id:
            raise RuntimeError("out of order")
        return create(event)

    monkeypatch.setattr(table, "create_event", failing)
    assert list(publication.record([good, bad, other])) == [1]
    assert set(pages(merchant)) == {good.id, other.id}


def test_what_a_queue_does_not_take_is_told_again(merchant: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those with nobody to deliver to are done."""
    register(merchant, "payment.*")

    def refuse(messages: Iterable[Message]) -> None:
        if list(messages):
            raise Unavailable

    monkeypatch.setattr(events, "send", refuse)
    told = [
        an_event(merchant.principal.id, kind)
        for kind in ("payment.failed", "topup.failed", "payment.captured")
    ]
    assert list(publication.record(told)) == [0, 2]
    assert set(pages(merchant)) == {event.id for event in told}


def test_what_recording_costs(merchant: Inside, sent: list[Message]) -> None:
    """One write for the event and one for each delivery, each with its place in a list."""
    event = an_event(merchant.principal.id)
    with observe.metered() as counted:
        publication.record([event])
    assert (counted.write_units, counted.write_calls, counted.read_calls) == (2, 1, 2)
    register(merchant)
    with observe.metered() as counted:
        publication.record([an_event(merchant.principal.id) for _ in range(10)])
    assert (counted.write_units, counted.write_calls, counted.read_calls) == (40, 20, 2)


def test_what_is_told_again_is_read_and_not_written(merchant: Inside, sent: list[Message]) -> None:
    register(merchant)
    told = [an_event(merchant.principal.id) for _ in range(10)]
    publication.record(told)
    with observe.metered() as counted:
        assert publication.record(told) == {}
    assert (counted.write_calls, counted.read_calls, counted.read_units) == (0, 2, 11)


def test_a_disabled_endpoint_is_not_told(merchant: Inside, sent: list[Message]) -> None:
    endpoint_id = register(merchant).body["id"]
    merchant("PATCH", f"/v1/webhook-endpoints/{endpoint_id}", {"status": "disabled"})
    publication.record([an_event(merchant.principal.id)])
    assert sent == []


def test_what_is_told_again_each_day_is_not_for_one_that_was_not_there(
    merchant: Inside, sent: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    off = register(merchant).body["id"]
    merchant("PATCH", f"/v1/webhook-endpoints/{off}", {"status": "disabled"})
    event = an_event(merchant.principal.id)
    publication.record([event])
    days_later(monkeypatch, 1)
    merchant("PATCH", f"/v1/webhook-endpoints/{off}", {"status": "enabled"})
    register(merchant)
    assert publication.record([event]) == {}
    assert sent == []
    publication.record([an_event(merchant.principal.id)])
    assert len(sent) == 2
    assert len(merchant("POST", f"/v1/events/{event.id}/redeliver", {}).body["data"]) == 2


def test_they_are_listed_by_time_and_type(merchant: Inside, sent: list[Message]) -> None:
    principal = merchant.principal.id
    told = [
        an_event(principal, kind, T.format(hour))
        for hour, kind in (("08", "payment.captured"), ("09", "refund.succeeded"), ("10", "payment.failed"))
    ]
    early, middle, late = (event.id for event in told)
    publication.record(told)
    assert pages(merchant) == [late, middle, early]
    assert pages(merchant, limit=1) == [late, middle, early]
    assert pages(merchant, type="payment.*", limit=1) == [late, early]
    assert pages(merchant, type="refund.succeeded") == [middle]
    assert pages(merchant, created_after=T.format("09")) == [late, middle]
    assert pages(merchant, created_before=T.format("09")) == [early]
    assert pages(merchant, created_after="2096-03-01T10:00:00+01:00", limit=1) == [late, middle]
    assert pages(merchant, created_after=T.format("09"), created_before=T.format("10"), limit=1) == [middle]
    for name in ("created_after", "created_before"):
        for moment in ("yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
            with pytest.raises(ValidationFailed) as refused:
                pages(merchant, **{name: moment})
            assert [fault.pointer for fault in refused.value.faults] == [f"/{name}"]
    with pytest.raises(ValidationFailed) as refused:
        pages(merchant, created_after=T.format("10"), created_before=T.format("09"))
    assert [fault.pointer for fault in refused.value.faults] == ["/created_before"]


def test_nobody_else_sees_them(merchant: Inside, sent: list[Message], new_shop: Callable[..., Shop]) -> None:
    event = an_event(merchant.principal.id)
    publication.record([event])
    stranger = Inside(new_shop().key)
    assert pages(stranger) == []
    assert stranger("GET", f"/v1/events/{event.id}").status == 404
    assert stranger("POST", f"/v1/events/{event.id}/redeliver", {}).status == 404


def succeeded(event_id: str, endpoint_id: str) -> StoredDelivery:
    delivery = table.deliveries_of_event(event_id)[endpoint_id]
    return delivery.model_copy(update={"status": DeliveryStatus.SUCCEEDED, "attempts": 3, "tries": 3})


def test_an_event_is_delivered_again_to_whoever_wants_it(merchant: Inside, sent: list[Message]) -> None:
    first, refunds = register(merchant).body["id"], register(merchant, "refund.*").body["id"]
    event = an_event(merchant.principal.id)
    publication.record([event])
    store.commit(table.save_delivery(succeeded(event.id, first)))
    later = register(merchant, "payment.captured").body["id"]
    sent.clear()

    again = merchant("POST", f"/v1/events/{event.id}/redeliver", {})
    assert again.status == 202
    shown = {each["endpoint"]: (each["status"], each["attempts"]) for each in again.body["data"]}
    assert shown == {first: ("pending", 3), later: ("pending", 0)}
    versions = {attempt.endpoint: attempt.version for _, attempt in attempts(sent)}
    assert versions == {first: 3, later: 1}

    sent.clear()
    only = merchant("POST", f"/v1/events/{event.id}/redeliver", {"endpoint": refunds})
    assert [each["endpoint"] for each in only.body["data"]] == [refunds]


def test_it_is_delivered_again_to_no_endpoint_that_takes_nothing(
    merchant: Inside, sent: list[Message], new_shop: Callable[..., Shop]
) -> None:
    off = register(merchant).body["id"]
    merchant("PATCH", f"/v1/webhook-endpoints/{off}", {"status": "disabled"})
    event = an_event(merchant.principal.id)
    publication.record([event])
    path = f"/v1/events/{event.id}/redeliver"
    assert merchant("POST", path, {}).body == {"data": []}
    assert merchant("POST", path, {"endpoint": off}).code == "conflict"
    for unknown in ("we_" + "a" * 24, register(Inside(new_shop().key)).body["id"]):
        refused = merchant("POST", path, {"endpoint": unknown})
        assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "/endpoint")
    assert sent == []
