"""The movable clock of a system on this machine: how far ahead it is, and how it is moved."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from chassis import clock
from local.errors import LocalError
from local.state import PRIVATE_FILE

MAX_ADVANCE_SECONDS = 366 * 24 * 60 * 60
MAX_AHEAD = timedelta(days=100 * 366)
"""Far from the last year that a date can have."""

_SPAN = re.compile(r"(?:(\d{1,3})d)?(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?")


class TooFar(LocalError):
    """The clock would be moved beyond what makes sense."""


def seconds_of(span: str) -> int:
    """The seconds of a span of time such as `3d`, `12h` or `1d12h30m`."""
    match = _SPAN.fullmatch(span)
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups()) if match else (0,) * 4
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if not 1 <= total <= MAX_ADVANCE_SECONDS:
        raise LocalError(
            f"{span!r} is no span of time from 1s to 366d: "
            "write days, hours, minutes and seconds in this order, such as 3d, 90m or 1d12h."
        )
    return total


def advance(file: Path, seconds: int) -> timedelta:
    """Move the clock further ahead; returns how far it is then. Raises TooFar."""
    with _locked(file):
        ahead = clock.ahead(file) + timedelta(seconds=seconds)
        if ahead > MAX_AHEAD:
            raise TooFar(f"The clock can be at most {MAX_AHEAD.days} days ahead.")
        # Whoever reads it meanwhile finds the old number or the new one, never a part of either.
        draft = file.with_name(f"{file.name}.draft")
        draft.write_text(f"{ahead.total_seconds():.0f}\n")
        draft.replace(file)
    return ahead


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """One at a time, among threads and processes."""
    lock = os.open(file.with_name(f"{file.name}.lock"), os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
