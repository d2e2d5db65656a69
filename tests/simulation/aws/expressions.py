"""Owns DynamoDB's condition expressions: a text becomes a function of an item, once for each text."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from tests.simulation.aws.tokens import Names, Tokens, Values
from tests.simulation.aws.values import Invalid, Item, Typed, number, text_bytes

Holds = Callable[[Item, Names, Values], bool]
Operand = Callable[[Item, Names, Values], Typed | None]

_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MAX_MEMBERS: Final = 100


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled ConditionExpression, and the placeholders that it needs."""

    holds: Holds
    names: frozenset[str]
    values: frozenset[str]
    bounds: tuple[tuple[str, str], ...]
    """The values of every BETWEEN, of which the first may not be the greater."""


@lru_cache(maxsize=4096)
def condition(text: str) -> Condition:
    """A condition, compiled. Raises Invalid."""
    tokens = Tokens(text, "ConditionExpression")
    grammar = _Conditions(tokens)
    holds = grammar.either()
    tokens.end()
    return Condition(holds, frozenset(tokens.names), frozenset(tokens.values), tuple(grammar.bounds))


class _Conditions:
    """The grammar of conditions, by recursive descent: OR binds weakest, then AND, then NOT."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.bounds: list[tuple[str, str]] = []
        self._parenthesised: Holds | None = None

    def either(self) -> Holds:
        holds = self._all()
        while self._tokens.accept("OR"):
            holds = _one_of_both(holds, self._all())
        return holds

    def _all(self) -> Holds:
        holds = self._negated()
        while self._tokens.accept("AND"):
            holds = _both(holds, self._negated())
        return holds

    def _negated(self) -> Holds:
        if not self._tokens.accept("NOT"):
            return self._primary()
        holds = self._negated()
        return lambda item, names, values: not holds(item, names, values)

    def _primary(self) -> Holds:
        tokens = self._tokens
        if tokens.accept("("):
            inner = self.either()
            tokens.expect(")")
            if inner is self._parenthesised:
                raise Invalid(f"Invalid {tokens.slot}: The expression has redundant parentheses;")
            self._parenthesised = inner
            return inner
        word = tokens.peek().lower()
        if word in _FUNCTIONS:
            tokens.take()
            tokens.expect("(")
            holds = _FUNCTIONS[word](tokens)
            tokens.expect(")")
            return holds
        return self._comparison()

    def _comparison(self) -> Holds:
        tokens = self._tokens
        measures = tokens.peek().lower() == "size"
        left = self._operand()
        if tokens.accept("BETWEEN"):
            return self._between(left)
        if tokens.accept("IN"):
            return self._in(left)
        comparator = tokens.take()
        measures = measures or tokens.peek().lower() == "size"
        if comparator in _ORDER:
            return _ordered(left, comparator, self._operand())
        if comparator == "=":
            return _equal(left, self._operand())
        if comparator == "<>" and not measures:
            equal = _equal(left, self._operand())
            # What is missing differs from everything, which ScyllaDB's tests have found at DynamoDB itself.
            return lambda item, names, values: not equal(item, names, values)
        raise NotImplementedError(f"the comparator {comparator or 'that is missing'}")

    def _between(self, left: Operand) -> Holds:
        lower = self._tokens.value()
        self._tokens.expect("AND")
        upper = self._tokens.value()
        self.bounds.append((lower, upper))
        return _both(_ordered(left, ">=", _given(lower)), _ordered(left, "<=", _given(upper)))

    def _in(self, left: Operand) -> Holds:
        tokens = self._tokens
        tokens.expect("(")
        members = [_equal(left, self._operand())]
        while tokens.accept(","):
            members.append(_equal(left, self._operand()))
        tokens.expect(")")
        if len(members) > _MAX_MEMBERS:
            raise Invalid(f"Invalid {tokens.slot}: The IN operator is provided with too many operands;")
        return lambda item, names, values: any(member(item, names, values) for member in members)

    def _operand(self) -> Operand:
        tokens = self._tokens
        if tokens.peek().startswith(":"):
            return _given(tokens.value())
        if tokens.accept("SIZE"):
            tokens.expect("(")
            measured = tokens.name()
            tokens.expect(")")
            return lambda item, names, values: _size(item.get(names[measured]))
        name = tokens.name()
        return lambda item, names, values: item.get(names[name])


def _given(value: str) -> Operand:
    return lambda item, names, values: values[value][0]


def in_order(slot: str, lower: Typed, upper: Typed) -> None:
    """Raise Invalid for the bounds of a BETWEEN that nothing could lie between."""
    if lower.keys() != upper.keys() or lower.keys() & {"BOOL", "NULL", "M", "L"}:
        raise NotImplementedError(f"BETWEEN {lower} AND {upper}")
    if _before(upper, lower):
        raise Invalid(
            f"Invalid {slot}: The BETWEEN operator requires upper bound to be greater than or "
            f"equal to lower bound; lower bound operand: AttributeValue: {lower}, "
            f"upper bound operand: AttributeValue: {upper}"
        )


def _before(one: Typed, other: Typed) -> bool:
    return one["S"] < other["S"] if "S" in one else number(one["N"]) < number(other["N"])


def _both(one: Holds, other: Holds) -> Holds:
    return lambda item, names, values: one(item, names, values) and other(item, names, values)


def _one_of_both(one: Holds, other: Holds) -> Holds:
    return lambda item, names, values: one(item, names, values) or other(item, names, values)


def _equal(left: Operand, right: Operand) -> Holds:
    def holds(item: Item, names: Names, values: Values) -> bool:
        one = left(item, names, values)
        return one is not None and one == right(item, names, values)

    return holds


def _ordered(left: Operand, comparator: str, right: Operand) -> Holds:
    compare = _ORDER[comparator]

    def holds(item: Item, names: Names, values: Values) -> bool:
        one, other = left(item, names, values), right(item, names, values)
        if one is None or other is None:
            return False
        if "N" in one and "N" in other:
            return compare(number(one["N"]), number(other["N"]))
        if "S" in one and "S" in other:
            return compare(one["S"], other["S"])
        if {"BOOL", "NULL", "M", "L"} & (one.keys() | other.keys()):
            raise NotImplementedError(f"the order of {one} and {other}")
        return False

    return holds


def _exists(tokens: Tokens) -> Holds:
    name = tokens.name()
    return lambda item, names, values: names[name] in item


def _not_exists(tokens: Tokens) -> Holds:
    name = tokens.name()
    return lambda item, names, values: names[name] not in item


def _begins_with(tokens: Tokens) -> Holds:
    name = tokens.name()
    tokens.expect(",")
    prefix = tokens.value()

    def holds(item: Item, names: Names, values: Values) -> bool:
        wanted = values[prefix][0]
        if "S" not in wanted:
            raise NotImplementedError(f"begins_with {wanted}")
        found = item.get(names[name])
        if found is not None and "S" not in found:
            raise NotImplementedError(f"begins_with of {found}")
        return found is not None and found["S"].startswith(wanted["S"])

    return holds


def _contains(tokens: Tokens) -> Holds:
    name = tokens.name()
    tokens.expect(",")
    member = tokens.value()

    def holds(item: Item, names: Names, values: Values) -> bool:
        wanted, found = values[member][0], item.get(names[name], {})
        if "L" in found:
            return wanted in found["L"]
        return "S" in found and "S" in wanted and wanted["S"] in found["S"]

    return holds


_FUNCTIONS: Final[Mapping[str, Callable[[Tokens], Holds]]] = {
    "attribute_exists": _exists,
    "attribute_not_exists": _not_exists,
    "begins_with": _begins_with,
    "contains": _contains,
}


def _size(found: Typed | None) -> Typed | None:
    if found is None:
        return None
    ((kind, value),) = found.items()
    if kind == "S":
        return {"N": str(text_bytes(value))}
    if kind in {"L", "M"}:
        return {"N": str(len(value))}
    raise NotImplementedError(f"the size of a {kind}")
