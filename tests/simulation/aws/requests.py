"""Owns writes as requests: PutItem, UpdateItem, DeleteItem and ConditionCheck, read, checked and computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.simulation.aws.expressions import Condition, condition, in_order
from tests.simulation.aws.tables import IndexState, Key, Place, TableState
from tests.simulation.aws.updates import Update, addable, update
from tests.simulation.aws.values import Invalid, Item, Sized, Unfit, measured, measured_item, text_bytes

MAX_ITEM_BYTES: Final = 400 * 1024
MAX_KEY_BYTES: Final = {"pk": 2048, "sk": 1024}
_EXPRESSIONS: Final = {
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
}
_MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "Put": frozenset({"TableName", "Item", *_EXPRESSIONS}),
    "Update": frozenset({"TableName", "Key", "UpdateExpression", *_EXPRESSIONS}),
    "Delete": frozenset({"TableName", "Key", *_EXPRESSIONS}),
    "ConditionCheck": frozenset({"TableName", "Key", *_EXPRESSIONS}),
}
_EMPTY_KEY: Final = (
    "One or more parameter values are not valid. {}The AttributeValue for a key attribute cannot contain an "
    "empty string value. {}"
)


class Failed(Exception):
    """The condition does not hold of what is there, which the caller is told if it asked for it."""

    def __init__(self, found: Item | None) -> None:
        super().__init__("The conditional request failed")
        self.found = found

    def told(self) -> dict[str, Item]:
        """What stands beside the message in the answer."""
        return {} if self.found is None else {"Item": self.found}


@dataclass(slots=True)
class Request:
    """One write, with its expressions compiled and its values in the form in which they are kept."""

    kind: str
    table: TableState
    key: Key
    item: Item | None = None
    size: int = 0
    """Of the item in a put, else of the values: what it adds to the payload of a transaction."""
    update: Update | None = None
    condition: Condition | None = None
    tells_found: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Sized] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Of its item, in the whole database."""
        return (self.table.name, *self.key)

    def check(self) -> None:
        """Raise Failed where the condition does not hold."""
        if self.condition is None:
            return
        found = self.table.items.get(self.key)
        if not self.condition.holds(found if found is not None else {}, self.names, self.values):
            raise Failed(dict(found) if found is not None and self.tells_found else None)

    def outcome(self) -> tuple[Item | None, int]:
        """The item that it leaves, and its bytes. Raises Unfit."""
        if self.kind == "Put":
            return self.item, self.size
        if self.update is None:
            return (None, 0) if self.kind == "Delete" else self._before()
        item, size = self._before()
        if item is None:
            item, size = measured_item(dict(zip(self.table.key_names, _typed(self.key), strict=True)))
        return self._updated(item, size, self.update)

    def _before(self) -> tuple[Item | None, int]:
        return self.table.items.get(self.key), self.table.sizes.get(self.key, 0)

    def _updated(self, before: Item, size: int, change: Update) -> tuple[Item, int]:
        item = dict(before)
        sizes = 0
        for target, computed in change.assigned:
            name = self.names[target]
            there = before.get(name)
            sizes -= measured(there)[1] if there is not None else -text_bytes(name)
            item[name], added = computed(before, self.names, self.values)
            sizes += added
        for target in change.removed:
            there = item.pop(self.names[target], None)
            if there is not None:
                sizes -= measured(there)[1] + text_bytes(self.names[target])
        if size + sizes > MAX_ITEM_BYTES:
            raise Unfit("Item size to update has exceeded the maximum allowed size")
        for index in self.table.indexes.values():
            _require_index_keys(index, item)
        return item, size + sizes


def read(kind: str, table: TableState, parameters: Mapping[str, Any]) -> Request:
    """A request of one of the four kinds. Raises Invalid."""
    unknown = parameters.keys() - _MEMBERS[kind]
    if unknown:
        raise NotImplementedError(f"{', '.join(sorted(unknown))} of {kind}")
    request = Request(kind, table, ("", None))
    if kind == "Put":
        request.item, request.size = measured_item(parameters["Item"])
    _read_expressions(request, parameters)
    if kind == "Put":
        request.key = key_of(table, parameters["Item"], whole=False)
        if request.size > MAX_ITEM_BYTES:
            raise Invalid("Item size has exceeded the maximum allowed size")
        for index in table.indexes.values():
            _require_index_keys(index, parameters["Item"])
    else:
        request.key = key_of(table, parameters["Key"])
    return request


