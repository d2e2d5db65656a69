"""Owns the time: what moment it is, how it is written, and how a retry waits."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

FILE_VARIABLE = "TAEL_CLOCK_FILE"
"""Names a file that says by how many seconds the calendar is ahead; for the embedded engine only."""


def now() -> datetime:
    """The present moment, UTC, in microseconds."""
    return datetime.now(UTC) + moved()


def moved() -> timedelta:
    """By how much `now` is ahead of the machine."""
    file = os.environ.get(FILE_VARIABLE)
    return ahead(Path(file)) if file else timedelta()


def ahead(file: Path) -> timedelta:
    """By how much a movable clock has been moved, which may be not at all yet."""
    try:
        return timedelta(seconds=float(file.read_text()))
    except FileNotFoundError:
        return timedelta()


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with exactly six decimals, so that text sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def monotonic() -> float:
    """Seconds since an arbitrary start; never goes back."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)
