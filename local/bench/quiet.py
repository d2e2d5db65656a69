"""When a system has nothing left to do: its streams and queues have left no new line for a while."""

import time

from local.errors import LocalError
from local.system import System

QUIET_SECONDS = 1.5
"""Longer than any stream gathers a batch."""
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.1
LOGS = ("streams.jsonl", "queues.jsonl")


def await_quiet(system: System) -> None:
    """Wait until what was done before is told and counted. Raises LocalError where that takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    known, since = _sizes(system), time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        if time.monotonic() > deadline:
            raise LocalError(f"The system did not come to rest in {PATIENCE_SECONDS:g} s.")
        time.sleep(POLL_SECONDS)
        now = _sizes(system)
        if now != known:
            known, since = now, time.monotonic()


def _sizes(system: System) -> list[int]:
    return [(system.state.logs / name).stat().st_size for name in LOGS]
