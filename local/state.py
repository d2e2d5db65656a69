"""The state folder: its layout, and the lock that gives it to one system at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600


@dataclass(frozen=True, slots=True)
class State:
    """An opened state folder.

    Children inherit `lock_fd`, and with it the lock: when `tael` itself is killed, the folder stays
    reserved until the last of them has saved its state and ended.
    """

    path: Path
    lock_fd: int

    @property
    def engine(self) -> Path:
        """The embedded engine's own files."""
        return self.path / "engine"

    @property
    def logs(self) -> Path:
        """One log per child, and that of the run before."""
        return self.path / "logs"

    @property
    def secrets(self) -> Path:
        """The generated secrets."""
        return self.path / "secrets.json"

    @property
    def clock(self) -> Path:
        """How far ahead the movable clock is."""
        return self.path / "clock"


@contextmanager
def opened(path: Path) -> Iterator[State]:
    """Create what is missing of a state folder and hold its lock."""
    path = path.expanduser().absolute()
    try:
        path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        lock_fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        _lock(lock_fd, path)
        state = State(path, lock_fd)
        for directory in (state.engine, state.logs):
            _private(directory)
        yield state
    finally:
        # Closing, not unlocking: a child that inherited the descriptor and is still saving keeps the lock.
        os.close(lock_fd)


def _private(directory: Path) -> None:
    try:
        directory.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        directory.chmod(PRIVATE_DIRECTORY)
    except OSError as error:
        raise _unwritable(directory, error) from error


def _lock(lock_fd: int, path: Path) -> None:
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise LocalError(
            f"The state folder {path} is in use by another running `tael`: "
            "stop that one, or choose another folder with --state."
        ) from error


def _unwritable(path: Path, error: OSError) -> LocalError:
    return LocalError(f"The state folder {path} cannot be written: {error.strerror}.")
