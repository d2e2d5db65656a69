"""The tables: on demand, encrypted with our own key, restorable to any second, kept without the stack."""

from infra.declaration import STREAMS, TABLES, Table
from infra.template.keys import DATA_KEY
from infra.template.words import IS_PRODUCTION, Resources, Value, attribute, kept, logical, staged, when

EXPIRY = "ttl"
"""The attribute with the moment after which an item is removed."""


def table_id(name: str) -> str:
    """A table's logical id."""
    return logical(name, "Table")


def tables() -> Resources:
    """Every declared table."""
    streamed = {stream.table for stream in STREAMS}
    return {
        table_id(table.name): kept("DynamoDB::Table", _table(table, streamed=table.name in streamed))
        for table in TABLES
    }


def _table(table: Table, *, streamed: bool) -> dict[str, Value]:
    keys = ("pk", "sk") if table.sort_key else ("pk",)
    names = [*keys, *(name for index in table.indexes for name in (index.partition, index.sort))]
    properties: dict[str, Value] = {
        "TableName": staged(table.name),
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _schema(keys),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "SSESpecification": {
            "SSEEnabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": attribute(DATA_KEY),
        },
        "DeletionProtectionEnabled": when(IS_PRODUCTION, yes=True, no=False),
    }
    if table.indexes:
        properties["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index.name,
                "KeySchema": _schema((index.partition, index.sort)),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index in table.indexes
        ]
    if streamed:
        properties["StreamSpecification"] = {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    if table.expires:
        properties["TimeToLiveSpecification"] = {"AttributeName": EXPIRY, "Enabled": True}
    return properties


def _schema(keys: tuple[str, ...]) -> list[Value]:
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(keys, ("HASH", "RANGE"), strict=False)
    ]
