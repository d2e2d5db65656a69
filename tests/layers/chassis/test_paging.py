"""Lists: whatever the limit, the pages together show each item once, newest first."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chassis import ids, paging, store
from chassis.attributes import Item
from chassis.errors import ValidationFailed
from chassis.paging import Page, PageQuery
from chassis.writes import ABSENT, Exists, put

pytestmark = pytest.mark.usefixtures("engine")
TABLE = "wallets"
LONGEST = 40
property_of_pages = settings(
    derandomize=True,
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def created_at(number: int) -> str:
    # Three in the same moment, so that the id has to break the tie.
    return f"2026-11-23T09:30:00.{number // 3:06}Z"


def new_list(count: int) -> tuple[str, list[str]]:
    """A partition, and the ids of its items, newest first."""
    partition = f"test_paging#{uuid.uuid4()}"
    items = [(created_at(number), f"{partition}#{number}") for number in range(count)]
    if items:
        store.commit(
            *[
                put(TABLE, {"pk": pk}, paging.listed(partition, at, pk), ABSENT, refused=Exists)
                for at, pk in items
            ]
        )
    return partition, [pk for _, pk in sorted(items, reverse=True)]


@pytest.fixture(scope="module")
def lists(engine: object) -> dict[int, tuple[str, list[str]]]:
    return {count: new_list(count) for count in (0, 1, 6, 20, LONGEST)}


def load(items: list[Item]) -> list[str | None]:
    return [str(item["pk"]) for item in items]


def pages(
    partition: str,
    limit: int,
    keep: Callable[[str], bool] = lambda _: True,
    load: Callable[[list[Item]], list[str | None]] = load,
) -> list[Page[str]]:
    found, cursor = [], None
    while True:
        query = PageQuery(limit=limit, cursor=cursor)
        found.append(paging.newest(TABLE, partition, query, load, keep))
        cursor = found[-1].next_cursor
        if cursor is None:
            return found
        assert len(found) <= LONGEST + 1


def test_items_spread_over_all_shards() -> None:
    shards = {paging.listed("p", "t", str(number))["list_pk"] for number in range(200)}
    assert shards == {f"p#{shard}" for shard in range(paging.SHARDS)}


@property_of_pages
@given(count=st.sampled_from([0, 1, 6, 20, LONGEST]), limit=st.integers(1, LONGEST + 5))
def test_pages_of_any_limit_show_every_item_once_newest_first(
    lists: dict[int, tuple[str, list[str]]], count: int, limit: int
) -> None:
    partition, newest_first = lists[count]
    found = pages(partition, limit)
    assert [pk for page in found for pk in page.data] == newest_first
    # None is empty but the only one of an empty list: an exact multiple ends on a full page.
    assert [len(page.data) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert len(found) == max(1, -(-count // limit))


@property_of_pages
@given(limit=st.integers(1, 12), kept=st.integers(1, 5), missing=st.integers(2, 5))
def test_a_filter_leaves_out_and_never_repeats(
    lists: dict[int, tuple[str, list[str]]], limit: int, kept: int, missing: int
) -> None:
    partition, newest_first = lists[20]

    def number(pk: str) -> int:
        return int(pk.rpartition("#")[2])

    def load_some(items: list[Item]) -> list[str | None]:
        return [pk if pk and number(pk) % missing else None for pk in load(items)]

    found = pages(partition, limit, keep=lambda pk: number(pk) % kept == 0, load=load_some)
    expected = [pk for pk in newest_first if number(pk) % kept == 0 and number(pk) % missing]
    assert [pk for page in found for pk in page.data] == expected
    assert all(len(page.data) <= limit for page in found)


def test_a_filter_that_keeps_nothing_looks_through_a_bounded_part(
    lists: dict[int, tuple[str, list[str]]],
) -> None:
    asked: list[int] = []

    def load_and_count(items: list[Item]) -> list[str | None]:
        asked.append(len(items))
        return load(items)

    partition, _ = lists[LONGEST]
    page = paging.newest(TABLE, partition, PageQuery(limit=2), load_and_count, lambda _: False)
    assert page.data == []
    assert page.next_cursor is not None
    assert asked == [2] * paging.MAX_ROUNDS


def test_an_item_that_comes_between_two_pages_disturbs_neither() -> None:
    partition, newest_first = new_list(4)
    first = paging.newest(TABLE, partition, PageQuery(limit=2), load)
    pk = f"{partition}#new"
    newer = paging.listed(partition, created_at(999), pk)
    store.commit(put(TABLE, {"pk": pk}, newer, ABSENT, refused=Exists))
    second = paging.newest(TABLE, partition, PageQuery(limit=2, cursor=first.next_cursor), load)
    assert first.data + second.data == newest_first
    assert second.next_cursor is None


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "\x00",
        "=" * 8,
        ids.pack("2026", "two parts"),
        ids.pack(""),
        ids.pack("ENTRY#2026-11-23T09:30:00.000000Z#of_a_statement"),
        ids.pack(":"),
        ids.pack("/"),
        ids.pack("2026\n"),
    ],
    ids=str.__repr__,
)
def test_a_cursor_that_no_page_gave_is_refused(cursor: str) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        paging.newest(TABLE, "nobody's", PageQuery(cursor=cursor), load)
    (fault,) = refusal.value.faults
    assert (fault.place, fault.pointer) == ("query", "/cursor")


def test_a_cursor_of_another_list_is_refused(lists: dict[int, tuple[str, list[str]]]) -> None:
    foreign = paging.newest(TABLE, lists[6][0], PageQuery(limit=1), load).next_cursor
    with pytest.raises(ValidationFailed):
        paging.newest(TABLE, lists[20][0], PageQuery(limit=1, cursor=foreign), load)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "x"},
        {"cursor": "x" * 513},
        {"cursor": "\ud800"},
        {"offset": 1},
    ],
)
def test_a_page_query_is_bounded(query: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PageQuery.model_validate(query)
