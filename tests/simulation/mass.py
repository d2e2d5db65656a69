"""Makes many runs, over several processes, and keeps of each what has to be told."""

import multiprocessing
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulation.process import settled
from tests.simulation.run import Result, simulate

FOLDER = Path("build/simulation")
CHUNK, CHUNKS = 8, 25
"""Seeds that a process is given at once, and how often: what callers left waiting is never collected."""

Seed = tuple[int, int]
"""A seed, and how many operations."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one process tells another of a run."""

    seed: int
    changes: int
    faults: list[str]
    violations: list[str]
    file: Path = field(default=FOLDER)
    """Where the whole run is, if something did not hold."""


def told(result: Result) -> Told:
    """What a run leaves: its trace, in a file, where something did not hold."""
    file = FOLDER / f"seed-{result.seed}.txt"
    if result.violations:
        FOLDER.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join([*result.trace.lines(), "", *result.violations, ""]))
    return Told(result.seed, result.changes, result.faults, result.violations, file)


def results(seeds: list[Seed], jobs: int) -> Iterator[Told]:
    """Live through the seeds, in so many processes; in no order where there are several."""
    if jobs == 1:
        with settled():
            yield from map(_simulated, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _settle, maxtasksperchild=CHUNKS) as pool:
        yield from pool.imap_unordered(_simulated, seeds, chunksize=CHUNK)


def _simulated(seed: Seed) -> Told:
    return told(simulate(*seed))


_SETTLED = ExitStack()


def _settle() -> None:
    """For a process that does nothing else: its settings last until it ends."""
    _SETTLED.enter_context(settled())
