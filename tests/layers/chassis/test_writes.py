"""A write is a value: its request names every attribute by a placeholder, and its price is known before."""

import uuid
from typing import Any

import pytest

from chassis import store, writes
from chassis.attributes import Item
from chassis.writes import (
    ABSENT,
    Condition,
    Exists,
    Write,
    absent_or,
    at_least,
    at_most,
    equals,
    put,
    replace_version,
    update,
    upsert,
)

pytestmark = pytest.mark.usefixtures("engine")
KEY = {"pk": "a", "sk": "b"}
TABLE = "tael-local-ledger"
ALL_OLD = {"TableName": TABLE, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


def test_a_put_is_the_whole_item_at_its_first_version() -> None:
    assert put("ledger", KEY, {"status": "new", "n": None}, ABSENT, refused=Exists).request() == {
        **ALL_OLD,
        "Item": {"pk": {"S": "a"}, "sk": {"S": "b"}, "status": {"S": "new"}, "version": {"N": "1"}},
        "ConditionExpression": "attribute_not_exists(#pk)",
        "ExpressionAttributeNames": {"#pk": "pk"},
    }


def test_a_put_without_conditions_has_no_expression() -> None:
    request = put("ledger", KEY, {}, refused=Exists).request()
    assert request.keys() == {*ALL_OLD, "Item"}


def test_a_replacement_is_the_next_version_of_the_one_that_was_read() -> None:
    request = replace_version("ledger", KEY, {"n": 1}, 4, refused=Exists).request()
    assert request["Item"]["version"] == {"N": "5"}
    assert request["ConditionExpression"] == "#version = :0"
    assert request["ExpressionAttributeValues"] == {":0": {"N": "4"}}


def test_an_update_assigns_and_adds_under_all_of_its_conditions() -> None:
    write = update(
        "ledger",
        KEY,
        equals("status", "active"),
        at_least("n", 3),
        at_most("n", 9),
        Condition("status", "<>", "closed"),
        refused=Exists,
        assign={"key": "x", "size": 1},
        add={"n": -3},
    )
    assert write.request() == {
        **ALL_OLD,
        "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}},
        "UpdateExpression": "SET #key = :0, #size = :1 ADD #n :2, #version :3",
        "ConditionExpression": "attribute_exists(#pk) AND #status = :4 AND #n >= :5 AND #n <= :6"
        " AND #status <> :7",
        "ExpressionAttributeNames": {
            f"#{name}": name for name in ("key", "size", "n", "version", "pk", "status")
        },
        "ExpressionAttributeValues": {
            ":0": {"S": "x"},
            ":1": {"N": "1"},
            ":2": {"N": "-3"},
            ":3": {"N": "1"},
            ":4": {"S": "active"},
            ":5": {"N": "3"},
            ":6": {"N": "9"},
            ":7": {"S": "closed"},
        },
    }


@pytest.mark.parametrize(
    "write",
    [put("ledger", KEY, {"n": 1}, refused=Exists), update("ledger", KEY, refused=Exists, add={"n": 1})],
    ids=["put", "update"],
)
def test_a_stamped_write_leaves_its_operation_and_the_original_does_not(write: Write) -> None:
    def leaves(stamped: Write) -> bool:
        return writes.OPERATION in {**(stamped.item or {}), **stamped.assign}

    assert leaves(write.stamped("op_1"))
    assert not leaves(write)
    assert "op_1" in str(write.stamped("op_1").request())


@pytest.mark.parametrize(
    ("item", "units"),
    # The key and `version` take 15 bytes: pk, a, sk, b, version and its number.
    [({}, 1), ({"x": "y" * 1007}, 1), ({"x": "y" * 1009}, 2), ({"x": "y" * 2030}, 2), ({"x": "y" * 2040}, 3)],
    ids=["empty", "below_1_KB", "above_1_KB", "below_2_KB", "above_2_KB"],
)
def test_a_write_costs_a_unit_for_every_started_kilobyte(item: Item, units: int) -> None:
    assert put("ledger", KEY, item, refused=Exists).full_price() == units
    assert update("ledger", KEY, refused=Exists, assign=item).full_price() == units


@pytest.mark.parametrize("item", [None, {"n": 1}])
def test_a_record_that_exists_says_what_it_is(item: dict[str, Any] | None) -> None:
    if item is None:
        with pytest.raises(TypeError):
            Exists(item)
    else:
        assert Exists(item).item == item


def test_an_upsert_makes_an_item_or_adds_to_one(engine: object) -> None:
    # Not in the ledger, whose stream is followed by somebody who knows what belongs there.
    key = {"pk": f"upsert-{uuid.uuid4()}"}

    def add(amount: int, status: str) -> Write:
        return upsert(
            "wallets",
            key,
            absent_or(equals("status", "open")),
            refused=Exists,
            initial={"status": status, "kind": "first"},
            add={"n": amount},
        )

    store.commit(add(2, "open"))
    store.commit(add(3, "ignored"))
    assert store.get("wallets", key) == {**key, "status": "open", "kind": "first", "n": 5, "version": 2}

    store.commit(update("wallets", key, refused=Exists, assign={"status": "closed"}))
    with pytest.raises(Exists) as refused:
        store.commit(add(1, "open"))
    assert refused.value.item["n"] == 5
