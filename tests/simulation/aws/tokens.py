"""Owns the words of DynamoDB's expressions: their order, and the placeholders that they need.

Names must stand behind placeholders (`#status`), and paths have one element: that is how everything here is
written. Whatever else the language has raises NotImplementedError.
"""

import re
from collections.abc import Mapping
from typing import Final

from tests.simulation.aws.values import Invalid, Sized

Names = Mapping[str, str]
"""Placeholder -> attribute."""
Values = Mapping[str, Sized]
"""Placeholder -> value."""

MAX_BYTES: Final = 4096
_TOKEN: Final = re.compile(r"[#:][A-Za-z0-9_]+|[A-Za-z_]\w*|<>|<=|>=|\S", re.ASCII)


class Tokens:
    """The tokens of one expression, from the first to the last."""

    def __init__(self, text: str, slot: str) -> None:
        if len(text.encode()) > MAX_BYTES:
            raise Invalid(f"Invalid {slot}: Expression size has exceeded the maximum allowed size;")
        self.slot = slot
        self._tokens = _TOKEN.findall(text)
        if not self._tokens:
            raise Invalid(f"Invalid {slot}: The expression can not be empty;")
        self._next = 0
        self.names: set[str] = set()
        self.values: set[str] = set()

    def peek(self) -> str:
        """The next token, and the empty string after the last one."""
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self._next += 1
        return token

    def accept(self, *words: str) -> bool:
        """Take the next token if it is one of these words, in any case."""
        if self.peek().upper() not in words:
            return False
        self._next += 1
        return True

    def expect(self, word: str) -> None:
        if not self.accept(word):
            raise self.wrong()

    def name(self) -> str:
        """The placeholder of a path."""
        token = self.take()
        if not token.startswith("#"):
            self._next -= 1
            if token[:1].isalpha():
                raise NotImplementedError(f"a name without placeholder, or a function: {token}")
            raise self.wrong()
        if self.peek() in {".", "["}:
            raise NotImplementedError("paths into an attribute")
        self.names.add(token)
        return token

    def value(self) -> str:
        token = self.take()
        if not token.startswith(":"):
            self._next -= 1
            raise self.wrong()
        self.values.add(token)
        return token

    def end(self) -> None:
        if self.peek():
            raise self.wrong()

    def wrong(self) -> Invalid:
        token = self.peek() or "<EOF>"
        return Invalid(f'Invalid {self.slot}: Syntax error; token: "{token}"')
