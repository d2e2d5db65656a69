"""One shard: failures are isolated, given up and passed; parents come before children."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError
from pydantic import BaseModel

from chassis import aws, events
from chassis.events import Message
from chassis.service import Service
from chassis.sources import Change, StreamSource, each
from infra.declaration import Stream
from runtime import shards
from runtime.checkpoints import Checkpoints
from runtime.shards import ShardReader
from runtime.streams import StreamReader, _shards
from runtime.workers import Crew
from tests.layers.runtime.workshop import (
    Notes,
    await_until,
    new_queue,
    new_stream,
    receive,
    unique,
    waiting,
    working,
    write,
)

pytestmark = pytest.mark.usefixtures("engine")


class Told(BaseModel):
    count: int


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "BACKOFF_BASE_SECONDS", 0.001)
    monkeypatch.setattr(shards, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(shards, "IDLE_POLL_SECONDS", 0.01)
    monkeypatch.setattr(shards, "RETRY_SECONDS", 0.01)


def source_of(
    table: str, publish: Callable[[Sequence[Change]], Iterable[Message] | None], **options: Any
) -> StreamSource:
    service = Service("test", "Follows.")
    service.stream(unique("follow"), table=table, **options)(publish)
    return service.streams[0]


def reading(source: StreamSource) -> Callable[[Crew], Callable[[], None]]:
    return lambda crew: StreamReader("test", source, crew).run


def fill(stream: Stream, changes: int) -> None:
    for number in range(changes):
        write(stream.table, f"key{number % 3}", count=number)


@pytest.mark.parametrize("poison", [0, 5, 10])
def test_halving_isolates_a_poison_change_and_the_rest_goes_on(poison: int) -> None:
    stream, handled, tries = new_stream(), Notes(), Notes()
    fill(stream, 11)

    def publish(changes: Sequence[Change]) -> None:
        counts = [change.new["count"] for change in changes if change.new]
        tries.add(counts)
        if poison in counts:
            raise RuntimeError
        for count in counts:
            handled.add(count)

    with working(reading(source_of(stream.table, publish, retries=2))):
        await_until(lambda: len(handled.all()) == 10 and waiting(stream.failures) == 1)

    assert handled.all() == [number for number in range(11) if number != poison]
    assert tries.all().count([poison]) == 3
    (given_up,) = receive(stream.failures)
    report = json.loads(given_up["Body"])
    (record,) = report["payload"]["Records"]
    assert record["dynamodb"]["NewImage"]["count"] == {"N": str(poison)}
    batch = report["DDBStreamBatchInfo"]
    assert batch["startSequenceNumber"] == batch["endSequenceNumber"] == record["dynamodb"]["SequenceNumber"]
    assert report["requestContext"]["approximateInvokeCount"] == 3


def test_a_change_that_is_named_holds_up_only_what_follows_it() -> None:
    stream, queue, seen, broken = new_stream(), new_queue(), Notes(), Notes()
    fill(stream, 6)

    def tell(change: Change) -> list[Message]:
        assert change.new
        seen.add(change.new["count"])
        if change.new["count"] == 3 and len(broken.all()) < 4:
            broken.add(1)
            raise RuntimeError
        return [Message(queue.name, Told(count=change.new["count"]))]

    with working(reading(source_of(stream.table, lambda changes: each(changes, tell)))):
        await_until(lambda: waiting(queue.name) == 6)

    assert [seen.all().count(number) for number in range(6)] == [1, 1, 1, 5, 1, 1]
    assert waiting(stream.failures) == 0
    assert sorted(json.loads(message["Body"])["count"] for message in receive(queue.name)) == [*range(6)]


def test_a_record_too_long_for_a_queue_is_given_up_by_its_keys() -> None:
    stream = new_stream()
    write(stream.table, "long", count=1, text="x" * 200_000)
    write(stream.table, "long", count=2, text="y" * 200_000)

    def publish(changes: Sequence[Change]) -> None:
        if any(change.old for change in changes):
            raise RuntimeError

    with working(reading(source_of(stream.table, publish, retries=0))):
        await_until(lambda: waiting(stream.failures) == 1)
    assert json.loads(receive(stream.failures)[0]["Body"])["keys"] == {"pk": {"S": "long"}}


def test_what_cannot_be_given_up_is_kept() -> None:
    """The failure queue is away for a while: the change is not passed before it has arrived there."""
    stream, handled = new_stream(), Notes()
    fill(stream, 1)
    sqs, url = aws.client("sqs"), events.queue_url(stream.failures)
    sqs.delete_queue(QueueUrl=url)

    def publish(changes: Sequence[Change]) -> None:
        handled.add(len(changes))
        raise RuntimeError

    with working(reading(source_of(stream.table, publish, retries=0))):
        await_until(lambda: len(handled.all()) > 1)
        sqs.create_queue(QueueName=url.rpartition("/")[2])
        await_until(lambda: waiting(stream.failures) == 1)


def test_an_overlapping_worker_starts_again_from_the_others_checkpoint() -> None:
    stream, handled = new_stream(), Notes()
    fill(stream, 3)
    others: list[Checkpoints] = []

    def publish(changes: Sequence[Change]) -> None:
        handled.add(len(changes))
        if len(handled.all()) == 1:  # meanwhile the other one is done with them all
            others[0].advance(shard.key, changes[-1].sequence_number)

    source = source_of(stream.table, publish)
    (shard,) = _shards(stream.table)
    others.append(Checkpoints(f"test.{source.name}"))
    others[0].load()
    with working(reading(source)):
        await_until(lambda: len(handled.all()) == 1)
        write(stream.table, "more", count=4)
        await_until(lambda: handled.all() == [3, 1])


def record(number: int) -> dict[str, Any]:
    images = {"Keys": {"pk": {"S": "a"}}, "NewImage": {"pk": {"S": "a"}, "count": {"N": str(number)}}}
    when = {"ApproximateCreationDateTime": datetime.now(UTC), "SequenceNumber": f"{number:04}"}
    return {"eventName": "INSERT", "dynamodb": {**images, **when}}


class FakeStreams:
    """DynamoDB Streams as AWS has them: a parent that is closed, its child, pages, iterators that expire."""

    records: ClassVar = {"parent": [1, 2, 3, 4], "child": [5, 6]}

    def __init__(self) -> None:
        self.expired = False
        self.types: list[tuple[str, str]] = []

    def describe_stream(self, StreamArn: str, ExclusiveStartShardId: str = "") -> Any:  # noqa: N803
        if not ExclusiveStartShardId:  # the child is listed first, and the parent's own parent is trimmed
            listed = [{"ShardId": "child", "ParentShardId": "parent"}]
            return {"StreamDescription": {"Shards": listed, "LastEvaluatedShardId": "child"}}
        return {"StreamDescription": {"Shards": [{"ShardId": "parent", "ParentShardId": "gone"}]}}

    def get_shard_iterator(
        self,
        StreamArn: str,  # noqa: N803
        ShardId: str,  # noqa: N803
        ShardIteratorType: str,  # noqa: N803
        SequenceNumber: str = "0",  # noqa: N803
    ) -> Any:
        self.types.append((ShardId, ShardIteratorType))
        return {"ShardIterator": f"{ShardId} {int(SequenceNumber)}"}

    def get_records(self, ShardIterator: str, Limit: int) -> Any:  # noqa: N803
        shard, after = ShardIterator.split()
        left = [number for number in self.records[shard] if number > int(after)]
        if shard == "parent" and int(after) >= 2 and not self.expired:
            self.expired = True
            error = {"Error": {"Code": "ExpiredIteratorException", "Message": "expired"}}
            raise ClientError(error, "GetRecords")
        page = left[: min(Limit, 2)]
        answer: dict[str, Any] = {"Records": [record(number) for number in page]}
        if shard == "child" or len(left) > len(page):
            answer["NextShardIterator"] = f"{shard} {page[-1] if page else after}"
        return answer


def test_parents_come_before_children_and_an_expired_iterator_is_renewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream, handled, fake = new_stream(), Notes(), FakeStreams()
    monkeypatch.setattr("runtime.streams.LIST_SECONDS", 0.01)
    client = aws.client

    def fake_client(service: str, **options: Any) -> Any:
        return fake if service == "dynamodbstreams" else client(service, **options)

    monkeypatch.setattr(aws, "client", fake_client)

    def publish(changes: Sequence[Change]) -> None:
        for change in changes:
            assert change.new
            handled.add(change.new["count"])

    source = source_of(stream.table, publish)
    with working(reading(source)):
        await_until(lambda: len(handled.all()) == 6)

    assert handled.all() == [1, 2, 3, 4, 5, 6]
    assert fake.types == [
        ("parent", "TRIM_HORIZON"),
        ("parent", "AFTER_SEQUENCE_NUMBER"),
        ("child", "TRIM_HORIZON"),
    ]


def test_a_window_gathers_pages() -> None:
    stream, sizes = new_stream(), Notes()
    source = source_of(stream.table, lambda changes: sizes.add(len(changes)), batch_size=3, window_seconds=60)
    fill(stream, 2)
    (shard,) = _shards(stream.table)
    checkpoints = Checkpoints(source.name)
    with working(lambda crew: ShardReader(source, shard, checkpoints, crew).run):
        write(stream.table, "another", count=3)
        await_until(lambda: sizes.all() == [3])
