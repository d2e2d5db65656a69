"""Brings the tables of `infra.declaration` into being, from a process whose environment names the engine."""

import sys
from typing import Any

from chassis import aws
from chassis.config import ConfigurationError, Engine, settings, table_name
from infra.declaration import TABLES, Table
from local.errors import LocalError


def main() -> None:
    """Provision, or say in one line of stderr why not."""
    try:
        provision()
    except (LocalError, ConfigurationError) as error:
        sys.exit(str(error))


def provision() -> None:
    """Create the tables that are missing; in the cloud only check, for the deployed stack owns them."""
    dynamodb = aws.administrator("dynamodb")
    existing = {table.name: _describe(dynamodb, table) for table in TABLES}
    missing = [table for table in TABLES if existing[table.name] is None]
    if missing and settings().engine is Engine.AWS:
        names = ", ".join(table_name(table.name) for table in missing)
        raise LocalError(f"Deploy the stack first: {settings().region} has no tables {names}.")
    for table in TABLES:
        found = existing[table.name]
        if found is not None:
            _require_shape(table, found)
    for table in missing:
        _create(dynamodb, table)
    for table in missing:
        dynamodb.get_waiter("table_exists").wait(
            TableName=table_name(table.name), WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )


def _describe(dynamodb: Any, table: Table) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = dynamodb.describe_table(TableName=table_name(table.name))["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return None
    return found


def _create(dynamodb: Any, table: Table) -> None:
    names = [name for keys in _shape(table).values() for name in keys]
    request: dict[str, Any] = {
        "TableName": table_name(table.name),
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _key_schema(_shape(table)[""]),
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"} for name in dict.fromkeys(names)
        ],
    }
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
