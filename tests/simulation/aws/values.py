"""Owns attribute values as DynamoDB keeps them: what is allowed, in which form, and how large it is."""

import re
from collections.abc import Mapping
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any, Final

Typed = dict[str, Any]
"""One value in the low-level form, such as {"S": "GBP"}."""
Item = dict[str, Typed]
Sized = tuple[Typed, int]
"""A value and the bytes that it takes."""

DIGITS: Final = 38
LARGEST_EXPONENT: Final = 125
SMALLEST_EXPONENT: Final = -130
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MAGNITUDE = "Attempting to store a number with magnitude"
_EXACT = Context(prec=400)
"""Enough for any two numbers that there are: the sum of the largest and the smallest has 256 digits."""


class Invalid(Exception):
    """The request is wrong whatever is stored: a ValidationException."""


class Unfit(Exception):
    """The request does not fit the item that is there: a ValidationException, or a reason to cancel."""


def number(text: str) -> int | Decimal:
    """The exact value of a number in canonical form."""
    return Decimal(text) if "." in text else int(text)


@lru_cache(maxsize=65536)
def canonical(text: str) -> tuple[str, int]:
    """A number as DynamoDB gives it back, without exponent or idle zeros, and its bytes. Raises Invalid."""
    if not _NUMBER.fullmatch(text):
        raise Invalid(f"The parameter cannot be converted to a numeric value: {text}")
    value = Decimal(text)
    if not value:
        return "0", 1
    if value.adjusted() > LARGEST_EXPONENT:
        raise Invalid(f"Number overflow. {_MAGNITUDE} larger than supported range")
    if value.adjusted() < SMALLEST_EXPONENT:
        raise Invalid(f"Number underflow. {_MAGNITUDE} smaller than supported range")
    digits = "".join(map(str, value.as_tuple().digits)).rstrip("0")
    if len(digits) > DIGITS:
        raise Invalid(f"Attempting to store more than {DIGITS} significant digits in a Number")
    plain = f"{value:f}"
    # Two digits to a byte, in pairs that are counted from the decimal point; and one byte for the rest.
    before = (value.adjusted() + 1) % 2
    size = 1 + (before + len(digits) + 1) // 2 + value.is_signed()
    return plain.rstrip("0").rstrip(".") if "." in plain else plain, size


def added(left: Typed, right: Typed, *, negative: bool = False) -> Sized:
    """The sum of two numbers, or their difference. Raises Unfit for anything else, or beyond 38 digits."""
    if "N" not in left or "N" not in right:
        raise Unfit("An operand in the update expression has an incorrect data type")
    one, other = number(left["N"]), number(right["N"])
    if isinstance(one, int) and isinstance(other, int):
        total = str(one - other if negative else one + other)
    else:
        exact = _EXACT.subtract if negative else _EXACT.add
        total = f"{exact(Decimal(one), Decimal(other)):f}"
    try:
        text, size = canonical(total)
    except Invalid as error:
        # DynamoDB says so of a sum with too many digits too, as ScyllaDB's tests have found.
        raise Unfit(f"Number overflow. {_MAGNITUDE} larger than supported range") from error
    return {"N": text}, size


def text_bytes(text: str) -> int:
    """The bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def measured(typed: Typed) -> Sized:
    """A value in the form in which it is kept, and its bytes (Developer Guide, "Item sizes and formats").

    Raises Invalid for what DynamoDB refuses, and NotImplementedError for sets and binary values.
    """
    if len(typed) != 1:
        raise Invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one")
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return typed, text_bytes(value)
        case "N":
            text, size = canonical(value)
            return (typed if text == value else {"N": text}), size
        case "BOOL" | "NULL":
            return typed, 1
        case "M":
            content, size = measured_item(value)
            return {"M": content}, size + 3 + len(content)
        case "L":
            members = [measured(member) for member in value]
            kept = [member for member, _ in members]
            return {"L": kept}, 3 + len(kept) + sum(size for _, size in members)
    raise NotImplementedError(f"values of type {kind}")


def measured_item(item: Mapping[str, Typed]) -> tuple[Item, int]:
    """All attributes of an item, or of a map in one, and the bytes of their names and values."""
    kept: Item = {}
    total = 0
    for name, typed in item.items():
        text = typed.get("S")
        if text is not None and len(typed) == 1:  # as `measured` does it; most values are texts
            kept[name] = typed
            size = len(text) if text.isascii() else len(text.encode())
        else:
            kept[name], size = measured(typed)
        total += size + (len(name) if name.isascii() else len(name.encode()))
    return kept, total
