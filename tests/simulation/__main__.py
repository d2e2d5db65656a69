"""Lives through many seeds: `make simulate SEEDS=10000 FIRST=1` reports what broke in which of them.

Each seed is a system of its own: all capabilities, their queues, streams and schedules, on models of
DynamoDB, SQS, KMS, an acquirer and a bank, disturbed at every call as the seed has it. The same seed is
always the same run.
"""

import argparse
import os
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulation.mass import Told, results, told
from tests.simulation.process import settled
from tests.simulation.run import simulate
from tests.simulation.world import OPERATIONS

SHOWN, VIOLATIONS = 5, 10
"""Failing seeds that are shown, and how much of each; the others are counted."""


def main() -> int:
    """Run the seeds, with a bar; the exit code says whether everything held in all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many (%(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (%(default)s)")
    parser.add_argument("--operations", type=int, default=OPERATIONS, help="of each (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (%(default)s)")
    parser.add_argument("--trace", action="store_true", help="print all that happens: for a single seed")
    options = parser.parse_args()
    console = Console(width=110, highlight=False)
    if options.trace:
        return _trace(console, options.first, options.operations)
    return _run_all(console, options)


def _trace(console: Console, seed: int, operations: int) -> int:
    with settled():
        result = simulate(seed, operations)
    for line in result.trace.lines():
        console.print(line, markup=False, soft_wrap=True)
    if result.violations:
        _show(console, told(result), operations)
        return 1
    console.print(f"seed {seed}: everything held")
    return 0


def _run_all(console: Console, options: argparse.Namespace) -> int:
    began = time.monotonic()
    seeds = [(seed, options.operations) for seed in range(options.first, options.first + options.seeds)]
    failed: list[Told] = []
    changes = 0
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeRemainingColumn(),
    )
    with Progress(TextColumn("seeds"), *columns, console=console) as progress:
        bar = progress.add_task("seeds", total=len(seeds), failed=0)
        for run in results(seeds, options.jobs):
            changes += run.changes
            if run.violations:
                failed.append(run)
                if len(failed) <= SHOWN:
                    _show(progress.console, run, options.operations)
            progress.update(bar, advance=1, failed=len(failed))
    seconds = time.monotonic() - began
    console.print(
        f"{len(seeds):,} seeds from {options.first} on, {options.operations} operations each: "
        f"{changes:,} items written, {len(failed)} seeds with violations, {seconds:.0f} s "
        f"({len(seeds) / seconds:.1f} seeds/s)."
    )
    if failed:
        console.print(f"Failed: {' '.join(str(run.seed) for run in failed[:100])}")
    return 1 if failed else 0


def _show(console: Console, run: Told, operations: int) -> None:
    console.rule(f"seed {run.seed}")
    console.print(f"weather: {', '.join(run.faults) or 'fair'}", markup=False)
    for violation in run.violations[:VIOLATIONS]:
        console.print(f"  {violation}", markup=False, soft_wrap=True)
    if len(run.violations) > VIOLATIONS:
        console.print(f"  and {len(run.violations) - VIOLATIONS} more")
    again = f"make simulate SEEDS=1 FIRST={run.seed}"
    if operations != OPERATIONS:
        again = f"python -m tests.simulation --seeds 1 --first {run.seed} --operations {operations}"
    console.print(f"  The whole run: {run.file}. Again: {again}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    raise SystemExit(main())
