"""Makes the check of the simulator itself: `make mutations` plants every bug, and says which seed finds it.

A seed that finds a bug is run without it too: only what holds there then was found.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.simulation.mutations.catalogue import FOUND, MUTATIONS
from tests.simulation.mutations.hunt import Hunted, held, hunt
from tests.simulation.world import OPERATIONS

SEEDS = 400
SHOWN = 2
"""Violations of a bug that are shown with `--only`."""

Asked = TypeVar("Asked")
Found = TypeVar("Found")


def main() -> int:
    """Hunt the bugs, with a bar; the exit code says whether all were caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutations", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="at most, for each (%(default)s)")
    parser.add_argument(
        "--only", action="append", choices=MUTATIONS, metavar="NAME", help="this one, and others so named"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (%(default)s)")
    parser.add_argument("--list", action="store_true", help="name them, and plant none")
    options = parser.parse_args()
    console = Console(width=150, highlight=False)
    if options.list:
        for each in MUTATIONS.values():
            unseen = "" if each.name in FOUND else " (not found yet, and hunted only by its name)"
            console.print(f"{each.name:<32}{each.why}{unseen}", markup=False, soft_wrap=True)
        return 0
    return _hunt_all(console, options)


def _hunt_all(console: Console, options: argparse.Namespace) -> int:
    began = time.monotonic()
    names = options.only or FOUND
    seeds = range(1, options.seeds + 1)
    hunted: dict[str, Hunted] = {}
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[survived]} survived"),
        TimeElapsedColumn(),
    )
    with Progress(TextColumn("{task.description}"), *columns, console=console) as progress:
        bar = progress.add_task("bugs", total=len(names), survived=0)
        chase = partial(hunt, seeds=seeds, operations=OPERATIONS)
        for found in _each(chase, names, options.jobs):
            hunted[found.name] = found
            survived = sum(each.seed is None for each in hunted.values())
            progress.update(bar, advance=1, survived=survived)
        telling = sorted({each.seed for each in hunted.values() if each.seed is not None})
        bar = progress.add_task("the same seeds without", total=len(telling), survived=0)
        fails = []
        for seed, well in _each(partial(held, operations=OPERATIONS), telling, options.jobs):
            fails += [] if well else [seed]
            progress.update(bar, advance=1)
    found_all = [hunted[name] for name in names]
    console.print(_table(found_all))
    if options.only:
        _show(console, found_all)
    return _sum_up(console, found_all, fails, time.monotonic() - began, options)


def _each(work: Callable[[Asked], Found], asked: Iterable[Asked], jobs: int) -> Iterator[Found]:
    if jobs == 1:
        yield from map(work, asked)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(work, asked)


def _table(hunted: list[Hunted]) -> Table:
    table = Table("bug", "what is broken", "caught by", "seed", "seconds")
    for column in (3, 4):
        table.columns[column].justify = "right"
    for each in hunted:
        caught_by = ", ".join(each.caught_by[:2]) + (
            f", {len(each.caught_by) - 2} more" if len(each.caught_by) > 2 else ""
        )
        seed = "SURVIVED" if each.seed is None else str(each.seed)
        table.add_row(each.name, MUTATIONS[each.name].why, caught_by, seed, f"{each.seconds:.1f}")
    return table


def _show(console: Console, hunted: list[Hunted]) -> None:
    for each in hunted:
        for violation in each.violations[:SHOWN]:
            console.print(f"{each.name}: {violation}", markup=False, soft_wrap=True)


def _sum_up(
    console: Console, hunted: list[Hunted], fails: list[int], seconds: float, options: argparse.Namespace
) -> int:
    caught = [each for each in hunted if each.seed is not None]
    runs = sum(each.seeds for each in hunted)
    console.print(
        f"{len(caught)} of {len(hunted)} bugs caught within {options.seeds} seeds from 1 on, "
        f"{OPERATIONS} operations each: {runs:,} runs, {seconds:.0f} s."
    )
    if survivors := [each.name for each in hunted if each.seed is None]:
        console.print(f"Survived: {', '.join(survivors)}")
    if fails:
        console.print(f"No proof: seeds {', '.join(map(str, fails))} fail without any bug planted")
    return 1 if survivors or fails else 0


if __name__ == "__main__":
    raise SystemExit(main())
