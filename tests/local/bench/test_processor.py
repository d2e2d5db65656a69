"""How the processor's time is read where the operating system tells, and where it does not."""

import os
import subprocess
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from local.bench import processor
from local.bench.processor import Others
from local.process import Child

TICKS = os.sysconf("SC_CLK_TCK")


def child(name: str, pid: int) -> Child:
    return Child(name, Mock(spec=subprocess.Popen, pid=pid), Path("none.log"))


def stat(pid: int, session: int, user: int, system: int, name: str = "python") -> str:
    """A line of man 5 proc_pid_stat."""
    return f"{pid} ({name}) S 1 {pid} {session} 0 -1 0 0 0 0 0 {user} {system} 0 0 20 0 1 0 5 0 0"


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    told = {
        "self": stat(1, 1, 0, 0),
        "10": stat(10, 10, 2 * TICKS, TICKS),
        "11": stat(11, 10, TICKS, 0, name="a (strange) name"),
        "20": stat(20, 20, 0, TICKS),
        "30": stat(30, 30, 99 * TICKS, 0),
    }
    for name, line in told.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "stat").write_text(line)
    (tmp_path / "40").mkdir()  # one that has just ended
    (tmp_path / "stat").write_text(machine(busy=500))
    monkeypatch.setattr(processor, "PROC", tmp_path)
    return tmp_path


def machine(busy: int) -> str:
    """The first line of /proc/stat, with so many seconds of work, most of the rest idle or waiting."""
    return f"cpu  {(busy - 3) * TICKS} 0 {TICKS} 777777 88888 {TICKS} 0 {TICKS} 0 0\ncpu0 1 2 3\n"


@pytest.mark.usefixtures("proc")
def test_a_part_has_what_its_whole_session_took() -> None:
    children = [child("The HTTP server", 10), child("The embedded engine", 20), child("None", 50)]
    assert processor.seconds(children) == {"The HTTP server": 4, "The embedded engine": 1, "None": 0}


def test_what_was_taken_in_between() -> None:
    assert processor.used({"a": 1.0, "b": 2.0}, {"a": 1.5, "b": 2.0}) == {"a": 0.5, "b": 0.0}


def test_what_others_take_is_the_machine_s_work_less_ours(
    proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "times", lambda: os.times_result((1.0, 0.0, 2.0, 0.0, 0.0)))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    moments = iter([100.0, 110.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    children = [child("The HTTP server", 10)]
    before = Others.now(children)
    assert before.seconds == 500 - 4 - 3
    # In ten seconds on two cores the machine worked 12 seconds, of which the HTTP server had 7.
    (proc / "stat").write_text(machine(busy=512))
    (proc / "10" / "stat").write_text(stat(10, 10, 9 * TICKS, TICKS))
    assert before.taken(children) == pytest.approx(5 / 20)


def test_where_nothing_tells_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "PROC", tmp_path)
    assert processor.seconds([child("The HTTP server", 10)]) == {}
    assert Others.now([]).taken([]) is None
