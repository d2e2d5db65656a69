"""The command `tael bench`: its options."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from local.bench.run import Wanted, run
from local.command import ending

MOST_PAYMENTS = 20_000
MOST_WORKERS = 64
DEFAULT_PAYMENTS = 1_000
DEFAULT_WORKERS = "1,2,4,8"


def bench(
    *,
    payments: Annotated[
        int, typer.Option(min=1, max=MOST_PAYMENTS, help="Of each measurement, of which there are many.")
    ] = DEFAULT_PAYMENTS,
    workers: Annotated[
        str, typer.Option(help="Numbers of processes that serve the API; the first one has all measurements.")
    ] = DEFAULT_WORKERS,
    seed: Annotated[int, typer.Option(help="Of amounts, customers and moments.")] = 1,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write down all that was measured.")
    ] = None,
    plots: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Draw it; needs matplotlib.")] = None,
) -> None:
    """Measure verified payments per second, capacity per worker, latency and cost.

    For each number of workers a whole system is started, loaded through HTTP on this machine, and stopped.

    P = N / T is measured until all is accepted, and until all is settled; E = C / N is each worker's share.

    Then everything must add up to the penny, or the command fails. All of it takes some minutes.

    The engine is the embedded one: its times are no figures for AWS; write units, calls and prices are.

    Example: `tael bench --workers 1,2 --json bench.json --plots plots`.
    """
    numbers = _numbers(workers)
    asked = ["tael", "bench", "--payments", str(payments), "--workers", workers, "--seed", str(seed)]
    with ending():
        run(Console(), Wanted(payments, numbers, seed, shlex.join(asked), json, plots))


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isdecimal() and 1 <= int(part) <= MOST_WORKERS]
    if len(numbers) != len(parts) or len(set(numbers)) != len(numbers):
        raise typer.BadParameter(
            f"{text!r} is not a list of different numbers from 1 to {MOST_WORKERS}, such as 1,2,4.",
            param_hint="--workers",
        )
    return numbers
