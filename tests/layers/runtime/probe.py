"""A service for the worker processes of the tests: what it is given it notes in a file, line by line."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from chassis.auth import Access
from chassis.service import Service
from chassis.sources import Change

NOTES = Path(os.environ["PROBE_NOTES"])
HOLD = Path(os.environ["PROBE_HOLD"])

service = Service("probe", "Notes what it is given.")


class Note(BaseModel):
    """A message of the tests."""

    text: str


def note(line: str) -> None:
    """Leave a line for the test, which may kill this process at any moment."""
    with NOTES.open("a") as file:
        file.write(f"{line}\n")
    while HOLD.exists() and HOLD.read_text() == line:
        time.sleep(0.01)


@service.queue("keep", queue=os.environ.get("PROBE_QUEUE", "probe"))
def keep(message: Note) -> None:
    """Note the message."""
    note(message.text)


@service.stream("follow", table=os.environ.get("PROBE_TABLE", "probe"), batch_size=7)
def follow(changes: Sequence[Change]) -> None:
    """Note the changes."""
    for change in changes:
        assert change.new is not None
        note(f"{change.key['pk']} {change.new['count']}")


@service.operation("GET /v1/notes/{text}", access=Access.PUBLIC)
def take(text: str) -> Note:
    """Note the text, and answer with it."""
    note(text)
    return Note(text=text)
