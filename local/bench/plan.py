"""What a load generator is asked to send, and what it says of it: the files between it and `tael bench`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Request:
    """One POST to the API."""

    path: str
    key: str
    body: str
    """A JSON document."""
    due: float | None = None
    """Seconds after the beginning; None: as soon as there is a connection for it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Requests for one server, those that are due first, first."""

    port: int
    connections: int
    """At most so many at once; whoever comes when all are taken waits, which is counted."""
    requests: Sequence[Request]

    def write(self, file: Path) -> None:
        """Store it, for nobody else to read: it has keys."""
        file.touch(0o600)
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, file: Path) -> Self:
        """What was stored."""
        stored = json.loads(file.read_text())
        requests = [Request(**request) for request in stored.pop("requests")]
        return cls(requests=requests, **stored)


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request went; its times are seconds after the beginning."""

    status: int
    """0: there was no answer."""
    due: float
    """When it should have been sent; where nobody said when, the moment at which it was."""
    sent: float
    ended: float
    said: str = ""
    """The body, or the error, of what did not succeed."""

    @property
    def latency(self) -> float:
        """Seconds from when it was due: who waits because others are slow has waited too."""
        return self.ended - self.due

    @property
    def lag(self) -> float:
        """Seconds by which it was sent too late: the generator's own, or for lack of a connection."""
        return self.sent - self.due


@dataclass(frozen=True, slots=True)
class Outcome:
    """How they all went, in the order of the requests."""

    began: float
    """By the machine's monotonic clock, which its processes share."""
    processor_seconds: float
    """What the generator itself needed meanwhile."""
    answers: Sequence[Answer]

    @property
    def seconds(self) -> float:
        """From the beginning to the last answer."""
        return max(answer.ended for answer in self.answers)

    def write(self, file: Path) -> None:
        """Store it."""
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, file: Path) -> Self:
        """What was stored."""
        stored = json.loads(file.read_text())
        answers = [Answer(**answer) for answer in stored.pop("answers")]
        return cls(answers=answers, **stored)
