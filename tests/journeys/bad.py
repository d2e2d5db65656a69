"""Makes bad requests out of the schemas that the operations themselves declare, so that none is forgotten."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]


@dataclass(frozen=True)
class Bad:
    """A body at fault, and the place of its fault as a JSON pointer."""

    body: Any
    pointer: str


def valid_body(model: type[BaseModel]) -> Any:
    """A body with every member, from the examples of the schema."""
    schema = model.model_json_schema()
    return _valid(schema, schema.get("$defs", {}))


def bad_bodies(model: type[BaseModel]) -> Iterator[Bad]:
    """The valid body with one thing wrong: every member missing, of other types, and out of range."""
    schema = model.model_json_schema()
    return _bad(schema, schema.get("$defs", {}), "")


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    for option in schema.get("anyOf", ()):
        if option.get("type") != "null":
            return _resolved({**option, "nullable": True}, definitions)
    if "$ref" in schema:
        return {**schema, **definitions[schema["$ref"].rpartition("/")[2]]}
    return schema


def _valid(schema: Schema, definitions: Schema) -> Any:
    schema = _resolved(schema, definitions)
    match schema:
        case {"properties": properties}:
            return {name: _valid(member, definitions) for name, member in properties.items()}
        case {"examples": [example, *_]} | {"const": example} | {"enum": [example, *_]}:
            return example
        case {"patternProperties": _}:
            return {}
    return schema["minimum"]


def _bad(schema: Schema, definitions: Schema, pointer: str) -> Iterator[Bad]:
    schema = _resolved(schema, definitions)
    kind = schema["type"]
    for value in _of_other_types(kind, nullable=schema.get("nullable", False)):
        yield Bad(value, pointer)
    match kind:
        case "integer":
            for value in (schema["minimum"] - 1, -1, -(10**30), schema["maximum"] + 1, 10**30):
                yield Bad(value, pointer)
        case "string":
            yield from (Bad(value, pointer) for value in _bad_texts(schema))
        case "object" if "properties" in schema:
            yield from _bad_objects(schema, definitions, pointer)
        case "object":
            yield from (Bad(value, pointer) for value in _bad_maps(schema, definitions))


def _of_other_types(kind: str, *, nullable: bool) -> Iterator[Any]:
    yield from [True, 1.5, 1.0, [], ["GBP"]]
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
    yield from ["", "\x00", "tab\there", "line\n"]
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


def _bad_maps(schema: Schema, definitions: Schema) -> Iterator[Any]:
    (value,) = schema["patternProperties"].values()
    resolved = _resolved(value, definitions)
    good = "x" if resolved["type"] == "string" else _valid(resolved, definitions)
    for name in ("", "\x00", "x" * 41):
        yield {name: good}
    yield {f"{number}": good for number in range(schema["maxProperties"] + 1)}
    for bad in _bad(value, definitions, ""):
        # The value of a map may be an empty text.
        if bad.body != "":
            yield {"USD": bad.body}
