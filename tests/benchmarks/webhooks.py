"""Webhooks at volume: `make bench` prints how fast events reach 20 endpoints, and what two bad ones change.

Made-up events are put into the queue of a running system, whose workers record and deliver them to a receiver
on this machine: first with 20 endpoints that are well, then with one that hangs and one that is down.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chassis import clock, events, ids, store
from chassis.events import Message
from chassis.operations import Intent
from functions.webhooks import model, table
from functions.webhooks.shapes import NewEndpoint
from local.ports import free_port
from local.system import running
from tests.functions.webhooks.telling import an_event
from tests.receiver import Receiver, hangs, receiving

ENDPOINTS = 20
PATIENCE_SECONDS = 300.0
CHUNK = 100
FAST_LANE_SECONDS = 3.0
"""What an endpoint that begins to hang may cost the others, once."""
NOISE_SECONDS = 5.0
"""Of a machine that has other things to do: the two runs are compared with that much in hand."""


@dataclass(frozen=True)
class Result:
    """How the endpoints that are well got their events."""

    name: str
    expected: int
    arrived: int
    repeated: int
    seconds: float
    delays: list[float]
    """From the sending of each event to its first arrival."""


def run(name: str, receiver: Receiver, count: int, *, bad: bool) -> Result:
    """Tell so many events to the owners of 20 endpoints, in turn, and wait for those that are well."""
    urls = [f"{receiver.url}/{ids.random('hook')}" for _ in range(ENDPOINTS)]
    if bad:
        receiver.act(urls[0].removeprefix(receiver.url), hangs)
        urls[1] = f"http://127.0.0.1:{free_port()}/down"
    owners = [_owner_of(url) for url in urls]
    told = [an_event(owners[number % ENDPOINTS]) for number in range(count)]
    well = {event.id for number, event in enumerate(told) if not bad or number % ENDPOINTS > 1}
    before = len(receiver.received)
    began = time.monotonic()
    sent: dict[str, float] = {}
    for start in range(0, count, CHUNK):
        part = told[start : start + CHUNK]
        events.send(Message("webhook-events", event) for event in part)
        sent |= dict.fromkeys((event.id for event in part), time.monotonic())
    first: dict[str, float] = {}

    def all_arrived() -> bool:
        for received in receiver.received[before:]:
            if received.id in well:
                first.setdefault(received.id, received.arrived)
        return len(first) == len(well)

    receiver.comes_to(all_arrived, PATIENCE_SECONDS)
    arrivals = [received.id for received in receiver.received[before:] if received.id in well]
    return Result(
        name,
        expected=len(well),
        arrived=len(first),
        repeated=len(arrivals) - len(set(arrivals)),
        seconds=max(first.values(), default=began) - began,
        delays=[first[event] - sent[event] for event in first],
    )


def _owner_of(url: str) -> str:
    owner = ids.random("mer")
    intent = Intent(owner, "POST /v1/webhook-endpoints", key="bench", fingerprint="f")
    new = NewEndpoint(url=url, events=["*"])
    store.commit(table.save_endpoint(model.new_endpoint(owner, intent, new, clock.now())))
    return owner


@contextmanager
def _system() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "state") as system:
        os.environ.update(system.environment)
        yield


def main() -> int:
    """Run both and print the table; the exit code says whether every event arrived, and none was held up."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.webhooks", description=__doc__)
    parser.add_argument("--events", type=int, default=5_000, help="of each run (%(default)s)")
    options = parser.parse_args()
    console = Console(width=100)
    with _system(), receiving() as receiver:
        well = run("20 that are well", receiver, options.events, bad=False)
        mixed = run("18 well, 1 hangs, 1 down", receiver, options.events, bad=True)
    _show(console, [well, mixed])
    complete = all(result.arrived == result.expected for result in (well, mixed))
    held_up = max(mixed.delays, default=0) - max(well.delays, default=0)
    console.print(
        f"Two bad endpoints held up the slowest event of the others by {held_up:.1f} s "
        f"(promised: {FAST_LANE_SECONDS:g} s once, where one begins to hang)."
    )
    return 0 if complete and held_up <= FAST_LANE_SECONDS + NOISE_SECONDS else 1


def _show(console: Console, results: list[Result]) -> None:
    shown = Table(title="Webhooks through queues and workers, on the embedded engine")
    for name in ("endpoints", "expected", "arrived", "again", "seconds", "events/s", "median delay", "worst"):
        shown.add_column(name, justify="right")
    for result in results:
        shown.add_row(
            result.name,
            f"{result.expected:,}",
            f"{result.arrived:,}",
            str(result.repeated),
            f"{result.seconds:.1f}",
            f"{result.arrived / result.seconds:.0f}" if result.seconds else "-",
            f"{statistics.median(result.delays):.1f} s" if result.delays else "-",
            f"{max(result.delays):.1f} s" if result.delays else "-",
        )
    console.print(shown)
    console.print(
        "Only the endpoints that are well are counted. All events are sent at once, so a delay is mostly the "
        "time in the queue. Simulated: the events. The engine is MiniStack, and a queue has one worker: the "
        "seconds say nothing of AWS. Again: make bench"
    )


if __name__ == "__main__":
    raise SystemExit(main())
