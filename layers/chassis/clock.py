"""Owns the time: what moment it is, how it is written, and how a retry waits."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, UTC, in microseconds."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with exactly six decimals, so that text sorts as time does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def monotonic() -> float:
    """Seconds since an arbitrary start; never goes back."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)
