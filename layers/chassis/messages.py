"""Owns how a batch of messages is read and handed to its consumer, so that each of them can fail alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter

Failed = Mapping[int, Exception]
"""Position in a batch -> why the message there is to be delivered again."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who takes a queue's messages, all those of a batch at once, and what reads one of them."""

    model: TypeAdapter[Any]
    consume: Callable[[Sequence[Any]], Failed]

    def take(self, bodies: Mapping[str, str]) -> dict[str, Exception]:
        """Have a batch consumed: from message ids to bodies, to the failures among them, in their order."""
        readable: dict[str, Any] = {}
        failed: dict[str, Exception] = {}
        for message_id, body in bodies.items():
            try:
                readable[message_id] = self.model.validate_json(body)
            except ValueError as error:
                failed[message_id] = error
        if readable:
            taken = list(readable)
            consumed = self.consume(list(readable.values()))
            failed |= {taken[position]: error for position, error in consumed.items()}
        return {message_id: failed[message_id] for message_id in bodies if message_id in failed}


def consumer(consume: Callable[[Any], Any]) -> Consumer:
    """The consumer that a function's signature declares.

    It takes one message, of whatever type its parameter has, and fails by raising; or a Sequence of them,
    and returns the failures by position. Raises TypeError for any other function.
    """
    hints = get_type_hints(consume, include_extras=True)
    hints.pop("return", None)
    if len(hints) != 1 or Any in hints.values():
        raise TypeError(f"{consume.__name__} does not take one message, or a sequence of them")
    (hint,) = hints.values()
    if get_origin(hint) is Sequence:
        return Consumer(TypeAdapter(get_args(hint)[0]), consume)
    return Consumer(TypeAdapter(hint), _one_by_one(consume))


def _one_by_one(consume: Callable[[Any], object]) -> Callable[[Sequence[Any]], Failed]:
    def consume_all(messages: Sequence[Any]) -> Failed:
        failed: dict[int, Exception] = {}
        for position, message in enumerate(messages):
            try:
                consume(message)
            except Exception as error:  # noqa: BLE001 - whatever it is, this message alone is delivered again
                failed[position] = error
        return failed

    return consume_all
