"""Owns DynamoDB's key conditions: which of the places in a partition, in order, a query is about."""

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tests.simulation.aws.expressions import in_order
from tests.simulation.aws.tables import Spot
from tests.simulation.aws.tokens import Tokens
from tests.simulation.aws.values import Invalid, Typed

_FIRST: Final = operator.itemgetter(0)


@dataclass(frozen=True, slots=True)
class KeyCondition:
    """A compiled KeyConditionExpression: the placeholders of both keys, and how the second is compared."""

    partition: tuple[str, str]
    sort: str | None
    comparator: str
    operands: tuple[str, ...]
    names: frozenset[str]
    values: frozenset[str]


@lru_cache(maxsize=1024)
def key_condition(text: str) -> KeyCondition:
    """A key condition, compiled; the partition comes first. Raises Invalid."""
    tokens = Tokens(text, "KeyConditionExpression")
    name = tokens.name()
    tokens.expect("=")
    partition = (name, tokens.value())
    sort: str | None = None
    comparator = ""
    operands: tuple[str, ...] = ()
    if tokens.accept("AND"):
        sort, comparator, operands = _sort_condition(tokens)
    tokens.end()
    return KeyCondition(
        partition, sort, comparator, operands, frozenset(tokens.names), frozenset(tokens.values)
    )


def _sort_condition(tokens: Tokens) -> tuple[str, str, tuple[str, ...]]:
    if tokens.accept("BEGINS_WITH"):
        tokens.expect("(")
        name = tokens.name()
        tokens.expect(",")
        prefix = tokens.value()
        tokens.expect(")")
        return name, "BEGINS_WITH", (prefix,)
    name = tokens.name()
    comparator = tokens.take().upper()
    if comparator == "BETWEEN":
        lower = tokens.value()
        tokens.expect("AND")
        return name, comparator, (lower, tokens.value())
    if comparator not in {"=", "<", "<=", ">", ">="}:
        raise Invalid(f"Invalid operator used in KeyConditionExpression: {comparator}")
    return name, comparator, (tokens.value(),)


def require_keys(wanted: KeyCondition, names: Mapping[str, str], keys: Sequence[str]) -> None:
    """Raise Invalid unless the condition is about these keys."""
    if names[wanted.partition[0]] != keys[0]:
        raise Invalid(f"Query condition missed key schema element: {keys[0]}")
    if wanted.sort is not None and (len(keys) == 1 or names[wanted.sort] != keys[1]):
        raise Invalid(f"Query condition missed key schema element: {keys[-1]}")


def texts(values: Mapping[str, Typed], wanted: Sequence[str]) -> list[str]:
    """The values of these placeholders, of which keys are made. Raises Invalid."""
    found = []
    for placeholder in wanted:
        ((kind, value),) = values[placeholder].items()
        if kind != "S":
            raise Invalid("Condition parameter type does not match schema type")
        if not value:
            raise Invalid("The AttributeValue for a key attribute cannot contain an empty string value")
        found.append(value)
    return found


def span(places: Sequence[Spot], comparator: str, operands: Sequence[str]) -> tuple[int, int]:
    """From where to where of the places the condition holds."""
    if not comparator:
        return 0, len(places)
    lower, upper = operands[0], operands[-1]
    if comparator == "BETWEEN":
        in_order("KeyConditionExpression", {"S": lower}, {"S": upper})
    if comparator == "BEGINS_WITH":
        here = bisect_left(places, (lower,))
        return here, bisect_right(places, lower, lo=here, key=lambda place: place[0][: len(lower)])
    before = bisect_left(places, (lower,))
    after = bisect_right(places, upper, key=_FIRST)
    return {
        "=": (before, after),
        "BETWEEN": (before, after),
        "<": (0, before),
        "<=": (0, after),
        ">": (after, len(places)),
        ">=": (before, len(places)),
    }[comparator]
