"""Owns lists: newest first over write-sharded index partitions, one cursor for all shards."""

import heapq
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from chassis import ids, store
from chassis.attributes import Item
from chassis.errors import ValidationFailed

SHARDS = 8
"""An index partition takes 1,000 writes a second, and a hot one throttles its table. It may only grow."""
MAX_ROUNDS = 10
"""How many pages a filter may look through before it answers with what it has, and a cursor to go on."""

_LIST_RANGE = ("0", ":")
"""List sort keys start with a timestamp, so with a digit; `:` follows `9`."""

Resource = TypeVar("Resource")


class PageQuery(BaseModel):
    """How much of a list to show, and where to go on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=100, description="How many at most.")] = 20
    cursor: Annotated[
        str | None, Field(max_length=512, description="The `next_cursor` of the page before.")
    ] = None


class Page(BaseModel, Generic[Resource]):
    """A part of a list, newest first; `next_cursor` is null on its last page."""

    data: list[Resource]
    next_cursor: str | None


def listed(partition: str, created_at: str, identity: str) -> Item:
    """The index attributes that put an item into a list; they never change, so no later write pays."""
    shard = shard_of(identity, SHARDS)
    return {"list_pk": f"{partition}#{shard}", "list_sk": f"{created_at}#{identity}"}


def shard_of(identity: str, shards: int) -> int:
    """The one of so many shards that always has this item."""
    return int.from_bytes(sha256(identity.encode()).digest()[:2]) % shards


def bound(query: PageQuery, listing: str, lower: str, upper: str) -> str:
    """The sort key below which the page of that list starts: the cursor's, or `upper` on the first page.

    Raises ValidationFailed for a cursor that is not from this list.
    """
    if query.cursor is None:
        return upper
    unpacked = ids.unpack(query.cursor, 2)
    if unpacked is None or unpacked[0] != ids.fingerprint(listing) or not lower <= unpacked[1] < upper:
        raise not_a_cursor()
    return unpacked[1]


def not_a_cursor() -> ValidationFailed:
    """The refusal of a cursor that is not from this list."""
    return ValidationFailed.of("query", "/cursor", "is not the next_cursor of an earlier page")


def cursor(listing: str, sort_key: str) -> str:
    """The token for going on with that list below that sort key."""
    return ids.pack(ids.fingerprint(listing), sort_key)


def newest(
    table: str,
    partition: str,
    query: PageQuery,
    load: Callable[[list[Item]], list[Resource | None]],
    keep: Callable[[Resource], bool] = lambda _: True,
    *,
    between: tuple[str, str] = _LIST_RANGE,
) -> Page[Resource]:
    """A page of the partition's list: `load` turns index items into resources, `keep` filters them.

    `between` are timestamps, the second one excluded, that the list is cut to.
    A filter applies after the read, so a page may be short; `next_cursor` alone tells whether it is the last.
    """
    listing = f"{table}/{partition}"
    oldest, newest_of_all = between
    before = bound(query, listing, oldest, newest_of_all)
    kept: list[Resource] = []
    for _ in range(MAX_ROUNDS):
        found = _merge(table, partition, (oldest, before), query.limit + 1)
        here = found[: query.limit]
        for position, (item, resource) in enumerate(zip(here, load(here), strict=True), start=1):
            before = str(item["list_sk"])
            if resource is not None and keep(resource):
                kept.append(resource)
            if len(kept) == query.limit:
                return Page(data=kept, next_cursor=cursor(listing, before) if position < len(found) else None)
        if len(found) <= query.limit:
            return Page(data=kept, next_cursor=None)
    return Page(data=kept, next_cursor=cursor(listing, before))


def _merge(table: str, partition: str, between: tuple[str, str], limit: int) -> list[Item]:
    shards = (
        store.query(
            table, ("list_pk", f"{partition}#{shard}"), ("list_sk", *between), limit=limit, index="list"
        )
        for shard in range(SHARDS)
    )
    newest_first = heapq.merge(*shards, key=lambda item: str(item["list_sk"]), reverse=True)
    return list(newest_first)[:limit]


def of_few(
    listing: str, resources: Iterable[Resource], query: PageQuery, key: Callable[[Resource], str]
) -> Page[Resource]:
    """A page of a list that is at hand as a whole; `key` starts with a timestamp."""
    before = bound(query, listing, *_LIST_RANGE)
    below = (resource for resource in resources if key(resource) < before)
    found = heapq.nlargest(query.limit + 1, below, key=key)
    here = found[: query.limit]
    return Page(data=here, next_cursor=cursor(listing, key(here[-1])) if len(found) > len(here) else None)
