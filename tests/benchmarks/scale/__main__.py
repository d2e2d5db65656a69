"""The command: `python -m tests.benchmarks.scale` simulates how the system would scale on AWS, and says so.

No part of it talks to AWS, nor to an engine: it is arithmetic with chance, in the model of docs/scale.md.
"""

import argparse
import gc
import json
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.benchmarks.scale import plots, report
from tests.benchmarks.scale.cases import Case, Row, cases, row

PROCESSES = 2
SEED = 20101201


def _row(group: str, variant: str, case: Case) -> Row:
    # Ten thousand clients are alive all the time: to look for garbage again and again takes half of the time.
    gc.disable()
    try:
        return row(group, variant, case)
    finally:
        gc.collect()


def simulate(seed: int, console: Console) -> list[Row]:
    """Every case, some at a time; the rows come in the order of the cases."""
    every = list(cases(seed))
    columns = (TextColumn("simulating {task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        ProcessPoolExecutor(PROCESSES) as pool,
        Progress(*columns, console=console, transient=True) as progress,
    ):
        task = progress.add_task("", total=len(every))
        done = []
        futures = [pool.submit(_row, *each) for each in every]
        for (group, _, _), future in zip(every, futures, strict=True):
            progress.update(task, description=group)
            done.append(future.result())
            progress.advance(task)
    return done


def _finite(known: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN."""
    return {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in known.items()
    }


def main() -> int:
    """Simulate, and print the tables; the exit code says whether E(8)/E(1) is what it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="of all chance (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw into that folder")
    options = parser.parse_args()
    console = Console(width=110)
    began = time.monotonic()
    rows = simulate(options.seed, console)
    report.show(console, rows)
    seconds = time.monotonic() - began
    console.print(
        f"{seconds:.0f} s. Again: .venv/bin/python -m tests.benchmarks.scale --seed {options.seed}",
        highlight=False,
    )
    if options.json:
        known = {"simulated": True, "seed": options.seed, "rows": [_finite(asdict(each)) for each in rows]}
        options.json.write_text(json.dumps(known, indent=1, allow_nan=False) + "\n")
    if options.plots:
        try:
            for path in plots.draw(rows, options.plots):
                console.print(f"drawn: {path}", highlight=False)
        except plots.NoMatplotlib as missing:
            console.print(f"No plots: {missing}.")
    return 0 if report.meets(rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
