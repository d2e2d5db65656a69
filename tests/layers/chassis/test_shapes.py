"""Inputs take exactly what is declared; texts and metadata are bounded and printable."""

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from chassis.shapes import Input, Metadata, Resource, Timestamp, text


class Order(Input):
    name: Annotated[str, text(max_length=5, example="x")]
    count: int = 1


METADATA: TypeAdapter[dict[str, str]] = TypeAdapter(Metadata)


@pytest.mark.parametrize("name", ["a", "12345", "ü€ 😀", " ", "a'\"<"])
def test_a_text_is_what_people_write(name: str) -> None:
    assert Order(name=name).name == name


@pytest.mark.parametrize("name", ["", "123456", "a\x00", "a\nb", "\t", "\x1f", "\x7f", "a\n", 1, None])
def test_a_text_is_not_empty_not_longer_and_has_no_control_characters(name: object) -> None:
    with pytest.raises(ValidationError):
        Order.model_validate({"name": name})


@pytest.mark.parametrize("more", [{"count": "1"}, {"count": 1.0}, {"count": True}, {"unknown": 1}])
def test_an_input_converts_nothing_and_knows_its_members(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Order.model_validate({"name": "n", **more})


@pytest.mark.parametrize(
    "metadata",
    [{}, {"k" * 40: "v" * 500}, {str(number): "" for number in range(20)}],
    ids=["empty", "long", "many"],
)
def test_metadata_within_its_bounds_is_kept(metadata: dict[str, str]) -> None:
    assert METADATA.validate_python(metadata) == metadata


@pytest.mark.parametrize(
    "metadata",
    [
        {"k" * 41: "v"},
        {"k": "v" * 501},
        {"": "v"},
        {"a\x00": "v"},
        {"k": "\n"},
        {str(number): "" for number in range(21)},
    ],
    ids=["key", "value", "no_key", "nul", "line", "many"],
)
def test_metadata_beyond_its_bounds_is_refused(metadata: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        METADATA.validate_python(metadata)


def test_what_was_read_or_shown_does_not_change() -> None:
    class Shown(Resource):
        at: Timestamp

    for value, name in ((Order(name="n"), "name"), (Shown(at="2026"), "at")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(value, name, "other")
    assert Shown.model_json_schema()["properties"]["at"]["format"] == "date-time"
