"""Owns a worker process: its services, its threads, how SIGTERM ends them, and what answers mean."""

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from chassis import clock, observe
from chassis.config import ConfigurationError, settings
from chassis.service import Service
from chassis.sources import QueueSource, StreamSource

PATIENCE_SECONDS = 30.0
"""How long the work under way may take to its end; less than what Kubernetes and `tael` wait."""
_STOP = (signal.SIGTERM, signal.SIGINT)
Source = TypeVar("Source", QueueSource, StreamSource)


class NoSuchSource(Exception):
    """The message says what there is."""


class Crew:
    """The threads of a worker. When one fails by a fault of its own, the whole process ends."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        """No new work is to be begun."""
        self.abandoned = threading.Event()
        """Patience is over: what is under way need not succeed either."""
        self.failed = False
        self._threads: list[threading.Thread] = []

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run this in a thread of its own."""

        def guarded() -> None:
            try:
                work()
            except Exception as failure:
                self.failed = True
                observe.warn("runtime", "worker failed", worker=name, error=type(failure).__name__)
                os.kill(os.getpid(), signal.SIGTERM)
                raise

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def stop(self, patience_seconds: float) -> bool:
        """Ask all threads to end and wait; says whether each came to its end with its work done."""
        self.stopping.set()
        deadline = clock.monotonic() + patience_seconds
        # Not a `for`: a thread may start another one until it ends itself.
        waiting = list(self._threads)
        while waiting:
            thread = waiting.pop()
            thread.join(max(0.0, deadline - clock.monotonic()))
            if thread.is_alive():
                self.abandoned.set()
                return False
            waiting = waiting or [other for other in self._threads if other.is_alive()]
        return not self.failed


def parser(module: str, sentence: str) -> argparse.ArgumentParser:
    """The arguments that every worker takes."""
    arguments = argparse.ArgumentParser(prog=f"python -m runtime.{module}", description=sentence)
    arguments.add_argument("services", nargs="+", metavar="MODULE", help="such as functions.payments.app")
    arguments.add_argument("--only", metavar="HANDLER", help="of their handlers the one of this name")
    return arguments


def chosen(sources: Sequence[tuple[Service, Source]], only: str | None) -> Sequence[tuple[Service, Source]]:
    """The sources that a worker was asked for. Raises NoSuchSource."""
    found = [(service, source) for service, source in sources if only in (None, source.name)]
    if only is not None and not found:
        names = ", ".join(source.name for _, source in sources) or "none"
        raise NoSuchSource(f"there is no handler {only} here; there are: {names}")
    return found


def run(
    modules: Sequence[str],
    staff: Callable[[Crew, Sequence[Service]], None],
    patience_seconds: float = PATIENCE_SECONDS,
) -> int:
    """Let `staff` start the threads, and work until SIGTERM. Returns the exit code."""
    try:
        settings()
    except ConfigurationError as error:
        sys.stderr.write(f"the worker cannot start: {error}\n")
        return 2
    crew = Crew()
    stopped = _stop_pipe()
    try:
        staff(crew, [importlib.import_module(module).service for module in modules])
    except NoSuchSource as error:
        sys.stderr.write(f"the worker cannot start: {error}\n")
        return 2
    os.read(stopped, 1)
    if crew.stop(patience_seconds):
        return 0
    sys.stderr.write(f"the worker did not finish its work within {patience_seconds:g} s\n")
    return 1


def _stop_pipe() -> int:
    """A descriptor that can be read once a stop was asked for.

    Not an Event that the handler sets: the handler can interrupt this very thread while it holds its lock.
    """
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)
    for number in _STOP:
        signal.signal(number, lambda *_: None)
    return readable


def failed_ids(answer: Any, known: Sequence[str]) -> set[str]:
    """The ids that a handler's answer reports as failed.

    As with Lambda, an answer that cannot be read, or that names an id which the batch does not have, is the
    failure of them all (Lambda Developer Guide, "Reporting batch item failures").
    """
    if answer in (None, {}) or answer == {"batchItemFailures": None}:
        return set()
    try:
        failed = {str(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]}
    except (KeyError, TypeError):
        return set(known)
    return set(known) if failed - set(known) else failed
