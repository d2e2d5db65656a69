"""Holds the expression language to DynamoDB's documentation, and to what was found at DynamoDB itself."""

from typing import Any

import pytest

from tests.simulation.aws.expressions import condition
from tests.simulation.aws.updates import update
from tests.simulation.aws.values import Invalid, Item, Unfit, canonical, measured

ITEM: Item = {
    "text": {"S": "abc"},
    "number": {"N": "12"},
    "list": {"L": [{"S": "x"}, {"N": "1"}]},
    "flag": {"BOOL": True},
}
NAMES = {f"#{name}": name for name in (*ITEM, "absent", "other")}
VALUES: Item = {
    ":text": {"S": "abc"},
    ":ab": {"S": "ab"},
    ":b": {"S": "b"},
    ":x": {"S": "x"},
    ":nine": {"N": "9"},
    ":twelve": {"N": "12"},
    ":one": {"N": "1"},
    ":two": {"N": "2"},
    ":three": {"N": "3"},
    ":true": {"BOOL": True},
}
SIZED = {name: measured(value) for name, value in VALUES.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#text = :text", True),
        ("#text <> :text", False),
        ("#number = :text", False),
        ("#number > :nine", True),  # as numbers: as texts 12 comes before 9
        ("#number >= :text", False),
        ("#flag = :true", True),
        ("#absent = :text", False),
        ("#absent <> :text", True),
        ("#absent <> #other", True),
        ("#absent = #other", False),
        ("#absent < :nine", False),
        ("NOT #absent < :nine", True),
        ("attribute_exists(#text)", True),
        ("attribute_not_exists(#text)", False),
        ("begins_with(#text, :ab)", True),
        ("begins_with(#absent, :ab)", False),
        ("contains(#text, :b)", True),
        ("contains(#list, :x)", True),
        ("contains(#list, :b)", False),
        ("size(#text) = :three", True),
        ("size(#list) < :three", True),
        ("size(#absent) < :three", False),
        ("#number BETWEEN :nine AND :twelve", True),
        ("#number between :one and :nine", False),
        ("#text IN (:ab, :text)", True),
        ("#absent IN (:ab)", False),
        # AND binds closer than OR, and NOT closer than both.
        ("#text = :text OR #text = :ab AND #text = :b", True),
        ("(#text = :text OR #text = :ab) AND #text = :b", False),
        ("NOT #text = :text OR #text = :text", True),
        ("NOT (#text = :text OR #text = :text)", False),
    ],
)
def test_what_conditions_mean(text: str, expected: bool) -> None:
    assert condition(text).holds(ITEM, NAMES, SIZED) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#text =",
        "#text = :text)",
        "((#text = :text))",
        "#text IN ()",
        "AND",
        "#text = :text #text",
        "#a = :b OR",
    ],
)
def test_conditions_that_are_none(text: str) -> None:
    with pytest.raises((Invalid, NotImplementedError)):
        condition(text)


@pytest.mark.parametrize(
    "text",
    [
        "status = :text",
        "#list[0] = :x",
        "#map.#text = :x",
        "attribute_type(#text, :text)",
        "size(#text) <> :one",
    ],
)
def test_what_the_model_has_not_got_is_never_passed_by(text: str) -> None:
    with pytest.raises(NotImplementedError):
        condition(text)


def changed(text: str) -> dict[str, Any]:
    compiled = update(text)
    return {NAMES[name]: computed(ITEM, NAMES, SIZED)[0] for name, computed in compiled.assigned}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SET #other = :text", {"other": {"S": "abc"}}),
        ("SET #number = #number - :nine", {"number": {"N": "3"}}),
        ("SET #other = if_not_exists(#number, :nine) + :one", {"other": {"N": "13"}}),
        ("SET #other = if_not_exists(#absent, :nine)", {"other": {"N": "9"}}),
        # All operands are as they were before the update.
        ("SET #number = :one, #other = #number", {"number": {"N": "1"}, "other": {"N": "12"}}),
        ("ADD #number :one, #absent :two", {"number": {"N": "13"}, "absent": {"N": "2"}}),
        ("SET #text = :ab ADD #number :one REMOVE #list", {"text": {"S": "ab"}, "number": {"N": "13"}}),
    ],
)
def test_what_updates_mean(text: str, expected: dict[str, Any]) -> None:
    assert changed(text) == expected


@pytest.mark.parametrize("text", ["SET #other = #absent", "SET #other = #text + :one", "ADD #text :one"])
def test_updates_that_do_not_fit_the_item(text: str) -> None:
    with pytest.raises(Unfit):
        changed(text)


@pytest.mark.parametrize(
    "text", ["", "SET", "SET #a :b", "SET #a = :b SET #c = :d", "PUT #a = :b", "REMOVE :b"]
)
def test_updates_that_are_none(text: str) -> None:
    with pytest.raises((Invalid, NotImplementedError)):
        update(text)


@pytest.mark.parametrize("text", ["DELETE #list :x", "SET #a = list_append(#a, :x)", "SET #a[0] = :x"])
def test_updates_that_the_model_has_not_got(text: str) -> None:
    with pytest.raises(NotImplementedError):
        update(text)


@pytest.mark.parametrize(
    ("text", "kept", "size"),
    [
        ("0", "0", 1),
        ("-0", "0", 1),
        ("007", "7", 2),
        ("1250", "1250", 3),
        ("1000", "1000", 2),
        ("-1.50", "-1.5", 4),
        ("1e3", "1000", 2),
        (".05", "0.05", 2),
        ("9" * 38, "9" * 38, 20),
        ("9" * 38 + "00", "9" * 38 + "00", 20),
    ],
)
def test_numbers_are_kept_exactly_and_plainly(text: str, kept: str, size: int) -> None:
    assert canonical(text) == (kept, size)


@pytest.mark.parametrize("text", ["", "x", "1 ", "NaN", "Infinity", "9" * 39, "1e126", "1e-131"])
def test_numbers_that_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        canonical(text)
