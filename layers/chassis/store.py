"""Owns every call to DynamoDB: one commit for all writes, and reads that give plain items."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from botocore.exceptions import ClientError

from chassis import attributes, aws, clock, ids, observe
from chassis.attributes import Item
from chassis.config import table_name
from chassis.errors import Unavailable
from chassis.writes import OPERATION, Key, Write

DEADLINE_SECONDS = 3.0
"""No try starts later than this after the first; one that is under way may take another 2 seconds."""
BACKOFF_BASE_SECONDS = 0.02
BACKOFF_CAP_SECONDS = 1.0
BATCH_KEYS = 100
TRANSACTION_WRITES = 100

Answer = TypeVar("Answer")


def commit(*writes: Write) -> None:
    """Execute all of the writes, or none: one conditional call, transactional when there are several.

    Raises what the first write whose condition fails says it means, and Unavailable when the deadline
    passes in conflicts, throttling or silence. Committing twice by our own retry is impossible: a
    transaction keeps one ClientRequestToken, a lone write recognises its own operation id. A lone write
    that adds to a number is a transaction too: another's stamp could cover its own before the retry.
    """
    if not 1 <= len(writes) <= TRANSACTION_WRITES:
        raise ValueError(f"a commit takes 1 to {TRANSACTION_WRITES} writes, not {len(writes)}")
    operation = ids.random("op")
    if len(writes) == 1 and not writes[0].is_additive:
        write = writes[0].stamped(operation)
        _until_deadline(lambda: _write_one(write, operation))
    else:
        _until_deadline(lambda: _write_all(writes, token=operation))


def _write_one(write: Write, operation: str) -> None:
    call = "put_item" if write.item is not None else "update_item"
    counted = observe.meter()
    counted.write_calls += 1
    try:
        answer = getattr(_client(), call)(**write.request(), ReturnConsumedCapacity="TOTAL")
    except ClientError as error:
        if _code(error) != "ConditionalCheckFailedException":
            raise
        counted.write_units += write.full_price()
        found = error.response.get("Item")
        existing = attributes.decode(found) if found else None
        if existing is not None and existing.get(OPERATION) == operation:
            return  # an earlier try of ours succeeded, and only its answer was lost
        raise write.refused(existing) from None
    counted.write_units += answer["ConsumedCapacity"]["CapacityUnits"]


def _write_all(writes: Sequence[Write], token: str) -> None:
    members = [{"Put" if write.item is not None else "Update": write.request()} for write in writes]
    counted = observe.meter()
    counted.write_calls += 1
    try:
        answer = _client().transact_write_items(
            TransactItems=members, ClientRequestToken=token, ReturnConsumedCapacity="TOTAL"
        )
    except ClientError as error:
        if _code(error) != "TransactionCanceledException":
            raise
        # A cancelled transaction reports no capacity and is billed all the same: twice, as a transaction.
        counted.write_units += 2 * sum(write.full_price() for write in writes)
        _raise_first_reason(error, writes)
    else:
        counted.write_units += sum(table["CapacityUnits"] for table in answer["ConsumedCapacity"])


def _raise_first_reason(error: ClientError, writes: Sequence[Write]) -> NoReturn:
    """Raise the business refusal, unless an earlier write met a conflict and its own answer is unknown."""
    for write, reason in zip(writes, error.response["CancellationReasons"], strict=False):
        if reason["Code"] == "ConditionalCheckFailed":
            found = reason.get("Item")
            raise write.refused(attributes.decode(found) if found else None) from None
        if reason["Code"] != "None":
            break
    raise error


def _until_deadline(call: Callable[[], Answer]) -> Answer:
    """The answer of `call`, repeated with full jitter while the failure is transient."""
    started = clock.monotonic()
    tries = 0
    while True:
        try:
            return call()
        except aws.FAILURES as error:
            if not _is_transient(error):
                raise
            ceiling = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2**tries)
            pause = random.uniform(0, ceiling)  # noqa: S311 - jitter, not a secret
            if clock.monotonic() + pause - started > DEADLINE_SECONDS:
                raise Unavailable from error
        tries += 1
        observe.meter().retries += 1
        clock.sleep(pause)


def _is_transient(failure: Exception) -> bool:
    if isinstance(failure, ClientError) and _code(failure) == "TransactionCanceledException":
        codes = {reason["Code"] for reason in failure.response["CancellationReasons"]}
        return bool(codes & aws.TRANSIENT_CODES)
    return aws.is_transient(failure)


def get(table: str, key: Key) -> Item | None:
    """One item as of now (a strongly consistent read), or None."""
    answer = _read("get_item", TableName=table_name(table), Key=attributes.encode(key), ConsistentRead=True)
    return attributes.decode(answer["Item"]) if "Item" in answer else None


def get_many(keys: Iterable[tuple[str, Key]], *, as_of_now: bool = True) -> list[Item | None]:
    """The items of these distinct (table, key) pairs, in their order: one call per 100 of them.

    Read as of a moment ago, they cost half.
    """
    wanted = [(table_name(table), attributes.encode(key)) for table, key in keys]
    found: dict[tuple[str, str], Item] = {}
    for start in range(0, len(wanted), BATCH_KEYS):
        pending: dict[str, Any] = {}
        for table, key in wanted[start : start + BATCH_KEYS]:
            pending.setdefault(table, {"Keys": [], "ConsistentRead": as_of_now})["Keys"].append(key)
        while pending:  # DynamoDB may answer some keys now, and leave the others for a further call
            answer = _read("batch_get_item", RequestItems=pending)
            for table, items in answer["Responses"].items():
                found.update({(table, _identity(item)): attributes.decode(item) for item in items})
            pending = answer.get("UnprocessedKeys", {})
    return [found.get((table, _identity(key))) for table, key in wanted]


def _identity(encoded: Mapping[str, Any]) -> str:
    return "\n".join(encoded[name]["S"] for name in ("pk", "sk") if name in encoded)


def query(
    table: str,
    partition: tuple[str, str],
    sort: tuple[str, str, str],
    *,
    limit: int,
    index: str | None = None,
    oldest_first: bool = False,
) -> list[Item]:
    """Items of one partition (attribute, value), greatest first, with lower <= sort key < upper.

    `sort` is (attribute, lower, upper). Reads of a table are strongly consistent, those of an index can't be.
    """
    attribute, lower, upper = sort
    parameters: dict[str, Any] = {
        "TableName": table_name(table),
        "KeyConditionExpression": "#partition = :partition AND #sort BETWEEN :lower AND :upper",
        "ExpressionAttributeNames": {"#partition": partition[0], "#sort": attribute},
        "ExpressionAttributeValues": attributes.encode(
            {":partition": partition[1], ":lower": lower, ":upper": upper}
        ),
        "ScanIndexForward": oldest_first,
        # BETWEEN includes its upper end, so one more is fetched and the end dropped.
        "Limit": limit + 1,
    }
    if index is None:
        parameters["ConsistentRead"] = True
    else:
        parameters["IndexName"] = index
    items = [attributes.decode(item) for item in _read("query", **parameters)["Items"]]
    return [item for item in items if item[attribute] != upper][:limit]


def scan(table: str, *, index: str | None = None) -> Iterator[Item]:
    """Every item of a table, page by page; not a snapshot: what changes meanwhile may be seen or not.

    Of an index it gives the keys of what is in that, as of a moment ago, and pays for nothing else.
    """
    how: dict[str, Any] = {"ConsistentRead": True} if index is None else {"IndexName": index}
    start: dict[str, Any] = {}
    while True:
        answer = _read("scan", TableName=table_name(table), **how, **start)
        yield from (attributes.decode(item) for item in answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _read(call: str, **parameters: Any) -> Any:
    def attempt() -> Any:
        counted = observe.meter()
        counted.read_calls += 1
        answer = getattr(_client(), call)(**parameters, ReturnConsumedCapacity="TOTAL")
        capacity = answer.get("ConsumedCapacity", [])
        if not capacity and "RequestItems" in parameters:
            counted.read_units += _price_of(parameters["RequestItems"])
        for part in capacity if isinstance(capacity, list) else [capacity]:
            counted.read_units += part["CapacityUnits"]
        return answer

    return _until_deadline(attempt)


def _price_of(requested: Mapping[str, Any]) -> float:
    """The read units of a batch of small items, there or not, where the engine does not tell."""
    return sum(len(part["Keys"]) * (1.0 if part["ConsistentRead"] else 0.5) for part in requested.values())


def _client() -> Any:
    return aws.client("dynamodb")


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
