"""One commit: all of its writes or none, and refusals that say what stood in the way."""

import uuid
from typing import Any

import pytest

from chassis import aws, store
from chassis.attributes import Item
from chassis.errors import Conflict, NotFound, Problem
from chassis.observe import metered
from chassis.writes import ABSENT, Exists, Key, Write, put, update

pytestmark = pytest.mark.usefixtures("engine")
TABLE = "wallets"


def new_key() -> Key:
    return {"pk": f"test_store#{uuid.uuid4()}"}


def create(key: Key, **item: Any) -> Write:
    return put(TABLE, key, item, ABSENT, refused=Exists)


def read(key: Key) -> Item:
    item = store.get(TABLE, key)
    assert item is not None
    return item


@pytest.mark.parametrize("count", [0, 101])
def test_a_commit_takes_1_to_100_writes(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        store.commit(*[create(new_key()) for _ in range(count)])


def test_a_hundred_writes_are_one_commit_and_read_back_in_order() -> None:
    keys = [new_key() for _ in range(100)]
    with metered() as meter:
        store.commit(*[create(key, n=n) for n, key in enumerate(keys)])
        found = store.get_many([(TABLE, key) for key in [*reversed(keys), new_key()]])
    assert [item and item["n"] for item in found] == [*reversed(range(100)), None]
    assert (meter.write_calls, meter.read_calls) == (1, 2)


@pytest.mark.parametrize("number", [0, -1, 7, 10**15, -(10**15), 10**37])
def test_numbers_come_back_as_integers(number: int) -> None:
    key = new_key()
    store.commit(create(key, n=number, nested={"list": [number]}))
    store.commit(update(TABLE, key, refused=Exists, add={"n": 0}))
    item = read(key)
    assert (item["n"], item["nested"]["list"]) == (number, [number])
    assert type(item["n"]) is type(item["nested"]["list"][0]) is type(item["version"]) is int
    assert item["version"] == 2


def test_an_update_needs_its_item() -> None:
    seen: list[Item | None] = []

    def refused(found: Item | None) -> Problem:
        seen.append(found)
        return NotFound("no")

    with pytest.raises(NotFound):
        store.commit(update(TABLE, new_key(), refused=refused, assign={"a": 1}))
    assert seen == [None]


def test_a_refusal_is_given_the_item_that_stands_in_the_way() -> None:
    key, other = new_key(), new_key()
    store.commit(create(key, n=5))
    for writes in ([create(key, n=6)], [create(other), create(key, n=6)]):
        with pytest.raises(Exists) as refusal:
            store.commit(*writes)
        assert (refusal.value.item["pk"], refusal.value.item["n"]) == (key["pk"], 5)
    assert store.get(TABLE, other) is None


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_first_failing_write_in_the_list_decides_and_nothing_is_written(order: tuple[int, int]) -> None:
    taken, fresh = new_key(), new_key()
    store.commit(create(taken))
    failing_writes = [
        put(TABLE, taken, {}, ABSENT, refused=lambda _: Conflict("0")),
        update(TABLE, new_key(), refused=lambda _: Conflict("1")),
    ]
    with pytest.raises(Conflict, match=str(order[0])):
        store.commit(create(fresh), *[failing_writes[index] for index in order])
    assert store.get(TABLE, fresh) is None


def test_a_query_is_newest_first_from_lower_to_below_upper() -> None:
    partition = str(uuid.uuid4())
    store.commit(*[create(new_key(), list_pk=partition, list_sk=sort) for sort in "abcde"])

    def query(lower: str, upper: str, limit: int) -> str:
        items = store.query(
            TABLE, ("list_pk", partition), ("list_sk", lower, upper), limit=limit, index="list"
        )
        return "".join(item["list_sk"] for item in items)

    assert query("a", "z", 9) == "edcba"
    assert query("b", "d", 9) == "cb"
    assert query("b", "e", 2) == "dc"
    assert query("a", "e", 4) == "dcba"
    assert query("f", "z", 9) == ""


class Paged:
    """A client that scans in small pages."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.pages = 0

    def scan(self, **request: Any) -> Any:
        self.pages += 1
        return self.real.scan(**request, Limit=40)


def test_a_scan_sees_every_item_whatever_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [new_key() for _ in range(100)]
    store.commit(*map(create, keys))
    client = Paged(aws.client("dynamodb"))
    monkeypatch.setattr(aws, "client", lambda _: client)
    scanned = [item["pk"] for item in store.scan(TABLE)]
    assert client.pages >= 3
    assert len(scanned) == len(set(scanned))
    assert {key["pk"] for key in keys} <= set(scanned)


def test_a_scan_of_an_index_sees_the_keys_of_what_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    listed, unlisted = [new_key() for _ in range(45)], new_key()
    places = [{"list_pk": "test_store", "list_sk": key["pk"]} for key in listed]
    store.commit(
        *(create(key, **place, text="any") for key, place in zip(listed, places, strict=True)),
        create(unlisted),
    )
    client = Paged(aws.client("dynamodb"))
    monkeypatch.setattr(aws, "client", lambda _: client)
    scanned = list(store.scan(TABLE, index="list"))
    assert client.pages >= 2
    for key, place in zip(listed, places, strict=True):
        assert scanned.count({**key, **place}) == 1
    assert unlisted["pk"] not in {item["pk"] for item in scanned}
