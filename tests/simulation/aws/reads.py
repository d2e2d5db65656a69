"""Owns reads of DynamoDB: GetItem, BatchGetItem, and the pages of Query and Scan."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from math import ceil
from typing import Any, Final
from zlib import crc32

from tests.simulation.aws.key_conditions import key_condition, require_keys, span, texts
from tests.simulation.aws.requests import key_of, require_defined
from tests.simulation.aws.tables import IndexState, Key, Spot, TableState
from tests.simulation.aws.values import Invalid, Item, Typed, measured_item

READ_UNIT_BYTES: Final = 4096
PAGE_BYTES: Final = 1024 * 1024
BATCH_KEYS: Final = 100
BATCH_BYTES: Final = 16 * 1024 * 1024
_GET: Final = {"TableName", "Key", "ConsistentRead", "ReturnConsumedCapacity"}
_PAGE: Final = {
    *("TableName", "IndexName", "Limit", "ExclusiveStartKey", "ConsistentRead", "ReturnConsumedCapacity"),
}
_QUERY: Final = {
    *_PAGE,
    *("KeyConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues", "ScanIndexForward"),
}

Found = Iterator[tuple[Key, Item, int]]
"""Key, item and bytes."""


def get(table: TableState, parameters: Mapping[str, Any]) -> tuple[Item | None, float]:
    """One item and its read units. Raises Invalid."""
    require_known(parameters, _GET, "GetItem")
    as_of_now = parameters.get("ConsistentRead", False)
    key = key_of(table, parameters["Key"])
    item = table.seen(key, as_of_now=as_of_now)
    return item, read_units(_bytes(table, key, item), as_of_now=as_of_now)


def get_many(table: TableState, asked: Mapping[str, Any]) -> tuple[list[Item], int, float]:
    """The items of one table in a batch, their bytes and their read units. Raises Invalid."""
    require_known(asked, {"Keys", "ConsistentRead"}, "BatchGetItem")
    as_of_now = asked.get("ConsistentRead", False)
    keys = [key_of(table, key) for key in asked["Keys"]]
    if len(set(keys)) < len(keys):
        raise Invalid("Provided list of item keys contains duplicates")
    items: list[Item] = []
    total, spent = 0, 0.0
    for key in keys:
        item = table.seen(key, as_of_now=as_of_now)
        size = _bytes(table, key, item)
        total += size
        spent += read_units(size, as_of_now=as_of_now)
        if item is not None:
            items.append(dict(item))
    return items, total, spent


def query(table: TableState, parameters: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
    """A page of one partition, and its read units. Raises Invalid."""
    require_known(parameters, _QUERY, "Query")
    index, as_of_now = _where(table, parameters)
    wanted = key_condition(parameters["KeyConditionExpression"])
    names = parameters.get("ExpressionAttributeNames", {})
    values = parameters.get("ExpressionAttributeValues", {})
    require_defined(parameters.get("ExpressionAttributeNames"), wanted.names, "name")
    require_defined(parameters.get("ExpressionAttributeValues"), wanted.values, "value")
    keys = table.key_names if index is None else (index.declared.partition, index.declared.sort)
    require_keys(wanted, names, keys)
    (partition,) = texts(values, wanted.partition[1:])
    if index is None:
        places = table.places(partition, as_of_now=as_of_now)
    else:
        places = index.partitions.get(partition, [])
    start, end = span(places, wanted.comparator, texts(values, wanted.operands))
    if "ExclusiveStartKey" in parameters:
        started = _place(table, index, parameters["ExclusiveStartKey"])
        if parameters.get("ScanIndexForward", True):
            start = max(start, bisect_right(places, started))
        else:
            end = min(end, bisect_left(places, started))
    forward = parameters.get("ScanIndexForward", True)
    chosen = range(start, end) if forward else range(end - 1, start - 1, -1)
    entries = ((partition, places[number]) for number in chosen)
    found = _found(table, index, entries, as_of_now=as_of_now)
    return _page(table, index, found, parameters, as_of_now=as_of_now)


def scan(table: TableState, parameters: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
    """A page of everything, in an order that means nothing, and its read units. Raises Invalid."""
    require_known(parameters, _PAGE, "Scan")
    index, as_of_now = _where(table, parameters)
    everything: Iterable[tuple[str, Spot]]
    if index is None:
        keys = table.keys(as_of_now=as_of_now)
        everything = ((pk, () if sk is None else (sk,)) for pk, sk in keys)
    else:
        everything = ((pk, place) for pk, places in index.partitions.items() for place in places)
    ordered = sorted((crc32(partition.encode()), partition, place) for partition, place in everything)
    if "ExclusiveStartKey" in parameters:
        last = parameters["ExclusiveStartKey"]
        partition = last["pk" if index is None else index.declared.partition]["S"]
        here = (crc32(partition.encode()), partition, _place(table, index, last))
        ordered = ordered[bisect_right(ordered, here) :]
    entries = ((partition, place) for _, partition, place in ordered)
    found = _found(table, index, entries, as_of_now=as_of_now)
    return _page(table, index, found, parameters, as_of_now=as_of_now)


def require_known(parameters: Mapping[str, Any], known: set[str], operation: str) -> None:
    """Raise NotImplementedError for a parameter that nothing here looks at."""
    unknown = parameters.keys() - known
    if unknown:
        raise NotImplementedError(f"{', '.join(sorted(unknown))} of {operation}")


def read_units(size: int, *, as_of_now: bool) -> float:
    """The read units of so many bytes: half for what may be of a moment ago."""
    return max(1, ceil(size / READ_UNIT_BYTES)) * (1.0 if as_of_now else 0.5)


def _bytes(table: TableState, key: Key, item: Item | None) -> int:
    if item is None:
        return 0
    return table.sizes[key] if item is table.items.get(key) else measured_item(item)[1]


def _where(table: TableState, parameters: Mapping[str, Any]) -> tuple[IndexState | None, bool]:
    name, as_of_now = parameters.get("IndexName"), parameters.get("ConsistentRead", False)
    if name is None:
        return None, as_of_now
    if name not in table.indexes:
        raise Invalid(f"The table does not have the specified index: {name}")
    if as_of_now:
        raise Invalid("Consistent reads are not supported on global secondary indexes")
    return table.index(name), False


def _place(table: TableState, index: IndexState | None, last: Mapping[str, Typed]) -> Spot:
    """The place of an ExclusiveStartKey."""
    names = table.key_names[1:] if index is None else (index.declared.sort, *table.key_names)
    partition = "pk" if index is None else index.declared.partition
    if last.keys() != {partition, *names, *table.key_names}:
        raise Invalid("The provided starting key is invalid")
    return tuple(last[name]["S"] for name in names)


def _found(
    table: TableState, index: IndexState | None, entries: Iterable[tuple[str, Spot]], *, as_of_now: bool
) -> Found:
    for partition, place in entries:
        if index is not None:
            key = (place[1], place[2] if len(place) > 2 else None)
            yield key, index.shown((partition, place)), index.entry_bytes((partition, place))
            continue
        key = (partition, place[0] if place else None)
        item = table.seen(key, as_of_now=as_of_now)
        if item is not None:
            yield key, dict(item), _bytes(table, key, item)


def _page(
    table: TableState,
    index: IndexState | None,
    found: Found,
    parameters: Mapping[str, Any],
    *,
    as_of_now: bool,
) -> tuple[dict[str, Any], float]:
    limit = parameters.get("Limit", PAGE_BYTES)
    if limit < 1:
        raise Invalid("Limit is at least 1")
    items: list[Item] = []
    total = 0
    answer: dict[str, Any] = {"Items": items}
    for _, item, size in found:
        if items and total + size > PAGE_BYTES:
            answer["LastEvaluatedKey"] = _last(table, index, items[-1])
            break
        items.append(item)
        total += size
        if len(items) == limit or total >= PAGE_BYTES:
            answer["LastEvaluatedKey"] = _last(table, index, items[-1])
            break
    answer["Count"] = answer["ScannedCount"] = len(items)
    return answer, read_units(total, as_of_now=as_of_now)


def _last(table: TableState, index: IndexState | None, item: Item) -> Item:
    names = table.key_names
    if index is not None:
        names = (*names, index.declared.partition, index.declared.sort)
    return {name: item[name] for name in names}
