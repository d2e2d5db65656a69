"""Settlement at volume: `make bench` prints what it cost and whether every payment was counted exactly once.

Captured payments are made up and given to the handler itself, each one to three times in random order, to
handlers of which some die right before or after a commit. Then real payments go through streams and queues.
"""

import argparse
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from chassis import aws, ids, store
from chassis.attributes import encode, size
from functions.payments import publication
from functions.settlement import table
from functions.settlement.shapes import SettlementQuery
from local.system import System, running
from tests.conftest import SEED, connect, onboard
from tests.functions.settlement.deliveries import Event, captured, deliver_all, found, mortal, refunded

DEATHS = 0.005
"""Odds of dying before, and again after, each commit."""
BATCH = 5_000
UNITS_AT_MOST, READS_AT_MOST = 2.2, 1.0
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Result:
    """What one scenario came to."""

    payments: int
    merchants: int
    deliveries: int
    seconds: float
    write_units: float
    read_units: float
    exact: bool


class Billing:
    """DynamoDB's client, with every call's units added up: as told, or for refused ones at full price."""

    def __init__(self) -> None:
        self.real = aws.client("dynamodb")
        self.write_units = 0.0
        self.read_units = 0.0

    def __getattr__(self, name: str) -> Any:
        call: Callable[..., Any] = getattr(self.real, name)

        def billed(**parameters: Any) -> Any:
            answer: dict[str, Any] = {}
            try:
                answer = call(**parameters)
            finally:
                if name == "transact_write_items":
                    told = sum(each["CapacityUnits"] for each in answer.get("ConsumedCapacity", ()))
                    self.write_units += told or 2 * sum(map(_units, parameters["TransactItems"]))
                if name == "batch_get_item":
                    requested = parameters["RequestItems"].values()
                    self.read_units += sum(
                        len(part["Keys"]) * (1.0 if part["ConsistentRead"] else 0.5) for part in requested
                    )
            return answer

        return billed


def _units(member: dict[str, Any]) -> int:
    ((_, request),) = member.items()
    content = request.get("Item") or {**request["Key"], **encode({"expression": request["UpdateExpression"]})}
    return -(-size(content) // 1024)


@contextmanager
def _billed() -> Iterator[Billing]:
    billing = Billing()
    connected = aws.client
    aws.client = lambda service, **options: (  # type: ignore[assignment]
        billing if service == "dynamodb" else connected(service, **options)
    )
    try:
        yield billing
    finally:
        aws.client = connected


def _events(payments: int, merchants: int) -> list[Event]:
    names = [ids.random("mer") for _ in range(merchants)]
    return [
        (refunded if number % 20 == 19 else captured)(names[number % merchants], f"order-{number:06}")
        for number in range(payments)
    ]


def directly(payments: int, merchants: int) -> Result:
    """Give made-up events to the handler, and look for each of them in the manifests."""
    chooser = random.Random(SEED)
    events = _events(payments, merchants)
    commit: Callable[..., None] = store.commit
    with _billed() as billing, redirect_stdout(Path(os.devnull).open("w")):
        store.commit = mortal(chooser, DEATHS)
        began = time.monotonic()
        try:
            deliveries = deliver_all(events, chooser, BATCH)
        finally:
            store.commit = commit
        seconds = time.monotonic() - began
    write_units, read_units = billing.write_units, billing.read_units
    exact = _counted({event["principal"] for event in events}) == Counter(
        (event["principal"], event["data"]["order_id"]) for event in events
    )
    return Result(payments, merchants, deliveries, seconds, write_units, read_units, exact)


def _counted(names: set[str]) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for name in names:
        settlement = found(name)
        lines = list(table.all_lines(settlement.id))
        counted.update((name, line.order_id) for line in lines)
        if settlement.net != sum(line.net for line in lines):
            return Counter()
    return counted


def end_to_end(system: System, payments: int, console: Console) -> bool:
    """Pay orders over HTTP, and wait until streams and queues have brought all of them, told twice."""
    with connect(system, system.platform_key) as platform:
        shop = onboard(system, platform)
        wallet = shop.wallet(payments * 1000)
        began = time.monotonic()
        with ThreadPoolExecutor(8) as clients:
            paid = list(clients.map(lambda number: shop.pay(str(number), wallet, 1000), range(payments)))
        accepted = time.monotonic() - began
        publication.repeat()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while _settled(shop.id)[0] < payments and time.monotonic() < deadline:
            time.sleep(0.1)
        settled = time.monotonic() - began
        count, captured_in_all = _settled(shop.id)
        shop.http.close()
    exact = all(answer.status_code == 201 for answer in paid) and (count, captured_in_all) == (
        payments,
        payments * 1000,
    )
    console.print(
        f"{payments:,} payments over HTTP, streams and SQS, each told twice: accepted in {accepted:.1f} s, "
        f"counted by a settlement after {settled:.1f} s, {'exactly' if exact else 'NOT exactly'} once each."
    )
    return exact


def _settled(merchant_id: str) -> tuple[int, int]:
    page = table.settlements_of(merchant_id, SettlementQuery(limit=100))
    return sum(each.payments for each in page.data), sum(each.captured for each in page.data)


def main() -> int:
    """Run it all and print the table; the exit code says whether the bars were met."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.settlement", description=__doc__)
    parser.add_argument("--payments", type=int, default=20_000, help="of each scenario (%(default)s)")
    parser.add_argument("--end-to-end", type=int, default=2_000, help="real payments (%(default)s)")
    options = parser.parse_args()
    console = Console(width=100)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "state") as system:
        os.environ.update(system.environment)
        sizes = [(options.payments // 4, 50), (options.payments, 50), (options.payments, 1)]
        results = [directly(*each) for each in sizes]
        ok = end_to_end(system, options.end_to_end, console)
    _show(console, results)
    return 0 if ok and all(_meets(result) for result in results) else 1


def _meets(result: Result) -> bool:
    units, reads = result.write_units / result.payments, result.read_units / result.deliveries
    return result.exact and units <= UNITS_AT_MOST and reads <= READS_AT_MOST


def _show(console: Console, results: list[Result]) -> None:
    shown = Table(title=f"Settlement, handler called directly on the embedded engine (seed {SEED})")
    for name in (
        "payments",
        "merchants",
        "deliveries",
        "seconds",
        "ms/payment",
        "WRU/payment",
        "RRU/delivery",
    ):
        shown.add_column(name, justify="right")
    shown.add_column("each once")
    for result in results:
        shown.add_row(
            f"{result.payments:,}",
            str(result.merchants),
            f"{result.deliveries:,}",
            f"{result.seconds:.1f}",
            f"{result.seconds / result.payments * 1000:.2f}",
            f"{result.write_units / result.payments:.3f}",
            f"{result.read_units / result.deliveries:.3f}",
            "yes" if result.exact else "NO",
        )
    console.print(shown)
    console.print(
        f"Bars: {UNITS_AT_MOST} WRU a payment, refused writes included, {READS_AT_MOST:g} RRU a delivery. "
        f"Handlers die with odds of {DEATHS:g} before and after each commit. Simulated: deliveries and "
        "deaths; the engine is MiniStack, so its seconds say nothing of AWS. Again: make bench"
    )


if __name__ == "__main__":
    raise SystemExit(main())