def _read_expressions(request: Request, parameters: Mapping[str, Any]) -> None:
    names, values = parameters.get("ExpressionAttributeNames"), parameters.get("ExpressionAttributeValues")
    used_names: frozenset[str] = frozenset()
    used_values: frozenset[str] = frozenset()
    text = parameters.get("ConditionExpression")
    if text is not None:
        request.condition = condition(text)
        used_names, used_values = request.condition.names, request.condition.values
    elif request.kind == "ConditionCheck":
        raise Invalid("The ConditionExpression of a ConditionCheck must not be null")
    text = parameters.get("UpdateExpression")
    if text is not None:
        request.update = update(text)
        used_names |= request.update.names
        used_values |= request.update.values
    require_defined(names, used_names, "name")
    require_defined(values, used_values, "value")
    if names:
        request.names = names
    if values:
        request.values = {name: measured(typed) for name, typed in values.items()}
        request.size = request.size or sum(size for _, size in request.values.values())
    _require_valid(request)
    told = parameters.get("ReturnValuesOnConditionCheckFailure", "NONE")
    if told not in {"NONE", "ALL_OLD"}:
        raise Invalid("ReturnValuesOnConditionCheckFailure is NONE or ALL_OLD")
    request.tells_found = told == "ALL_OLD"


def require_defined(given: Mapping[str, Any] | None, used: frozenset[str], what: str) -> None:
    """Raise Invalid unless there are exactly those placeholders that the expressions have."""
    if given is None and not used:
        return
    parameter = f"ExpressionAttribute{what.title()}s"
    if given is not None and not given:
        raise Invalid(f"{parameter} must not be empty")
    missing = used - (given.keys() if given else set())
    if missing:
        raise Invalid(
            f"Invalid expression: An expression attribute {what} used in expression is not defined; "
            f"attribute {what}: {min(missing)}"
        )
    if given is not None and len(given) > len(used):
        unused = ", ".join(sorted(given.keys() - used))
        raise Invalid(f"Value provided in {parameter} unused in expressions: keys: {{{unused}}}")


def _require_valid(request: Request) -> None:
    if request.condition is not None:
        for lower, upper in request.condition.bounds:
            in_order("ConditionExpression", request.values[lower][0], request.values[upper][0])
    if request.update is None:
        return
    targets = [request.names[target] for target in request.update.targets]
    if len(set(targets)) != len(targets):
        raise Invalid("Invalid UpdateExpression: Two document paths overlap with each other")
    for name in request.table.key_names:
        if name in targets:
            raise Invalid(
                f"One or more parameter values were invalid: Cannot update attribute {name}. "
                "This attribute is part of the key"
            )
    for value in request.update.added:
        addable(request.values, value)


def key_of(table: TableState, attributes: Mapping[str, Any], *, whole: bool = True) -> Key:
    """The key among an item's attributes; `whole`: nothing else may be there. Raises Invalid."""
    names = table.key_names
    for name in names:
        if name not in attributes:
            if whole:
                raise Invalid("The provided key element does not match the schema")
            raise Invalid(f"One or more parameter values were invalid: Missing the key {name} in the item")
        ((kind, value),) = attributes[name].items()
        if kind != "S":
            raise NotImplementedError(f"a key of type {kind}")
        if not value:
            raise Invalid(_EMPTY_KEY.format("", f"Key: {name}"))
        if text_bytes(value) > MAX_KEY_BYTES[name]:
            raise Invalid(f"One or more parameter values were invalid: {name} is too long")
    if whole and len(attributes) != len(names):
        raise Invalid("The provided key element does not match the schema")
    return attributes["pk"]["S"], attributes["sk"]["S"] if len(names) > 1 else None


def _require_index_keys(index: IndexState, item: Mapping[str, Any]) -> None:
    declared = index.declared
    for name in (declared.partition, declared.sort):
        if name not in item:
            continue
        ((kind, value),) = item[name].items()
        if kind != "S":
            raise Unfit(
                f"One or more parameter values were invalid: Type mismatch for Index Key {name} "
                f"Expected: S Actual: {kind} IndexName: {declared.name}"
            )
        if not value:
            where = f"IndexName: {declared.name}, IndexKey: {name}"
            raise Invalid(
                _EMPTY_KEY.format("A value specified for a secondary index key is not supported. ", where)
            )
        if text_bytes(value) > MAX_KEY_BYTES["sk" if name == declared.sort else "pk"]:
            raise Unfit(f"One or more parameter values were invalid: {name} is too long")


def _typed(key: Key) -> list[dict[str, str]]:
    return [{"S": part} for part in key if part is not None]
