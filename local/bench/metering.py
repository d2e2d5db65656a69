"""What the functions say in their log lines that they asked of the storage."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

LOGS = ("http.jsonl", "streams.jsonl", "queues.jsonl", "schedules.jsonl")


@dataclass(frozen=True, slots=True)
class Line:
    """What was asked by one request, or for one batch of messages or changes."""

    service: str
    operation: str
    """Such as `POST /v1/transfers`, `queue collect` or `stream publish`."""
    received: int
    """Messages or changes; 0 for a request."""
    write_units: float
    write_calls: int
    read_units: float
    milliseconds: float

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The line, or None where it is about something else."""
        try:
            told: Any = json.loads(text)
        except ValueError:
            return None
        if not isinstance(told, dict) or told.get("message") not in {"request", "batch"}:
            return None
        return cls(
            service=told["service"],
            operation=told["operation"],
            received=told.get("received", 0),
            write_units=told["write_units"],
            write_calls=told["write_calls"],
            read_units=told["read_units"],
            milliseconds=told["duration_ms"],
        )


@dataclass(frozen=True, slots=True)
class Use:
    """What something takes on average."""

    invocations: float
    messages: float
    """Of queues."""
    write_units: float
    write_calls: float
    read_units: float
    milliseconds: float
    """Of all invocations together."""

    @classmethod
    def of(cls, lines: Iterable[Line], shared_by: int) -> Self:
        """The sum of these lines for each of so many payments."""
        lines = tuple(lines)
        queued = (line.received for line in lines if line.operation.startswith("queue "))
        sums = (
            len(lines),
            sum(queued),
            *(
                sum(getattr(line, name) for line in lines)
                for name in ("write_units", "write_calls", "read_units", "milliseconds")
            ),
        )
        return cls(*(float(total) / shared_by for total in sums))


@dataclass(frozen=True, slots=True)
class Mark:
    """How long the logs of a system were at some moment."""

    folder: Path
    sizes: Mapping[str, int]

    @classmethod
    def now(cls, folder: Path) -> Self:
        """At this one."""
        return cls(folder, {name: (folder / name).stat().st_size for name in LOGS})

    def since(self) -> Iterator[Line]:
        """Every line that was written after it."""
        for name, size in self.sizes.items():
            with (self.folder / name).open("rb") as log:
                log.seek(size)
                for text in log.read().decode(errors="replace").splitlines():
                    line = Line.parse(text)
                    if line:
                        yield line
