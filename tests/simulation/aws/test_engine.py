"""Holds the model of DynamoDB against the embedded engine, call by call."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chassis import aws
from chassis.config import settings, table_name
from infra.declaration import Table
from local.provision import _provision_tables
from local.system import System
from tests.simulation.aws.dynamodb import Database, StreamRecord
from tests.simulation.aws.requested import PAIRS, TABLES, Requested
from tests.simulation.aws.values import measured_item

STEPS = 400
SEEDS = range(4)


@pytest.fixture
def real(engine: System) -> Iterator[Any]:
    """A client of the engine, whose tables are this test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAEL_STAGE", f"t{uuid.uuid4().hex[:12]}")
        settings.cache_clear()
        _provision_tables(list(TABLES), {table.name for table in TABLES})
        yield aws.client("dynamodb")
    settings.cache_clear()


def outcome_of(client: Any, call: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """What a caller gets, but for the words of an error."""
    try:
        answer = dict(getattr(client, call)(**parameters))
    except ClientError as error:
        reasons = error.response.get("CancellationReasons", [])
        return {
            "code": error.response["Error"]["Code"],
            "item": error.response.get("Item"),
            "reasons": [{**reason, "Message": None} for reason in reasons],
        }
    answer.pop("ResponseMetadata", None)
    return answer


def everything(client: Any, table: Table, **how: Any) -> list[dict[str, Any]]:
    """All items, in an order of our own: that of a scan means nothing."""
    items = client.scan(TableName=table_name(table.name), **how)["Items"]
    return sorted(items, key=lambda item: (item["pk"]["S"], item.get("sk", {}).get("S", "")))


def told_by_the_stream(table: Table) -> list[tuple[Any, ...]]:
    """All changes of a table that the engine tells, from the first one on."""
    streams = aws.client("dynamodbstreams")
    arn = aws.client("dynamodb").describe_table(TableName=table_name(table.name))["Table"]["LatestStreamArn"]
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    where: dict[str, Any] = {"StreamArn": arn, "ShardId": shard["ShardId"]}
    iterator = streams.get_shard_iterator(**where, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    changes: list[tuple[Any, ...]] = []
    while True:
        answer = streams.get_records(ShardIterator=iterator)
        if not answer["Records"]:
            return changes
        iterator = answer["NextShardIterator"]
        for record in answer["Records"]:
            told = record["dynamodb"]
            change = (record["eventName"], told["Keys"], told.get("OldImage"), told.get("NewImage"))
            if change[2] != change[3]:
                changes.append(change)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_engine_and_the_model_answer_alike(real: Any, seed: int) -> None:
    model = Database(TABLES, time.time)
    changes: list[StreamRecord] = []
    model.on_change = changes.append
    requested = Requested(seed)
    met: set[str] = set()
    for _ in range(STEPS):
        call, parameters = requested.next()
        outcome = outcome_of(model, call, parameters)
        assert outcome == outcome_of(real, call, parameters), (call, parameters)
        met |= {call, outcome.get("code", "")} | {reason["Code"] for reason in outcome.get("reasons", ())}
    # The seeds are worth something only as long as they reach all of these.
    assert met >= {"ConditionalCheckFailedException", "TransactionCanceledException", "ValidationError"}
    assert met >= {"ValidationException", "IdempotentParameterMismatchException", "query", "batch_get_item"}
    for table in TABLES:
        assert everything(model, table, ConsistentRead=True) == everything(real, table, ConsistentRead=True)
        assert everything(model, table, IndexName="list") == everything(real, table, IndexName="list")
        told = [
            (change.event_name, change.keys, change.old, change.new)
            for change in changes
            if change.table == table.name
        ]
        assert told == told_by_the_stream(table)
    for state in model.tables.values():  # counted along with every change, and here anew
        assert state.sizes == {key: measured_item(item)[1] for key, item in state.items.items()}
    assert everything(model, PAIRS, IndexName="due") == everything(real, PAIRS, IndexName="due")
