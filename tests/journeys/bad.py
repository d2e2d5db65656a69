"""Makes bad requests out of the schemas that the operations themselves declare, so that none is forgotten."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]
NUL, SURROGATE = "nul \x00", "half of a pair \ud800"


@dataclass(frozen=True)
class Bad:
    """A body at fault, and the place of its fault as a JSON pointer."""

    body: Any
    pointer: str


def valid_body(model: type[BaseModel]) -> Any:
    """A body with every member, from the examples of the schema."""
    return next(valid_bodies(model))


def valid_bodies(model: type[BaseModel]) -> Iterator[Any]:
    """Bodies with every member, and with each thing that a member can be where it is one of several."""
    schema = model.model_json_schema()
    return _all_valid(schema, schema.get("$defs", {}))


def bad_bodies(model: type[BaseModel]) -> Iterator[Bad]:
    """The valid body with one thing wrong: every member missing, of other types, and out of range."""
    schema = model.model_json_schema()
    return _bad_objects(schema, schema.get("$defs", {}), "")


def bad_numbers(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Members that are integers, each with a text that JSON calls a number and we do not call an amount."""
    schema = model.model_json_schema()
    for name, member in schema["properties"].items():
        if _resolved(member, schema.get("$defs", {})).get("type") == "integer":
            for text in ("1e3", "1E3", "1.0", "12.50", "1" * 5_000, "0x10", "01", "+1", "1_000", "NaN"):
                yield name, text


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    for option in schema.get("anyOf", ()):
        if option.get("type") != "null":
            return _resolved({**schema, "anyOf": (), **option, "nullable": True}, definitions)
    if "$ref" in schema:
        return {**schema, **definitions[schema["$ref"].rpartition("/")[2]]}
    return schema


def _valid(schema: Schema, definitions: Schema) -> Any:
    return next(_all_valid(schema, definitions))


def _all_valid(schema: Schema, definitions: Schema, given: Any = None) -> Iterator[Any]:
    """What the schema takes; `given` is what the example of the whole has here."""
    schema = _resolved(schema, definitions)
    match schema:
        case {"oneOf": options}:
            for option in options:
                yield from _all_valid(option, definitions)
        case {"properties": properties}:
            yield from _all_valid_objects(properties, schema, definitions)
        case {"type": "array", "items": item}:
            yield [_valid(item, definitions)]
        case {"examples": [example, *_]} | {"const": example} | {"enum": [example, *_]}:
            yield example
        case {"patternProperties": _}:
            yield {"note": "x"}
        case {"type": "object"}:
            yield {}
        case _:
            yield schema["minimum"] if given is None else given


def _all_valid_objects(properties: Schema, schema: Schema, definitions: Schema) -> Iterator[Any]:
    """An object, and then with one member at a time something else that it can be."""
    (example, *_) = schema.get("examples", [{}])
    members = {
        name: list(_all_valid(member, definitions, example.get(name))) for name, member in properties.items()
    }
    whole = {name: first for name, (first, *_) in members.items()}
    yield whole
    for name, (_, *others) in members.items():
        for other in others:
            yield {**whole, name: other}


def _bad(schema: Schema, definitions: Schema, pointer: str) -> Iterator[Bad]:
    schema = _resolved(schema, definitions)
    if "oneOf" in schema:
        yield from _bad_choices(schema["oneOf"], definitions, pointer)
        return
    kind = schema["type"]
    for value in _of_other_types(kind, nullable=schema.get("nullable", False)):
        yield Bad(value, pointer)
    match kind:
        case "array":
            yield from _bad_arrays(schema, definitions, pointer)
        case "object" if "properties" in schema:
            yield from _bad_objects(schema, definitions, pointer)
        case _:
            yield from (Bad(value, pointer) for value in _out_of_range(kind, schema, definitions))


