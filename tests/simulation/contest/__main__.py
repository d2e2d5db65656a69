"""Holds Tael beside the peer in the same weather: `python -m tests.simulation.contest` prints what each did.

Simulated, all of it: the same seeds, orders, callers' habits and faults for Tael and for a handler in
Powertools' idempotency, in single writes and in a transaction, with the retries and the tokens that boto3 has
by itself. Write units are those of the payments' own requests, with their repetitions and refused writes,
but without what was not answered. In the end Tael has its own recovery: streams, queues and schedules; the
peer has none but its callers' retries, and tells its queue after the commit, as the samples do.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.simulation.contest.ours import Tael
from tests.simulation.contest.peer import Peer
from tests.simulation.contest.workload import PAYMENTS, Outcome, contend
from tests.simulation.process import living_in, settled

Run = Callable[[int], Outcome]


def ours(seed: int) -> Outcome:
    """One seed of Tael."""
    tael = Tael(seed)
    with living_in(tael.world):
        tael.begin()
        return contend(tael, seed)


def peers(seed: int, *, transactional: bool) -> Outcome:
    """One seed of the peer."""
    peer = Peer(seed, transactional=transactional)
    with peer.time():
        return contend(peer, seed)


CONTESTANTS: dict[str, Run] = {
    "Tael": ours,
    "peer, transaction": lambda seed: peers(seed, transactional=True),
    "peer, single writes": lambda seed: peers(seed, transactional=False),
}


def main() -> int:
    """Run the seeds; the exit code says whether Tael had no violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.contest", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many (%(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (%(default)s)")
    parser.add_argument("--json", type=Path, help="write all outcomes to this file")
    options = parser.parse_args()
    console = Console(width=120)
    began = time.monotonic()
    seeds = range(options.first, options.first + options.seeds)
    with settled():
        outcomes = {
            name: [run(seed) for seed in track(seeds, name, console=console)]
            for name, run in CONTESTANTS.items()
        }
    console.print(shown(outcomes))
    console.print(
        f"{options.seeds} seeds from {options.first} on, {PAYMENTS} orders each, "
        f"{time.monotonic() - began:.0f} s. Simulated: all of it. "
        "Orders are counted once for each kind of violation. Again: "
        f"python -m tests.simulation.contest --seeds {options.seeds} --first {options.first}"
    )
    if options.json:
        told = {name: [asdict(outcome) for outcome in each] for name, each in outcomes.items()}
        options.json.write_text(json.dumps(told))
    return 1 if any(outcome.violations for outcome in outcomes["Tael"]) else 0


def shown(outcomes: dict[str, list[Outcome]]) -> Table:
    """The sums, side by side."""
    table = Table(title="Wallet payments under faults, simulated")
    names = [field.name for field in fields(Outcome) if field.name != "write_units"]
    for name in ("contestant", "seeds with a violation", *(name.replace("_", " ") for name in names)):
        table.add_column(name, justify="left" if name == "contestant" else "right")
    table.add_column("write units a paid order", justify="right")
    for contestant, each in outcomes.items():
        paid = sum(outcome.paid for outcome in each)
        units = sum(outcome.write_units for outcome in each) / max(1, paid)
        sums = [sum(getattr(outcome, name) for outcome in each) for name in names]
        broken = sum(outcome.violations > 0 for outcome in each)
        table.add_row(contestant, f"{broken} of {len(each)}", *(f"{sum_:,}" for sum_ in sums), f"{units:.1f}")
    return table


if __name__ == "__main__":
    raise SystemExit(main())
