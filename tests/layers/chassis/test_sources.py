"""Event sources: what a handler is given, what its frame answers, and the one line it leaves."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from chassis import events
from chassis.events import Message
from chassis.service import Service
from chassis.sources import Change, FailedAt, each
from tests.layers.runtime.workshop import unique


class Order(BaseModel):
    id: str
    amount: int


class Refund(BaseModel):
    refund: str


@pytest.fixture
def service() -> Service:
    # A name of its own, because a service's logger keeps the stdout of the test that first used it.
    return Service(unique("shop"), "Sells.")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    taken: list[Message] = []
    monkeypatch.setattr(events, "send", taken.extend)
    return taken


def queue_event(*bodies: str) -> dict[str, Any]:
    return {"Records": [{"messageId": f"m{number}", "body": body} for number, body in enumerate(bodies)]}


def line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (only,) = capsys.readouterr().out.splitlines()
    logged: dict[str, Any] = json.loads(only)
    return logged


def test_each_message_fails_alone(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    taken: list[Order] = []

    @service.queue("take", queue="orders")
    def take(order: Order) -> None:
        taken.append(order)
        if order.amount < 0:
            raise KeyError("secret " + order.id)

    bodies = (
        '{"id":"a","amount":1}',
        '{"id":"b","amount":-1}',
        "secret",
        '{"id":"c"}',
        '{"id":"d","amount":2}',
    )
    answer = take(queue_event(*bodies), None)

    assert answer == {"batchItemFailures": [{"itemIdentifier": name} for name in ("m1", "m2", "m3")]}
    assert [order.id for order in taken] == ["a", "b", "d"]
    logged = line(capsys)
    assert (logged["operation"], logged["outcome"], logged["received"]) == ("queue take", "partial", 5)
    assert [(f["id"], f["error"]) for f in logged["failures"]] == [
        ("m1", "KeyError"),
        ("m2", "ValidationError"),
        ("m3", "ValidationError"),
    ]
    assert "test_sources.py" in logged["failures"][0]["at"]
    assert "secret" not in json.dumps(logged)
    assert (logged["Received"], logged["Failed"], logged["service"]) == ([5.0], [3.0], service.name)


def test_a_queue_is_declared_by_a_handler_of_one_model(service: Service) -> None:
    @service.queue("take", queue="orders", batch_size=500, window_seconds=5)
    def take(order: Order) -> None:
        """Take it."""

    (source,) = service.queues
    assert (source.name, source.queue, source.batch_size, source.window_seconds) == ("take", "orders", 500, 5)
    assert source.invoke is take
    assert take(queue_event(), None) == {"batchItemFailures": []}

    def untyped(order: Any) -> None: ...
    def nothing() -> None: ...

    wrong: Any
    for wrong in (untyped, nothing):
        with pytest.raises(TypeError, match="does not take one message"):
            service.queue("wrong", queue="orders")(wrong)
    with pytest.raises(ValueError, match="needs a window"):
        service.queue("wrong", queue="orders", batch_size=11)


def change(number: int, **images: dict[str, Any]) -> dict[str, Any]:
    typed = images or {"NewImage": {"pk": {"S": "k"}, "count": {"N": str(number)}}}
    return {"dynamodb": {"SequenceNumber": str(number), "Keys": {"pk": {"S": "k"}}, **typed}}


def stream_event(*records: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}


def test_changes_are_plain_values_and_what_they_tell_is_sent(service: Service, sent: list[Message]) -> None:
    given: list[Change] = []

    @service.stream("tell", table="orders")
    def tell(changes: Sequence[Change]) -> Iterable[Message]:
        given.extend(changes)
        return [Message("q", Order(id=change.sequence_number, amount=1)) for change in changes]

    old = {"pk": {"S": "k"}, "amount": {"N": "12345678901234567890"}}
    answer = tell(stream_event(change(1), change(2, OldImage=old)), None)

    assert answer == {"batchItemFailures": []}
    assert given == [
        Change("1", {"pk": "k"}, None, {"pk": "k", "count": 1}),
        Change("2", {"pk": "k"}, {"pk": "k", "amount": 12345678901234567890}, None),
    ]
    assert [message.body for message in sent] == [Order(id="1", amount=1), Order(id="2", amount=1)]


def one_by_one(change: Change) -> list[Message]:
    if change.new and change.new["count"] == 3:
        raise LookupError
    return [Message("q", Order(id=change.sequence_number, amount=1))]


def test_a_failing_change_is_named_and_what_came_before_it_is_sent(
    service: Service, sent: list[Message], capsys: pytest.CaptureFixture[str]
) -> None:
    tell = service.stream("tell", table="orders")(lambda changes: each(changes, one_by_one))
    answer = tell(stream_event(*(change(number) for number in (1, 2, 3, 4))), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "3"}]}
    assert [message.body for message in sent] == [Order(id="1", amount=1), Order(id="2", amount=1)]
    logged = line(capsys)
    assert [(f["id"], f["error"]) for f in logged["failures"]] == [("3", "LookupError")]


def test_a_change_that_cannot_be_read_holds_up_only_what_follows(
    service: Service, sent: list[Message]
) -> None:
    tell = service.stream("tell", table="orders")(lambda changes: each(changes, one_by_one))
    broken = change(2, NewImage={"pk": {"S": "k"}, "count": {"N": "1.5"}})
    assert tell(stream_event(change(1), broken, change(3)), None) == {
        "batchItemFailures": [{"itemIdentifier": "2"}]
    }
    assert len(sent) == 1
    assert tell(stream_event(broken), None) == {"batchItemFailures": [{"itemIdentifier": "2"}]}


def test_any_other_failure_is_the_whole_batchs(
    service: Service, sent: list[Message], capsys: pytest.CaptureFixture[str]
) -> None:
    def explode(changes: Sequence[Change]) -> None:
        raise ZeroDivisionError("secret")

    tell = service.stream("tell", table="orders")(explode)
    with pytest.raises(ZeroDivisionError):
        tell(stream_event(change(1)), None)
    logged = line(capsys)
    assert (logged["outcome"], logged["exception"][-1]) == ("internal_error", "ZeroDivisionError")
    assert "secret" not in json.dumps(logged)


def test_what_cannot_be_sent_has_not_been_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(messages: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(events, "send", down)
    tell = service.stream("tell", table="orders")(lambda changes: each(changes, one_by_one))
    with pytest.raises(ConnectionError):
        tell(stream_event(change(1), change(3)), None)


def test_a_failure_says_where() -> None:
    with pytest.raises(FailedAt, match="failed at 7"):
        raise FailedAt(Change("7", {}, None, None))


def test_a_schedule_leaves_a_line(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    @service.schedule("sweep", every_minutes=5)
    def sweep() -> int:
        return 3

    event = {"id": "e1", "detail-type": "", "source": "", "account": "", "time": "", "region": ""}
    assert sweep({**event, "resources": [], "detail": {}, "version": "0"}, None) == {"done": 3}
    logged = line(capsys)
    assert (logged["operation"], logged["status"], logged["outcome"]) == ("schedule sweep", 200, "ok")
    assert logged["request_id"] == "e1"


def test_a_consumer_of_whole_batches_names_what_failed_by_position(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    taken: list[list[str]] = []

    @service.queue("take", queue="orders", batch_size=10_000, window_seconds=2, concurrency=2)
    def take(orders: Sequence[Order]) -> dict[int, Exception]:
        taken.append([order.id for order in orders])
        return {at: KeyError("secret") for at, order in enumerate(orders) if order.amount < 0}

    bodies = ('{"id":"a","amount":1}', "poison", '{"id":"b","amount":-1}', '{"id":"c","amount":2}')
    answer = take(queue_event(*bodies), None)

    assert taken == [["a", "b", "c"]]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}
    assert [failure["error"] for failure in line(capsys)["failures"]] == ["ValidationError", "KeyError"]
    assert service.queues[0].concurrency == 2
    assert take(queue_event("poison"), None) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert len(taken) == 1


def test_a_consumer_takes_any_type_that_can_be_read(service: Service) -> None:
    taken: list[object] = []

    @service.queue("take", queue="orders")
    def take(order: Order | Refund) -> None:
        taken.append(order)

    take(queue_event('{"id":"a","amount":1}', '{"refund":"b"}'), None)
    assert taken == [Order(id="a", amount=1), Refund(refund="b")]


def test_changes_name_their_shard_where_the_event_does(service: Service, sent: list[Message]) -> None:
    seen: list[str | None] = []

    @service.stream("tell", table="orders", tells_shards=True)
    def tell(changes: Sequence[Change]) -> None:
        seen.extend(change.shard for change in changes)

    assert tell(stream_event(change(1)), None) == {"batchItemFailures": []}
    # Under a tumbling window Lambda names the shard, and wants a state back.
    windowed = {**stream_event(change(2)), "shardId": "shard-1", "window": {}, "state": {}}
    assert tell(windowed, None) == {"batchItemFailures": [], "state": {}}
    assert tell({**windowed, "Records": []}, None) == {"batchItemFailures": [], "state": {}}
    assert seen == [None, "shard-1"]
    assert service.streams[0].tells_shards


def test_a_schedule_of_no_rate_runs_when_it_is_asked(service: Service) -> None:
    @service.schedule("mend", every_minutes=None)
    def mend() -> int:
        return 3

    assert service.schedules[0].every_minutes is None
    assert mend({}, None) == {"done": 3}


@pytest.mark.parametrize(
    ("old", "new", "entered"),
    [
        (None, {"status": "open"}, True),
        (None, {"other": 1}, True),
        ({"status": "open"}, {"status": "closed"}, True),
        ({"status": "open"}, {"status": "open", "other": 1}, False),
        ({"other": 1}, {"other": 2}, False),
    ],
)
def test_a_change_tells_whether_a_status_was_entered(
    old: dict[str, Any] | None, new: dict[str, Any], *, entered: bool
) -> None:
    assert Change("1", {}, old, new).entered == (new if entered else None)
    assert Change("1", {}, new, None).entered is None
