"""Owns the form in which values stand in DynamoDB: integers stay integers, and nothing becomes a float."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

# A str, int, bool, None, or a list or dict of them: mypy cannot follow a recursive alias through pydantic.
Value = Any
Item = dict[str, Value]


def encode(item: Mapping[str, Value]) -> dict[str, Any]:
    """An item as the low-level API takes it; `None` members are left out."""
    return {name: encoded(value) for name, value in item.items() if value is not None}


def encoded(value: Value) -> dict[str, Any]:
    """A single value as the low-level API takes it. Raises TypeError for what cannot be stored."""
    # In the order of how often they are met, but for bool, which is an int.
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, dict):
        return {"M": encode(value)}
    if isinstance(value, list | tuple):
        return {"L": [encoded(member) for member in value]}
    raise TypeError(f"a {type(value).__name__} cannot be stored")


def decode(item: Mapping[str, Any]) -> Item:
    """An item as the low-level API gives it; a number that is no integer raises ValueError."""
    return {name: _decode(value) for name, value in item.items()}


def _decode(typed: Mapping[str, Any]) -> Value:
    ((kind, value),) = typed.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return int(value) if value.isdecimal() else _integer(value)
        case "M":
            return decode(value)
        case "L":
            return [_decode(member) for member in value]
        case "NULL":
            return None
    raise TypeError(f"unknown attribute type {kind}")


def _integer(text: str) -> int:
    number = Decimal(text)
    if number != number.to_integral_value():
        raise ValueError(f"{text} is not an integer")
    return int(number)


def size(encoded: Mapping[str, Any]) -> int:
    """The bytes that DynamoDB bills for an item (Developer Guide, "Item sizes and formats")."""
    return sum(len(name.encode()) + _size(value) for name, value in encoded.items())


def _size(typed: Mapping[str, Any]) -> int:
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            digits = len(value.strip("-0"))
            return int((digits + 1) // 2 + 1 + value.startswith("-"))
        case "M":
            return 3 + len(value) + size(value)
        case "L":
            return 3 + len(value) + sum(_size(member) for member in value)
    return 1
