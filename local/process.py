"""A child process: how it is started, awaited and stopped, and where its output goes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import TimeoutExpired
from typing import IO, NoReturn, Self

from local.errors import LocalError

POLL_SECONDS = 0.02
"""How often a condition is looked at; short, because each start waits for it."""

SUPERVISION_SECONDS = 0.2

CLEAN_EXITS = frozenset({0, -signal.SIGTERM, 128 + signal.SIGTERM})
"""uvicorn finishes its shutdown and then raises the signal again, so -SIGTERM is a clean stop."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running module in a process group of its own."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    """Where a person looks first when it failed: its stderr."""

    def require_alive(self) -> None:
        """Raise when the process has ended, with the last thing it said."""
        code = self.process.poll()
        if code is not None:
            raise LocalError(f"{self.name} {_ending(code)}{self.last_words()} Its log is {self.log}.")

    def last_words(self) -> str:
        """The last line of its log, as a clause: usually the message of the exception that ended it."""
        try:
            lines = self.log.read_bytes()[-4096:].decode(errors="replace").strip().splitlines()
        except OSError:
            return "."
        return f": {lines[-1].strip().rstrip('.')}." if lines else "."

    def await_until(self, ready: Callable[[], bool], deadline_seconds: float) -> None:
        """Wait for a condition that this child brings about."""
        deadline = time.monotonic() + deadline_seconds
        while time.monotonic() < deadline:
            self.require_alive()
            if ready():
                self.require_alive()
                return
            time.sleep(POLL_SECONDS)
        raise LocalError(f"{self.name} was not ready within {deadline_seconds:g} s. Its log is {self.log}.")

    def stop(self, deadline_seconds: float) -> None:
        """Ask it to end and wait; of one that ended by itself, whatever it left running is ended."""
        stop([self], deadline_seconds)

    def await_end(self, deadline_seconds: float) -> None:
        """Wait for one that was asked to end."""
        try:
            code = self.process.wait(deadline_seconds)
        except TimeoutExpired:
            self.kill()
            raise LocalError(
                f"{self.name} was killed: it did not stop in {deadline_seconds:g} s. Its log is {self.log}."
            ) from None
        if code not in CLEAN_EXITS:
            raise LocalError(f"{self.name} {_ending(code)} while stopping. Its log is {self.log}.")

    def kill(self) -> None:
        """End it and whatever it started, at once; nothing happens when it has already ended."""
        if self.process.poll() is None:
            self.kill_group()
            self.process.wait()

    def kill_group(self) -> None:
        """End whatever is left of what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Logs:
    """Where a child's output goes; the same file for both unless its stdout is a log format of its own."""

    stdout: Path
    stderr: Path

    @classmethod
    def together(cls, path: Path) -> Self:
        """One file for all it says."""
        return cls(path, path)


def stop(children: Sequence[Child], deadline_seconds: float) -> None:
    """Ask them all to end at the same time, then wait for each; raises when one does not end as it should."""
    with contextlib.ExitStack() as waiting:
        for child in children:
            if child.process.poll() is not None:
                child.kill_group()
                continue
            child.process.terminate()
            waiting.callback(child.await_end, deadline_seconds)


def supervise(children: Sequence[Child]) -> NoReturn:
    """Wait until one of them ends by itself, which raises."""
    while True:
        for child in children:
            child.require_alive()
        time.sleep(SUPERVISION_SECONDS)


def start(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    logs: Logs,
    keep_fds: Sequence[int] = (),
) -> Child:
    """Run a module and its arguments as a child in a session of its own: Ctrl-C reaches only `tael`."""
    with _fresh(logs.stdout) as out, _fresh(logs.stderr) if logs.stderr != logs.stdout else out as err:
        lifeline = _lifeline()
        process = subprocess.Popen(
            [sys.executable, "-m", "local.child", str(lifeline), *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            pass_fds=(*keep_fds, lifeline),
        )
    return Child(name, process, logs.stderr)


@cache
def _lifeline() -> int:
    """The reading end of a pipe whose writing end only this process has, to its own end."""
    reading, _ = os.pipe()
    return reading


def _fresh(log: Path) -> IO[bytes]:
    """Open a log for one run; the run before is kept beside it, so logs stay bounded in number."""
    try:
        if log.exists():
            log.replace(log.with_name(f"{log.name}.1"))
        return log.open("ab")
    except OSError as error:
        raise LocalError(f"The log {log} cannot be written: {error.strerror}.") from error


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
