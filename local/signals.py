"""How a command is asked to stop: Ctrl-C, a service manager's SIGTERM, or a closed terminal."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from local.errors import StopRequested

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stoppable() -> Iterator[None]:
    """Inside, the first of these signals raises StopRequested; the later ones can't disturb the stopping."""
    before = {number: signal.signal(number, _stop) for number in STOP_SIGNALS if not _is_nohup(number)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_nohup(number: signal.Signals) -> bool:
    """Whether whoever started this command wants it to outlive the terminal."""
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature is Python's
    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, signal.SIG_IGN)
    raise StopRequested(number)
