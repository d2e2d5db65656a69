"""How much of the processor each part of a system took, where the operating system tells (Linux does)."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local.process import Child

PROC = Path("/proc")
SESSION, OWN_TICKS, SYSTEM_TICKS = 3, 11, 12
"""Positions after the name of the program (man 5 proc_pid_stat: fields 6, 14 and 15)."""

IDLE = (3, 4)
"""Positions of idle and iowait in the first line of /proc/stat."""


def seconds(children: Sequence[Child]) -> dict[str, float]:
    """Processor seconds that each part, and what it started, has taken so far; empty where nothing tells.

    What a process that has ended took meanwhile is not in it.
    """
    if not PROC.joinpath("self", "stat").exists():
        return {}
    ticks: dict[int, int] = {}
    for session, used in _processes():
        ticks[session] = ticks.get(session, 0) + used
    per_second = os.sysconf("SC_CLK_TCK")
    # Each part is the leader of a session of its own.
    return {child.name: ticks.get(child.process.pid, 0) / per_second for child in children}


@dataclass(frozen=True, slots=True)
class Others:
    """How much of the machine had worked for others than a system and its load, at some moment."""

    moment: float
    seconds: float | None

    @classmethod
    def now(cls, children: Sequence[Child]) -> Self:
        """At this one, when no load is on its way."""
        whole = _machine_seconds()
        mine = os.times()
        # The load generator is a child of this process, and counted as such once it has ended.
        ours = sum(seconds(children).values()) + sum(mine[:4])
        return cls(time.monotonic(), None if whole is None else whole - ours)

    def taken(self, children: Sequence[Child]) -> float | None:
        """The part of all cores that others had since then, from 0 to 1; None where nothing tells."""
        now = Others.now(children)
        if now.seconds is None or self.seconds is None:
            return None
        # The clocks tick by themselves, so that on an idle machine the difference may be less than nothing.
        return max(0.0, (now.seconds - self.seconds) / (now.moment - self.moment) / (os.cpu_count() or 1))


def _machine_seconds() -> float | None:
    try:
        fields = (PROC / "stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return None
    # Steal, the last of these eight, is the work of others on the same hardware.
    working = [int(field) for position, field in enumerate(fields[:8]) if position not in IDLE]
    return sum(working) / os.sysconf("SC_CLK_TCK")


def used(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What each part took in between."""
    return {name: after[name] - before[name] for name in after}


def _processes() -> Iterator[tuple[int, int]]:
    for folder in PROC.glob("[0-9]*"):
        try:
            told = (folder / "stat").read_text()
        except OSError:
            continue  # it has ended meanwhile
        # The program's name is in parentheses, and may itself have some.
        fields = told.rpartition(")")[2].split()
        yield int(fields[SESSION]), int(fields[OWN_TICKS]) + int(fields[SYSTEM_TICKS])
