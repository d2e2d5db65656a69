"""Patience with what a system does by itself, seconds after it was asked."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.1


def wait_until(is_so: Callable[[], bool]) -> bool:
    """Ask until it is so, or patience is over: whether it is so in the end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