def _out_of_range(kind: str, schema: Schema, definitions: Schema) -> Iterable[Any]:
    match kind:
        case "integer":
            # For an amount these are zero, negative ones, and 10^12 + 1.
            return (schema["minimum"] - 1, -1, -(10**30), schema["maximum"] + 1, 10**30)
        case "string":
            return _bad_texts(schema)
        case _:
            return _bad_maps(schema, definitions)


def _bad_arrays(schema: Schema, definitions: Schema, pointer: str) -> Iterator[Bad]:
    """Nothing in it, too much, and one thing in it that is wrong."""
    items = schema["items"]
    for value in ([], [_valid(items, definitions)] * (schema["maxItems"] + 1)):
        yield Bad(value, pointer)
    for bad in _bad(items, definitions, f"{pointer}/0"):
        yield Bad([bad.body], bad.pointer)


def _of_other_types(kind: str, *, nullable: bool) -> Iterator[Any]:
    yield from [True, 1.5, 1.0]
    if kind != "array":
        yield from [[], ["GBP"]]
    if kind != "string":
        yield from ["", "1"]
    if kind != "integer":
        yield 1
    if kind != "object":
        yield from [{}, {"amount": 1}]
    if not nullable:
        yield None


def _bad_texts(schema: Schema) -> Iterator[str]:
    yield "x" * (schema.get("maxLength", 10_000) + 1)
    yield from ["", NUL, "tab\there", "line\n"]
    if not schema.get("maxLength"):  # it is one of a few words, or has a form of its own
        yield from ["ZZZ", "gbp", "nonsense", "wal_", "24:00", "GBP\n"]


def _bad_objects(schema: Schema, definitions: Schema, pointer: str) -> Iterator[Bad]:
    whole = _valid(schema, definitions)
    yield Bad({**whole, "unknown": 1}, f"{pointer}/unknown")
    for name, member in schema["properties"].items():
        if name in schema.get("required", ()):
            yield Bad({other: whole[other] for other in whole if other != name}, f"{pointer}/{name}")
        for bad in _bad(member, definitions, f"{pointer}/{name}"):
            yield Bad({**whole, name: bad.body}, bad.pointer)


def _bad_choices(options: list[Schema], definitions: Schema, pointer: str) -> Iterator[Bad]:
    """Nothing that can be chosen, everything at once, and each choice with one thing wrong."""
    both = {name: value for option in options for name, value in _valid(option, definitions).items()}
    for value in (*_of_other_types("object", nullable=False), {}, {"amount": 1}, both):
        yield Bad(value, pointer)
    for option in options:
        for bad in _bad_objects(_resolved(option, definitions), definitions, pointer):
            if bad.body:  # what has no member at all is none of them
                yield bad


def _bad_maps(schema: Schema, definitions: Schema) -> Iterator[Any]:
    """Maps with a bad name, too many names, or a bad value."""
    names = _resolved(schema["propertyNames"], definitions)
    (value,) = schema.get("patternProperties", {}).values() or [schema.get("additionalProperties")]
    value = _resolved(value, definitions)
    good = "x" if value.get("type") == "string" else _valid(value, definitions)
    for name in ("", NUL, "x" * (names.get("maxLength", 3) + 1)):
        yield {name: good}
    yield {f"{number}": good for number in range(schema["maxProperties"] + 1)}
    for bad in _bad(value, definitions, ""):
        # The value of a map may be an empty text.
        if bad.body != "":
            yield {"USD": bad.body}


def with_text_in_the_place_of_texts(body: Any, text: str) -> Iterator[Any]:
    """The body with one of its texts at a time, member names included, replaced."""
    if isinstance(body, dict):
        for name in body:
            yield {**{other: body[other] for other in body if other != name}, text: body[name]}
            for value in with_text_in_the_place_of_texts(body[name], text):
                yield {**body, name: value}
    elif isinstance(body, list):
        for position, item in enumerate(body):
            for value in with_text_in_the_place_of_texts(item, text):
                yield [*body[:position], value, *body[position + 1 :]]
    elif isinstance(body, str):
        yield text
