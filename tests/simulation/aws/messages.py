"""Owns the messages of one queue: which can be received, which are being handled, and how often each was."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random


@dataclass(slots=True, eq=False)
class Message:
    """A message in a queue."""

    id: str
    body: str
    sent_at: float
    visible_at: float
    receives: int = 0
    first_received_at: float = 0.0
    handle: str = ""
    """Of the last receipt: only this one deletes it."""
    is_echo: bool = False
    """Delivered once more although it was received, and may be deleted by now; it is gone after that."""


@dataclass(slots=True)
class MessageStore:
    """The messages of one queue, taken out in random order."""

    visibility_seconds: float
    max_receives: int | None
    dead_letters: "MessageStore | None"
    there: dict[str, Message] = field(default_factory=dict)
    """By receipt handle where it was received, else by id."""
    _later: list[tuple[float, int, Message]] = field(default_factory=list)
    _ready: list[Message] = field(default_factory=list)
    _pushed: int = 0

    def add(self, message: Message) -> None:
        self.there[message.handle or message.id] = message
        self._wait(message)

    def _wait(self, message: Message) -> None:
        self._pushed += 1
        heapq.heappush(self._later, (message.visible_at, self._pushed, message))

    def take(self, most: int, now: float, random: Random, new_handle: Callable[[], str]) -> Iterator[Message]:
        """Receive up to so many; what was received too often goes to the dead letters instead."""
        self._gather(now)
        while self._ready and most:
            place = random.randrange(len(self._ready))
            self._ready[place], self._ready[-1] = self._ready[-1], self._ready[place]
            message = self._ready.pop()
            if not self._is_there(message) or message.visible_at > now:
                continue
            del self.there[message.handle or message.id]
            if self._was_received_too_often(message):
                self._bury(message, now)
                continue
            most -= 1
            message.handle = new_handle()
            message.receives += 1
            message.first_received_at = message.first_received_at or now
            if not message.is_echo:
                message.visible_at = now + self.visibility_seconds
                self.add(message)
            yield message

    def _was_received_too_often(self, message: Message) -> bool:
        return self.max_receives is not None and message.receives >= self.max_receives and not message.is_echo

    def _bury(self, message: Message, now: float) -> None:
        if self.dead_letters is None:
            raise TypeError("a queue that limits receives has a dead-letter queue")
        message.handle, message.visible_at = "", now
        self.dead_letters.add(message)

    def _gather(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            visible_at, _, message = heapq.heappop(self._later)
            if self._is_there(message) and message.visible_at == visible_at:
                self._ready.append(message)

    def _is_there(self, message: Message) -> bool:
        return self.there.get(message.handle or message.id) is message

    def delete(self, handle: str) -> None:
        """Delete a message by its last receipt; after an older one it stays."""
        self.there.pop(handle, None)

    def hide(self, handle: str, until: float) -> bool:
        """Have a message that is being handled received again at that time; whether it is there at all."""
        message = self.there.get(handle)
        if message is None:
            return False
        message.visible_at = until
        self._wait(message)
        return True

    def next_visible_at(self) -> float | None:
        """When the next message can be received, which may be long ago; None when there is none."""
        return min((message.visible_at for message in self.there.values()), default=None)
