"""Makes the mass runs: `make simulate SEEDS=10000 FIRST=1` lives through that many and reports what broke.

Each seed is a system of its own: all capabilities, their queues, streams and schedules, on models of
DynamoDB, SQS, KMS, an acquirer and a bank, disturbed at every call as the seed has it. The same seed is
always the same run.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulation.process import settled
from tests.simulation.run import Result, simulate
from tests.simulation.world import OPERATIONS

FOLDER = Path("build/simulation")
SHOWN = 5
"""Failing seeds that are shown in full; the others are counted."""
CHUNK = 8
LAST_LINES = 40


def main() -> int:
    """Run the seeds, with a bar; the exit code says whether everything held in all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many (%(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (%(default)s)")
    parser.add_argument("--operations", type=int, default=OPERATIONS, help="of each (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (%(default)s)")
    parser.add_argument("--trace", action="store_true", help="print all that happens: for a single seed")
    options = parser.parse_args()
    console = Console(width=140, highlight=False)
    if options.trace:
        with settled():
            result = simulate(options.first, options.operations)
        for line in result.trace.lines():
            console.print(line, markup=False, soft_wrap=True)
        _show(console, _told(result), options.operations)
        return 1 if result.violations else 0
    return _run_all(console, options)


def _run_all(console: Console, options: argparse.Namespace) -> int:
    began = time.monotonic()
    seeds = [(seed, options.operations) for seed in range(options.first, options.first + options.seeds)]
    failed: list[Told] = []
    commits = 0
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeRemainingColumn(),
    )
    with Progress(TextColumn("seeds"), *columns, console=console) as progress:
        bar = progress.add_task("seeds", total=len(seeds), failed=0)
        for told in _results(seeds, options.jobs):
            commits += told.commits
            if told.violations:
                failed.append(told)
                if len(failed) <= SHOWN:
                    _show(progress.console, told, options.operations)
            progress.update(bar, advance=1, failed=len(failed))
    seconds = time.monotonic() - began
    console.print(
        f"{len(seeds):,} seeds from {options.first} on, {options.operations} operations each: "
        f"{commits:,} commits, {len(failed)} seeds with violations, {seconds:.0f} s "
        f"({len(seeds) / seconds:.1f} seeds/s)."
    )
    if failed:
        console.print(f"Failed: {' '.join(str(told.seed) for told in failed[:100])}")
    return 1 if failed else 0


class Told:
    """What one process tells another of a run."""

    def __init__(self, result: Result) -> None:
        self.seed = result.seed
        self.commits = result.commits
        self.violations = result.violations
        self.faults = result.faults
        self.file = FOLDER / f"seed-{result.seed}.txt"
        self.last: list[str] = []


def _told(result: Result) -> Told:
    told = Told(result)
    if result.violations:
        lines = list(result.trace.lines())
        told.last = lines[-LAST_LINES:]
        FOLDER.mkdir(parents=True, exist_ok=True)
        told.file.write_text("\n".join([*lines, "", *result.violations, ""]))
    return told


def _simulated(seed: tuple[int, int]) -> Told:
    return _told(simulate(*seed))


def _settle() -> None:
    """For a process that does nothing else: its settings last until it ends."""
    _SETTLED.enter_context(settled())


_SETTLED = ExitStack()


def _results(seeds: list[tuple[int, int]], jobs: int) -> Iterator[Told]:
    if jobs == 1:
        with settled():
            yield from map(_simulated, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _settle) as pool:
        yield from pool.imap_unordered(_simulated, seeds, chunksize=CHUNK)


def _show(console: Console, told: Told, operations: int) -> None:
    if not told.violations:
        console.print(f"seed {told.seed}: everything held")
        return
    console.rule(f"seed {told.seed}")
    console.print(f"weather: {', '.join(told.faults) or 'fair'}", markup=False)
    for violation in told.violations[:10]:
        console.print(f"  {violation}", markup=False, soft_wrap=True)
    if len(told.violations) > 10:
        console.print(f"  and {len(told.violations) - 10} more")
    again = f"make simulate SEEDS=1 FIRST={told.seed}"
    if operations != OPERATIONS:
        again = f"python -m tests.simulation --seeds 1 --first {told.seed} --operations {operations}"
    console.print(f"  The whole run: {told.file}. Again: {again}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    raise SystemExit(main())
