"""Child processes: they leave with their parent, say why they failed, and stop when asked."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from local import process
from local.errors import LocalError
from local.process import Logs

PARENT = """
import os, time
from pathlib import Path
from local import process
from local.process import Logs
command = ["http.server", "0", "--bind", "127.0.0.1"]
process.start("The thing", command, os.environ, Logs.together(Path({log!r})), keep_fds=[{alive}])
print("started", flush=True)
time.sleep(60)
"""
TIMEOUT_SECONDS = 20.0


def test_a_child_leaves_when_its_parent_is_killed(tmp_path: Path) -> None:
    # The child alone holds the pipe's writing end in the end, so its closing is the child's end.
    ended, alive = os.pipe()
    script = PARENT.format(alive=alive, log=str(tmp_path / "log"))
    parent = subprocess.Popen([sys.executable, "-c", script], pass_fds=[alive], stdout=subprocess.PIPE)
    os.close(alive)
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"started\n"
        parent.kill()
        readable, _, _ = select.select([ended], [], [], TIMEOUT_SECONDS)
        assert readable
        assert os.read(ended, 1) == b""
    os.close(ended)


def start(module: str, log: Path, *arguments: str, parent_path: str | None = None) -> process.Child:
    environment = dict(os.environ)
    if parent_path:
        environment["PYTHONPATH"] = parent_path
    return process.start("The thing", [module, *arguments], environment, Logs.together(log))


def test_a_child_that_fails_is_quoted(tmp_path: Path) -> None:
    child = start("json.tool", tmp_path / "log", "/no/such/file")
    with pytest.raises(LocalError, match=r"The thing ended with exit code \d: .*No such file.* Its log is"):
        child.await_until(lambda: False, TIMEOUT_SECONDS)
    child.stop(TIMEOUT_SECONDS)


def test_a_child_that_never_is_ready_is_given_up(tmp_path: Path) -> None:
    child = start("http.server", tmp_path / "log", "0", "--bind", "127.0.0.1")
    with pytest.raises(LocalError, match=r"was not ready within 0\.05 s"):
        child.await_until(lambda: False, 0.05)
    child.kill()


STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


def test_a_child_that_does_not_stop_is_killed_and_reported(tmp_path: Path) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    log = tmp_path / "log"
    child = start("stubborn", log, parent_path=str(tmp_path))
    child.await_until(lambda: log.read_text() == "deaf\n", TIMEOUT_SECONDS)
    with pytest.raises(LocalError, match=r"The thing was killed: it did not stop in 0\.1 s"):
        child.stop(0.1)
    assert child.process.poll() is not None


def test_the_log_of_the_run_before_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    (tmp_path / "say.py").write_text("import sys\nprint('run', sys.argv[1])")
    for run in ("1", "2"):
        start("say", log, run, parent_path=str(tmp_path)).process.wait(TIMEOUT_SECONDS)
    assert (log.read_text(), log.with_name("log.1").read_text()) == ("run 2\n", "run 1\n")
