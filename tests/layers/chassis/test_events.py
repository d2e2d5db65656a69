"""Messages: packed by count and bytes, sent again where the queue refused, delayed, with ids that stay."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from pydantic import BaseModel

from chassis import aws, clock, observe
from chassis import events as chassis_events
from chassis.config import settings
from chassis.errors import Unavailable
from chassis.events import BATCH_BYTES, SENT_AT_ONCE, Event, Message, event_id, send, send_as_found, told
from tests.layers.runtime.workshop import new_queue, receive, waiting

Answer = Callable[[list[dict[str, Any]]], dict[str, Any]]


class Note(BaseModel):
    text: str


class FakeQueues:
    """SQS that answers each batch as it is told, and then takes everything."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.batches: list[tuple[str, list[dict[str, Any]]]] = []

    def get_queue_url(self, QueueName: str) -> Any:  # noqa: N803
        return {"QueueUrl": f"http://queues/{QueueName}"}

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
        self.batches.append((QueueUrl, Entries))
        return self.answers.pop(0)(Entries) if self.answers else {"Successful": []}

    def sent(self) -> list[list[str]]:
        return [[json.loads(e["MessageBody"])["text"][:4] for e in entries] for _, entries in self.batches]


@pytest.fixture
def install(engine: object, monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeQueues], FakeQueues]:
    def put(fake: FakeQueues) -> FakeQueues:
        monkeypatch.setattr(aws, "client", lambda service: fake)
        monkeypatch.setattr(clock, "sleep", lambda seconds: None)
        return fake

    return put


Install = Callable[[FakeQueues], FakeQueues]


def messages(count: int, size: int = 4, queue: str = "q") -> list[Message]:
    return [Message(queue, Note(text=f"{number:04}".ljust(size, "x"))) for number in range(count)]


def failing(*places: int, fault: bool = False) -> Answer:
    def answer(entries: list[dict[str, Any]]) -> dict[str, Any]:
        failed = [{"Id": entries[place]["Id"], "Code": "Why", "SenderFault": fault} for place in places]
        return {"Failed": failed}

    return answer


def test_messages_are_packed_by_count(install: Install) -> None:
    fake = install(FakeQueues())
    send([*messages(23), *messages(2, queue="other")])
    assert [len(batch) for batch in fake.sent()] == [10, 10, 3, 2]
    assert {url.rpartition("/")[2] for url, _ in fake.batches} == {"tael-local-q", "tael-local-other"}


