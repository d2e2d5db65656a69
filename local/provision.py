"""Brings what `infra.declaration` declares into being, from a process whose environment names the engine."""

import sys
from collections.abc import Sequence
from typing import Any

from chassis import aws
from chassis.config import ConfigurationError, Engine, settings, table_name
from infra.declaration import KEYS, QUEUES, STREAMS, TABLES, Queue, Stream, Table
from local import keys
from local import queues as queueing
from local.errors import LocalError

STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
EXPIRY = "ttl"
"""The attribute with the moment after which an item is removed."""
EXPIRING = {"ENABLED", "ENABLING"}


def main() -> None:
    """Provision, or say in one line of stderr why not."""
    try:
        provision()
    except (LocalError, ConfigurationError) as error:
        sys.exit(str(error))


def provision(
    tables: Sequence[Table] = TABLES, queues: Sequence[Queue] = QUEUES, streams: Sequence[Stream] = STREAMS
) -> None:
    """Create what is missing; in the cloud only check, for the deployed stack owns it all."""
    _provision_tables(tables, {stream.table for stream in streams})
    queueing.provision(queues, streams)
    keys.provision(KEYS)


def _provision_tables(tables: Sequence[Table], streamed: set[str]) -> None:
    dynamodb = aws.administrator("dynamodb")
    existing = {table.name: _describe(dynamodb, table) for table in tables}
    missing = [table for table in tables if existing[table.name] is None]
    if missing and settings().engine is Engine.AWS:
        names = ", ".join(table_name(table.name) for table in missing)
        raise LocalError(f"Deploy the stack first: {settings().region} has no tables {names}.")
    for table in tables:
        found = existing[table.name]
        if found is not None:
            _require_shape(table, found)
            if table.name in streamed and not found.get("StreamSpecification", {}).get("StreamEnabled"):
                dynamodb.update_table(TableName=table_name(table.name), StreamSpecification=STREAM)
    for table in missing:
        _create(dynamodb, table, streamed=table.name in streamed)
    for table in missing:
        dynamodb.get_waiter("table_exists").wait(
            TableName=table_name(table.name), WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    for table in (table for table in tables if table.expires):
        _let_expire(dynamodb, table)


def _describe(dynamodb: Any, table: Table) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = dynamodb.describe_table(TableName=table_name(table.name))["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return None
    return found


def _create(dynamodb: Any, table: Table, *, streamed: bool) -> None:
    names = [name for keys in _shape(table).values() for name in keys]
    request: dict[str, Any] = {
        "TableName": table_name(table.name),
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _key_schema(_shape(table)[""]),
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"} for name in dict.fromkeys(names)
        ],
    }
    if streamed:
        request["StreamSpecification"] = STREAM
    if table.indexes:
        request["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index.name,
                "KeySchema": _key_schema((index.partition, index.sort)),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index in table.indexes
        ]
    try:
        dynamodb.create_table(**request)
    except dynamodb.exceptions.ResourceInUseException:
        # Another system on the same LocalStack was quicker; it created the same thing.
        return


def _let_expire(dynamodb: Any, table: Table) -> None:
    """Have the table's items removed in their time; a table that does so already refuses to be told again."""
    name = table_name(table.name)
    found = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if found["TimeToLiveStatus"] not in EXPIRING:
        wanted = {"Enabled": True, "AttributeName": EXPIRY}
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)


def _shape(table: Table) -> dict[str, tuple[str, ...]]:
    """The key attributes of the table (under the empty name) and of each index."""
    shape: dict[str, tuple[str, ...]] = {"": ("pk", "sk") if table.sort_key else ("pk",)}
    for index in table.indexes:
        shape[index.name] = (index.partition, index.sort)
    return shape


def _key_schema(names: tuple[str, ...]) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds, strict=False)]


def _require_shape(table: Table, found: dict[str, Any]) -> None:
    """A table that an older declaration made would fail later, in the middle of somebody's payment."""
    indexes = found.get("GlobalSecondaryIndexes") or []
    actual = {"": _names(found)} | {index["IndexName"]: _names(index) for index in indexes}
    if actual != _shape(table):
        raise LocalError(
            f"The table {table_name(table.name)} has other keys or indexes than this version declares: "
            "start afresh with another --state, or migrate it."
        )


def _names(described: dict[str, Any]) -> tuple[str, ...]:
    ordered = sorted(described["KeySchema"], key=lambda key: key["KeyType"])  # HASH before RANGE
    return tuple(key["AttributeName"] for key in ordered)


if __name__ == "__main__":
    main()
