"""Owns DynamoDB's update expressions: a text becomes a function from an item to what changes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tests.simulation.aws.tokens import Names, Tokens, Values
from tests.simulation.aws.values import Invalid, Item, Sized, Unfit, added, measured

Computed = Callable[[Item, Names, Values], Sized]
"""Raises Unfit where the item has not got what it takes."""

_CLAUSES: Final = frozenset({"SET", "ADD", "REMOVE", "DELETE"})
_TYPES: Final = {"S": "STRING", "N": "NUMBER", "BOOL": "BOOLEAN", "NULL": "NULL", "M": "MAP", "L": "LIST"}


@dataclass(frozen=True, slots=True)
class Update:
    """A compiled UpdateExpression, and the placeholders that it needs."""

    assigned: tuple[tuple[str, Computed], ...]
    """Names and what they become."""
    removed: tuple[str, ...]
    added: tuple[str, ...]
    """The values of ADD, which must be numbers."""
    names: frozenset[str]
    values: frozenset[str]

    @property
    def targets(self) -> list[str]:
        """The names of all attributes that it touches; none may be touched twice."""
        return [name for name, _ in self.assigned] + list(self.removed)


@lru_cache(maxsize=4096)
def update(text: str) -> Update:
    """An update, compiled. Raises Invalid."""
    tokens = Tokens(text, "UpdateExpression")
    grammar = _Updates(tokens)
    seen: set[str] = set()
    while tokens.peek():
        clause = tokens.peek().upper()
        if clause not in _CLAUSES:
            raise tokens.wrong()
        if clause in seen:
            raise Invalid(
                f'Invalid UpdateExpression: The "{clause}" section can only be used once in an update'
            )
        seen.add(tokens.take().upper())
        grammar.section(clause)
    return Update(
        tuple(grammar.assigned),
        tuple(grammar.removed),
        tuple(grammar.added),
        frozenset(tokens.names),
        frozenset(tokens.values),
    )


def addable(values: Values, placeholder: str) -> None:
    """Raise Invalid for what ADD cannot add."""
    ((kind, _),) = values[placeholder][0].items()
    if kind != "N":
        raise Invalid(
            "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, "
            f"operand type: {_TYPES[kind]}, typeSet: ALLOWED_FOR_ADD_OPERAND"
        )


class _Updates:
    """The grammar of updates."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.assigned: list[tuple[str, Computed]] = []
        self.removed: list[str] = []
        self.added: list[str] = []

    def section(self, clause: str) -> None:
        """The actions after one word, with commas between them."""
        actions = {"SET": self._set, "ADD": self._add, "REMOVE": self._remove}
        if clause not in actions:
            raise NotImplementedError("DELETE, which is of sets")
        actions[clause]()
        while self._tokens.accept(","):
            actions[clause]()

    def _set(self) -> None:
        name = self._tokens.name()
        self._tokens.expect("=")
        left = self._operand()
        for sign, negative in (("+", False), ("-", True)):
            if self._tokens.accept(sign):
                left = _sum(left, self._operand(), negative=negative)
                break
        self.assigned.append((name, left))

    def _add(self) -> None:
        name = self._tokens.name()
        value = self._tokens.value()
        self.added.append(value)

        def computed(item: Item, names: Names, values: Values) -> Sized:
            there = item.get(names[name])
            return values[value] if there is None else added(there, values[value][0])

        self.assigned.append((name, computed))

    def _remove(self) -> None:
        self.removed.append(self._tokens.name())

    def _operand(self) -> Computed:
        tokens = self._tokens
        if tokens.accept("IF_NOT_EXISTS"):
            tokens.expect("(")
            name = tokens.name()
            tokens.expect(",")
            default = self._operand()
            tokens.expect(")")
            return lambda item, names, values: (
                measured(item[names[name]]) if names[name] in item else default(item, names, values)
            )
        if tokens.peek().startswith(":"):
            value = tokens.value()
            return lambda item, names, values: values[value]
        path = tokens.name()

        def computed(item: Item, names: Names, values: Values) -> Sized:
            there = item.get(names[path])
            if there is None:
                raise Unfit("The provided expression refers to an attribute that does not exist in the item")
            return measured(there)

        return computed


def _sum(left: Computed, right: Computed, *, negative: bool) -> Computed:
    return lambda item, names, values: added(
        left(item, names, values)[0], right(item, names, values)[0], negative=negative
    )