def test_messages_are_packed_by_bytes(install: Install) -> None:
    fake = install(FakeQueues())
    body = len(Note(text="").model_dump_json())
    send(messages(5, size=BATCH_BYTES // 2 - body))
    assert [len(batch) for batch in fake.sent()] == [2, 2, 1]
    send([Message("q", Note(text="x" * (BATCH_BYTES - body)))])
    with pytest.raises(ValueError, match="more than 262144 bytes"):
        send([*messages(1), Message("q", Note(text="x" * (BATCH_BYTES - body + 1)))])
    assert len(fake.batches) == 4


def test_bytes_are_counted_and_not_characters(install: Install) -> None:
    fake = install(FakeQueues())
    send([Message("q", Note(text="é" * (BATCH_BYTES // 4))) for _ in range(3)])
    assert [len(batch) for batch in fake.sent()] == [1, 1, 1]


def test_what_the_queue_refuses_is_sent_again(install: Install) -> None:
    fake = install(FakeQueues(failing(1, 3), failing(0)))
    with observe.metered() as counted:
        send(messages(5))
    assert fake.sent() == [["0000", "0001", "0002", "0003", "0004"], ["0001", "0003"], ["0001"]]
    assert counted.retries == 2


def throttled(entries: list[dict[str, Any]]) -> dict[str, Any]:
    raise ClientError({"Error": {"Code": "RequestThrottled"}, "ResponseMetadata": {}}, "SendMessageBatch")


def unreachable(entries: list[dict[str, Any]]) -> dict[str, Any]:
    raise EndpointConnectionError(endpoint_url="http://queues")


@pytest.mark.parametrize("answer", [throttled, unreachable])
def test_a_call_that_fails_is_repeated_whole(install: Install, answer: Answer) -> None:
    fake = install(FakeQueues(answer))
    send(messages(2))
    assert fake.sent() == [["0000", "0001"], ["0000", "0001"]]


def test_asking_where_the_queue_is_is_repeated_too(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by the simulation: it failed the whole batch of a process that had just begun."""
    fake = install(FakeQueues())
    refusals = [throttled, unreachable]
    look_up = fake.get_queue_url

    def now_and_then(QueueName: str) -> Any:  # noqa: N803 - boto3's
        return refusals.pop()([]) if refusals else look_up(QueueName)

    monkeypatch.setattr(fake, "get_queue_url", now_and_then)
    send(messages(2))
    assert fake.sent() == [["0000", "0001"]]


def test_a_queue_that_stays_away_is_unavailable(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(FakeQueues(*[unreachable] * 1000))
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    monkeypatch.setattr(clock, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    with pytest.raises(Unavailable):
        send(messages(1))
    assert 0 < now[0] <= 3


def test_a_message_at_fault_and_a_refused_caller_are_not_repeated(install: Install) -> None:
    def denied(entries: list[dict[str, Any]]) -> dict[str, Any]:
        error = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise ClientError(error, "SendMessageBatch")

    fake = install(FakeQueues(failing(0, fault=True), denied))
    with pytest.raises(ValueError, match="refuses a message: Why"):
        send(messages(1))
    with pytest.raises(ClientError, match="AccessDenied"):
        send(messages(1))
    assert len(fake.batches) == 2


@pytest.mark.parametrize("delay", [-1, 901])
def test_a_delay_beyond_what_sqs_takes_is_refused(delay: int) -> None:
    with pytest.raises(ValueError, match="0 to 900"):
        Message("q", Note(text="late"), delay_seconds=delay)


@pytest.mark.usefixtures("engine")
def test_a_delayed_message_comes_later() -> None:
    queue = new_queue()
    send([Message(queue.name, Note(text="now")), Message(queue.name, Note(text="later"), delay_seconds=1)])
    assert [message["Body"] for message in receive(queue.name)] == ['{"text":"now"}']
    assert waiting(queue.name) == 1
    assert [message["Body"] for message in receive(queue.name, wait_seconds=2)] == ['{"text":"later"}']


def test_an_event_has_the_same_id_however_often_it_is_told() -> None:
    told = event_id("orders", {"pk": "a", "sk": "b"}, 3, "order.paid")
    assert told == event_id("orders", {"sk": "b", "pk": "a"}, 3, "order.paid")
    others = {
        event_id("orders", {"pk": "a", "sk": "b"}, 4, "order.paid"),
        event_id("orders", {"pk": "a", "sk": "b"}, 3, "order.lost"),
        event_id("orders", {"pk": "ab", "sk": ""}, 3, "order.paid"),
        event_id("borders", {"pk": "a", "sk": "b"}, 3, "order.paid"),
    }
    assert told.startswith("evt_")
    assert len(others | {told}) == 5


def test_a_long_search_is_sent_some_at_a_time(install: Install) -> None:
    queues = install(FakeQueues())

    def search() -> Iterator[Message]:
        yield from messages(SENT_AT_ONCE)
        # What was found before is under way already, should the rest of the search be cut short.
        assert len(queues.batches) == SENT_AT_ONCE / 10
        yield from messages(1)

    assert send_as_found(search()) == SENT_AT_ONCE + 1
    assert len(queues.batches) == SENT_AT_ONCE / 10 + 1


@pytest.mark.parametrize(
    ("subscriptions", "queues"),
    [
        ({}, []),
        ({"note.made": ["a"]}, ["a"]),
        ({"note.made": ["a"], "note.*": ["b", "a"], "*": ["c"]}, ["a", "b", "c"]),
        ({"note": ["a"], "note.lost": ["b"], "other.*": ["c"]}, []),
    ],
)
def test_an_event_is_told_once_to_every_queue_that_subscribes(
    engine: object,
    monkeypatch: pytest.MonkeyPatch,
    subscriptions: dict[str, list[str]],
    queues: list[str],
) -> None:
    chosen = settings().model_copy(update={"subscriptions": subscriptions})
    monkeypatch.setattr(chassis_events, "settings", lambda: chosen)
    event = Event(
        id="evt_1", type="note.made", created_at="now", principal="mer_1", sequence=1, data=Note(text="hi")
    )
    sent = told(event)
    assert [message.queue for message in sent] == queues
    # What the resource shows is told, whatever its type.
    assert all(json.loads(message.body.model_dump_json())["data"] == {"text": "hi"} for message in sent)
