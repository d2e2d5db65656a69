"""What the tests of the roll-up share: tables of their own, which no worker follows."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chassis import aws, store
from chassis.config import settings, table_name
from chassis.sources import Change, _decoded
from infra.declaration import TABLES
from local.provision import _provision_tables
from local.system import System
from tests.functions.accounts.memory import Memory

Told = Callable[[], list[Change]]


@pytest.fixture
def quiet(engine: System) -> Iterator[None]:
    """An empty ledger and empty sums on the real engine: the stage is this test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAEL_STAGE", f"t{uuid.uuid4().hex[:12]}")
        settings.cache_clear()
        _provision_tables([table for table in TABLES if table.name in {"ledger", "rollups"}], {"ledger"})
        yield
    settings.cache_clear()


@pytest.fixture
def told(quiet: None) -> Told:
    """All that the ledger's stream tells, from its beginning."""
    streams = aws.client("dynamodbstreams")
    arn = aws.client("dynamodb").describe_table(TableName=table_name("ledger"))["Table"]["LatestStreamArn"]

    def read() -> list[Change]:
        (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        where: dict[str, Any] = {"StreamArn": arn, "ShardId": shard["ShardId"]}
        iterator = streams.get_shard_iterator(**where, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        changes: list[Change] = []
        while True:
            answer = streams.get_records(ShardIterator=iterator)
            if not answer["Records"]:
                return changes
            changes += _decoded(answer["Records"], shard["ShardId"])[0]
            iterator = answer["NextShardIterator"]

    return read


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    """A store in memory in place of the real one."""
    return in_memory(monkeypatch)


def in_memory(patch: pytest.MonkeyPatch) -> Memory:
    """Put a store in memory in place of the real one."""
    shelf = Memory()
    for name in ("get", "scan", "query", "commit"):
        patch.setattr(store, name, getattr(shelf, name))
    return shelf
