"""The stored form of values: whole numbers only, nothing lost, and the size that is billed."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import attributes

NUMBERS = st.integers(min_value=-(10**38) + 1, max_value=10**38 - 1)
VALUES = st.recursive(
    st.text() | NUMBERS | st.booleans(),
    lambda members: st.lists(members, max_size=4) | st.dictionaries(st.text(min_size=1), members, max_size=4),
    max_leaves=12,
)


def types(value: Any) -> Any:
    match value:
        case dict():
            return {name: types(member) for name, member in value.items()}
        case list():
            return [types(member) for member in value]
    return type(value)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(item=st.dictionaries(st.text(min_size=1), VALUES, max_size=6))
def test_an_item_comes_back_as_it_was_and_of_the_same_types(item: dict[str, Any]) -> None:
    back = attributes.decode(attributes.encode(item))
    assert back == item
    assert types(back) == types(item)


def test_members_without_a_value_are_left_out() -> None:
    assert attributes.encode({"a": None, "b": {"c": None}}) == {"b": {"M": {}}}
    assert attributes.decode({"a": {"NULL": True}}) == {"a": None}


@pytest.mark.parametrize("value", [1.0, Decimal(1), b"1", {1}, [1.5], {"a": 0.1}])
def test_a_float_or_anything_else_cannot_be_stored(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be stored"):
        attributes.encode({"a": value})


@pytest.mark.parametrize("number", ["1.5", "1E-3", "NaN"])
def test_a_stored_number_that_is_no_integer_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="is not an integer"):
        attributes.decode({"a": {"N": number}})


def test_an_attribute_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(TypeError, match="SS"):
        attributes.decode({"a": {"SS": ["x"]}})


# Developer Guide, "DynamoDB item sizes and formats": a name and a text are their UTF-8 bytes; a number is
# about one byte per two significant digits and one more; a list or map 3 bytes and 1 for each member.
@pytest.mark.parametrize(
    ("item", "documented"),
    [
        ({}, 0),
        ({"name": "text"}, 8),
        ({"é": "ü€"}, 2 + 5),
        ({"a": ""}, 1),
        ({"a": True}, 2),
        ({"a": {}}, 1 + 3),
        ({"a": []}, 1 + 3),
        ({"a": ["xy", True]}, 1 + 3 + 2 + 2 + 1),
        ({"a": {"bc": "d"}}, 1 + 3 + 1 + 2 + 1),
        ({"a": "x" * 1023}, 1024),
    ],
)
def test_the_size_is_the_documented_one(item: dict[str, Any], documented: int) -> None:
    assert attributes.size(attributes.encode(item)) == documented


@pytest.mark.parametrize(
    ("number", "significant_digits"),
    [(0, 0), (7, 1), (12, 2), (123, 3), (-123, 3), (1000, 1), (10203000, 5), (10**37 + 1, 38)],
)
def test_the_size_of_a_number_is_never_below_the_documented_one(number: int, significant_digits: int) -> None:
    documented = 1 + (significant_digits + 1) // 2
    size = attributes.size(attributes.encode({"": number}))
    assert documented <= size <= documented + 1
