"""Measures the same wallet payment on PostgreSQL: as a PL/pgSQL function, and with django-hordak.

An order is paid once, a wallet is never overdrawn, and two entries tell of it, in one durable transaction.
The clients are processes that each pay one order after the other over a connection of their own.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.postgres import server
from tests.benchmarks.postgres.clients import (
    ACCOUNTS,
    PATIENCE_SECONDS,
    WARM_PAYMENTS,
    ledger_of,
    pay_for,
)
from tests.benchmarks.postgres.shapes import FUNDS, Refused

CLIENTS = (1, 2, 4, 8)
WAYS = ("plain", "hordak")


@dataclass(frozen=True)
class Result:
    """What so many clients reached."""

    way: str
    traffic: str
    clients: int
    payments: int
    seconds: float
    p50_ms: float
    p99_ms: float
    log_bytes: float
    """Of write-ahead log for each payment, whole pages after a checkpoint included."""

    @property
    def per_second(self) -> float:
        """Payments a second, all clients together."""
        return self.payments / self.seconds


def _measure(way: str, folder: str, ledger: Any, clients: int, seconds: float, *, hot: bool) -> Result:
    context = multiprocessing.get_context("spawn")
    start, done = context.Barrier(clients + 1), context.Queue()
    traffic = "one merchant" if hot else "spread"
    name = f"{way}-{traffic.replace(' ', '-')}-{clients}"
    processes = [
        context.Process(
            target=pay_for,
            args=(way, folder, f"{name}-{number}"),
            kwargs={"hot": hot, "seconds": seconds, "start": start, "done": done},
        )
        for number in range(clients)
    ]
    for process in processes:
        process.start()
    start.wait(PATIENCE_SECONDS)
    position = ledger.log_position()
    reports = [done.get(timeout=PATIENCE_SECONDS + seconds) for _ in processes]
    for process in processes:
        process.join(PATIENCE_SECONDS)
    taken = [each for _, _, times in reports for each in times]
    percentiles = statistics.quantiles(taken, n=100)
    return Result(
        way=ledger.name,
        traffic=traffic,
        clients=clients,
        payments=len(taken),
        seconds=max(ended for _, ended, _ in reports) - min(began for began, _, _ in reports),
        p50_ms=percentiles[49] * 1000,
        p99_ms=percentiles[98] * 1000,
        log_bytes=(ledger.log_position() - position) / len(taken),
    )


def _way(way: str, folder: Path, seconds: float) -> Iterator[Result]:
    """All of one way, on a server of its own, whose books are looked at in the end."""
    with server.running(folder) as socket:
        ledger = ledger_of(way, socket)
        ledger.provide(ACCOUNTS)
        _require_sound(ledger)
        paid = 1
        for hot in (False, True):
            for clients in CLIENTS:
                result = _measure(way, socket, ledger, clients, seconds, hot=hot)
                paid += result.payments + clients * WARM_PAYMENTS
                yield result
        if ledger.payments() != (paid, 0):
            raise AssertionError(f"{ledger.payments()} are not {paid} payments whose entries come to nothing")
        ledger.close()


def _require_sound(ledger: Any) -> None:
    """What is measured must be a payment: once for an order, and never more than there is."""
    pay = ledger.payer()
    wallet, merchant = ACCOUNTS.wallet_names[0], ACCOUNTS.merchant_names[0]
    told = [pay("sound", wallet, merchant, 1), pay("sound", wallet, merchant, 1)]
    for order, amount in (("sound", 2), ("more than there is", FUNDS + 1)):
        try:
            told.append(pay(order, wallet, merchant, amount))
        except Refused:
            told.append(False)
    if told != [True, False, False, False] or ledger.payments() != (1, 0):
        raise AssertionError(f"{ledger.name} does not pay as it should: {told}, {ledger.payments()}")


def main() -> int:
    """Measure both, or say why not, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.postgres", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (%(default)g)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures too")
    options = parser.parse_args()
    console = Console(width=110)
    folder = server.binaries()
    if folder is None:
        console.print("Skipped: no PostgreSQL here (initdb was found neither by pg_config nor in PATH).")
        return 0
    results: list[Result] = []
    for way in WAYS:
        results += _way(way, folder, options.seconds)
    _show(console, results, options.seconds)
    if options.json:
        told = [asdict(result) | {"per_second": result.per_second} for result in results]
        options.json.write_text(json.dumps(told, indent=2) + "\n")
    return 0


def _show(console: Console, results: list[Result], seconds: float) -> None:
    shown = Table(title="The same wallet payment on PostgreSQL, on this machine")
    for name in ("by", "traffic"):
        shown.add_column(name)
    for name in ("clients", "payments/s", "p50, ms", "p99, ms", "WAL bytes/payment"):
        shown.add_column(name, justify="right")
    for result in results:
        shown.add_row(
            result.way,
            result.traffic,
            str(result.clients),
            f"{result.per_second:,.0f}",
            f"{result.p50_ms:.2f}",
            f"{result.p99_ms:.2f}",
            f"{result.log_bytes:,.0f}",
            end_section=result.clients == CLIENTS[-1],
        )
    console.print(shown)
    console.print(
        f"{seconds:g} s each, {os.cpu_count()} processors for the server and all clients, commits on disk "
        f"({server.filesystem(tempfile.gettempdir())}). One machine and one node that writes: no replica, no "
        "failover, no HTTP, no authentication, no events. So it says what a database can do beneath a "
        "payment. Beside our figures on the embedded engine, which keeps its tables in memory and does have "
        "those, it compares parts of one machine, and not two systems on AWS. Again: "
        f"python -m tests.benchmarks.postgres --seconds {seconds:g}"
    )


if __name__ == "__main__":
    sys.exit(main())
