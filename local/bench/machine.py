"""What was measured on, as far as the figures depend on it."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Self

PROCESSOR_FILE = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine, and the versions of what worked on it."""

    processor: str
    cores: int
    """Those that this process may use."""
    system: str
    python: str
    tael: str
    engine: str
    load_before: float
    """Processes that wanted a core in the minute before."""

    @classmethod
    def this(cls) -> Self:
        """The one that this runs on."""
        return cls(
            processor=_processor(),
            cores=_cores(),
            system=f"{platform.system()} {platform.machine()}",
            python=platform.python_version(),
            tael=version("tael"),
            engine=f"MiniStack {version('ministack')}",
            load_before=round(os.getloadavg()[0], 2),
        )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = PROCESSOR_FILE.read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")
