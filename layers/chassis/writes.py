"""Owns writes as values: what would be written, under which condition, and what its refusal means."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chassis import attributes
from chassis.attributes import Item, Value
from chassis.config import table_name

Key = Mapping[str, str]
Refusal = Callable[[Item | None], Exception]
"""From the item as it stood when the condition failed (None: there was none) to the error to raise."""

UNIT_BYTES = 1024
OPERATION = "op"
"""The attribute in which a lone write leaves its operation id, so that a lost answer can be told."""


class Exists(Exception):
    """The record that an operation would create is there already: `item` is what it says."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the record exists")
        if item is None:
            raise TypeError("a record that exists has an item")
        self.item = item


_OR_ABSENT = "absent or "


@dataclass(frozen=True, slots=True)
class Condition:
    """One attribute compared with one value; all conditions of a write must hold."""

    attribute: str
    operator: str
    value: Value = None


def equals(attribute: str, value: Value) -> Condition:
    """The attribute has this value."""
    return Condition(attribute, "=", value)


def at_least(attribute: str, value: int) -> Condition:
    """The number is not below this one."""
    return Condition(attribute, ">=", value)


def at_most(attribute: str, value: int | str) -> Condition:
    """The number is not above this one, or the text does not come after it."""
    return Condition(attribute, "<=", value)


def one_of(attribute: str, values: Sequence[str]) -> Condition:
    """The attribute has one of these values."""
    return Condition(attribute, "in", list(values))


def absent_or(condition: Condition) -> Condition:
    """The attribute is missing, as all are of an item that is not there yet, or it fulfils the condition."""
    return Condition(condition.attribute, _OR_ABSENT + condition.operator, condition.value)


ABSENT = Condition("pk", "absent")
PRESENT = Condition("pk", "present")


@dataclass(frozen=True, slots=True)
class Write:
    """A put of a whole item, or an update that assigns and adds; executed only by `store.commit`."""

    table: str
    key: Key
    refused: Refusal
    conditions: tuple[Condition, ...] = ()
    item: Item | None = None
    assign: Item = field(default_factory=dict)
    initial: Item = field(default_factory=dict)
    """What is assigned only where the attribute is missing."""
    add: dict[str, int] = field(default_factory=dict)

    @property
    def is_additive(self) -> bool:
        """Whether doing it twice differs from doing it once, should its conditions still hold then."""
        return bool(set(self.add) - {"version"})

    def stamped(self, operation: str) -> "Write":
        """The same write, leaving its operation id in the item, and refused where it is left already."""
        if self.item is not None:
            return replace(self, item={**self.item, OPERATION: operation})
        return replace(
            self,
            assign={**self.assign, OPERATION: operation},
            conditions=(*self.conditions, absent_or(Condition(OPERATION, "<>", operation))),
        )

    def request(self) -> dict[str, Any]:
        """The parameters of PutItem or UpdateItem, and of their transactional forms."""
        names: dict[str, str] = {}
        values: dict[str, Any] = {}
        request: dict[str, Any] = {
            "TableName": table_name(self.table),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if self.item is not None:
            request["Item"] = attributes.encode({**self.key, **self.item})
        else:
            request["Key"] = attributes.encode(self.key)
            request["UpdateExpression"] = self._update_expression(names, values)
        if self.conditions:
            terms = [_term(condition, names, values) for condition in self.conditions]
            request["ConditionExpression"] = " AND ".join(terms)
        if names:
            request["ExpressionAttributeNames"] = names
        if values:
            request["ExpressionAttributeValues"] = values
        return request

    def _update_expression(self, names: dict[str, str], values: dict[str, Any]) -> str:
        assigned = [
            f"{_name(attribute, names)} = {_value(value, values)}" for attribute, value in self.assign.items()
        ]
        for attribute, value in self.initial.items():
            name = _name(attribute, names)
            assigned.append(f"{name} = if_not_exists({name}, {_value(value, values)})")
        added = [
            f"{_name(attribute, names)} {_value(value, values)}" for attribute, value in self.add.items()
        ]
        clauses = (("SET", assigned), ("ADD", added))
        return " ".join(f"{clause} {', '.join(terms)}" for clause, terms in clauses if terms)

    def full_price(self) -> int:
        """The write units that it costs outside a transaction, refused or not, indexes apart."""
        changed = {**self.initial, **self.assign, **self.add}
        content = {**self.key, **(self.item if self.item is not None else changed)}
        return max(1, math.ceil(attributes.size(attributes.encode(content)) / UNIT_BYTES))


def put(table: str, key: Key, item: Item, *conditions: Condition, refused: Refusal) -> Write:
    """A whole item at its first version."""
    return Write(table, key, refused, conditions, item={**item, "version": 1})


def replace_version(table: str, key: Key, item: Item, version: int, *, refused: Refusal) -> Write:
    """A whole item in place of the given version of it."""
    return Write(table, key, refused, (equals("version", version),), item={**item, "version": version + 1})


def update(
    table: str,
    key: Key,
    *conditions: Condition,
    refused: Refusal,
    assign: Item | None = None,
    add: Mapping[str, int] | None = None,
) -> Write:
    """A change of single attributes, of an item that must exist; its version goes up by one."""
    return Write(
        table,
        key,
        refused,
        (PRESENT, *conditions),
        assign=assign or {},
        add={**(add or {}), "version": 1},
    )


def upsert(
    table: str,
    key: Key,
    *conditions: Condition,
    refused: Refusal,
    assign: Item | None = None,
    initial: Item | None = None,
    add: Mapping[str, int] | None = None,
) -> Write:
    """A change of an item that need not be there yet; its version goes up by one, from nothing to 1."""
    return Write(
        table,
        key,
        refused,
        conditions,
        assign=assign or {},
        initial=initial or {},
        add={**(add or {}), "version": 1},
    )


def _name(attribute: str, names: dict[str, str]) -> str:
    # Placeholders throughout: `status`, `key` and many more are reserved words of DynamoDB.
    names[f"#{attribute}"] = attribute
    return f"#{attribute}"


def _value(value: Value, values: dict[str, Any]) -> str:
    placeholder = f":{len(values)}"
    values[placeholder] = attributes.encoded(value)
    return placeholder


def _term(condition: Condition, names: dict[str, str], values: dict[str, Any]) -> str:
    name = _name(condition.attribute, names)
    if condition.operator.startswith(_OR_ABSENT):
        present = replace(condition, operator=condition.operator.removeprefix(_OR_ABSENT))
        return f"(attribute_not_exists({name}) OR {_term(present, names, values)})"
    match condition.operator:
        case "absent":
            return f"attribute_not_exists({name})"
        case "present":
            return f"attribute_exists({name})"
        case "in":
            return f"{name} IN ({', '.join(_value(value, values) for value in condition.value)})"
    return f"{name} {condition.operator} {_value(condition.value, values)}"
