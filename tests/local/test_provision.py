"""Provisioning queues and streams: what is missing is made, what differs is set right, again and again."""

import json
from dataclasses import replace

import pytest

from chassis import aws, events
from chassis.config import table_name
from chassis.sources import StreamSource
from infra import declaration
from infra.declaration import FUNCTION_TIMEOUT_SECONDS, QUEUES, STREAMS, Queue, Stream, Table
from local.provision import provision
from tests.functions.inside import SERVICES
from tests.layers.runtime.workshop import unique

pytestmark = pytest.mark.usefixtures("engine")


def attributes(queue: str) -> dict[str, str]:
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=events.queue_url(queue), AttributeNames=["All"])
    found: dict[str, str] = answer["Attributes"]
    return found


def test_a_queue_follows_its_declaration() -> None:
    queue = Queue(unique("probe"), "a.test", visibility_seconds=7, max_receives=3)
    for wanted in (queue, queue, replace(queue, visibility_seconds=9, max_receives=4)):
        provision(tables=(), queues=(wanted,), streams=())
        found = attributes(queue.name)
        redrive = json.loads(found["RedrivePolicy"])
        assert found["VisibilityTimeout"] == str(wanted.visibility_seconds)
        assert redrive["maxReceiveCount"] == wanted.max_receives
        assert redrive["deadLetterTargetArn"] == attributes(queue.dead_letter)["QueueArn"]
        assert found["MessageRetentionPeriod"] == str(14 * 24 * 3600)


@pytest.mark.parametrize("exists", [False, True])
def test_a_table_gets_its_stream_also_later(exists: bool) -> None:
    table = Table(unique("probe"), writer="a.test")
    if exists:
        provision(tables=(table,), queues=(), streams=())
    stream = Stream(table.name, "a.test")
    arns = set()
    for _ in range(2):
        provision(tables=(table,), queues=(), streams=(stream,))
        found = aws.client("dynamodb").describe_table(TableName=table_name(table.name))["Table"]
        assert found["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        arns.add(found["LatestStreamArn"])
    assert len(arns) == 1
    assert attributes(stream.failures)


@pytest.mark.parametrize("exists", [False, True])
def test_a_table_has_its_items_removed_also_later(monkeypatch: pytest.MonkeyPatch, exists: bool) -> None:
    table = Table(unique("probe"), writer="a.test")
    if exists:
        provision(tables=(table,), queues=(), streams=())
    dynamodb = aws.administrator("dynamodb")
    told: list[object] = []
    dynamodb.meta.events.register("before-call.dynamodb.UpdateTimeToLive", lambda **asked: told.append(asked))
    monkeypatch.setattr(aws, "administrator", lambda service: dynamodb)
    for _ in range(3):
        provision(tables=(replace(table, expires=True),), queues=(), streams=())
        found = dynamodb.describe_time_to_live(TableName=table_name(table.name))["TimeToLiveDescription"]
        assert found == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
    assert len(told) == 1, "what is on already cannot be turned on in the cloud"


def test_declarations_fit_each_other() -> None:
    windows = {source.queue: source.window_seconds for service in SERVICES for source in service.queues}
    for queue in QUEUES:
        assert queue.visibility_seconds >= 6 * FUNCTION_TIMEOUT_SECONDS + windows[queue.name]
    tables = {table.name for table in declaration.TABLES}
    assert {stream.table for stream in STREAMS} <= tables
    source = StreamSource("follow", "orders", 1, 0, 0, tells_shards=False, invoke=lambda event, context: None)
    assert source.failures == Stream("orders", "a.test").failures
