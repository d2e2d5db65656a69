"""Owns a PostgreSQL server of a benchmark's own: in a temporary folder, durable, reached by its socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

OWNER = "bench"
DATABASE = "postgres"
START_SECONDS = 30.0
STOP_SECONDS = 30.0
UNPRIVILEGED = ("postgres", "nobody")
"""Whose the server is where root runs the benchmark: PostgreSQL refuses root."""
USUAL_PLACES = (
    *("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "usr/local/pgsql/bin"),
    "opt/homebrew/opt/postgresql*/bin",
)


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest of the usual places, or None."""
    candidates = []
    with suppress(OSError, subprocess.CalledProcessError):
        told = subprocess.run(
            ["pg_config", "--bindir"],  # noqa: S607 - the one in PATH is the one to ask
            capture_output=True,
            text=True,
            check=True,
        )
        candidates.append(Path(told.stdout.strip()))
    found = shutil.which("initdb")
    if found:
        candidates.append(Path(found).resolve().parent)
    for place in USUAL_PLACES:
        candidates += sorted(Path("/").glob(place), reverse=True)
    return next((folder for folder in candidates if (folder / "initdb").exists()), None)


@contextmanager
def running(folder_of: Path) -> Iterator[str]:
    """A server with its default settings, but no network; gives the folder with its socket.

    So a commit is on disk before it is acknowledged: fsync and synchronous_commit are on.
    """
    user = next(_users(), None)
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        if user:
            folder.chmod(0o755)
            os.chown(folder, user.pw_uid, user.pw_gid)
        with (folder / "log").open("w") as log:
            server = _start(folder_of, folder, log, user)
            try:
                _await(folder_of, folder)
                yield name
            finally:
                server.send_signal(signal.SIGINT)  # a fast shutdown
                server.wait(STOP_SECONDS)


def _start(
    folder_of: Path, folder: Path, log: TextIO, user: pwd.struct_passwd | None
) -> "subprocess.Popen[bytes]":
    data = str(folder / "data")
    uid, gid, groups = (user.pw_uid, user.pw_gid, ()) if user else (None, None, None)
    made = [str(folder_of / "initdb"), "--pgdata", data, "--auth", "trust", "--username", OWNER]
    subprocess.run(
        made, cwd=folder, stdout=log, stderr=log, user=uid, group=gid, extra_groups=groups, check=True
    )
    command = [str(folder_of / "postgres"), "-D", data, "-k", str(folder), "-c", "listen_addresses="]
    return subprocess.Popen(
        command, cwd=folder, stdout=log, stderr=log, user=uid, group=gid, extra_groups=groups
    )


def _users() -> Iterator[pwd.struct_passwd]:
    if os.geteuid() == 0:
        for name in UNPRIVILEGED:
            with suppress(KeyError):
                yield pwd.getpwnam(name)


def _await(folder_of: Path, folder: Path) -> None:
    asked = [str(folder_of / "pg_isready"), "--quiet", "--host", str(folder)]
    deadline = time.monotonic() + START_SECONDS
    while subprocess.run(asked, check=False).returncode:
        if time.monotonic() > deadline:
            raise TimeoutError((folder / "log").read_text())
        time.sleep(0.05)


def filesystem(folder: str) -> str:
    """What kind of filesystem the commits go to, where the system tells."""
    stat = shutil.which("stat") or "stat"
    told = subprocess.run([stat, "-f", "-c", "%T", folder], capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"
