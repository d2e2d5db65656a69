"""Measures the processor time of a request above that of its calls to DynamoDB, made bare with boto3.

The app is called as Lambda calls it. The very same calls, recorded with ids of their own, are then made by a
client of the same configuration and nothing around it. Both take turns in one process, and what is counted
is the time of its processor. DynamoDB's answers come twice: canned, at the end of botocore, where neither
network nor engine is measured; and from the embedded engine over loopback, with all that HTTP takes.
"""

import argparse
import gc
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console
from rich.table import Table

from chassis import aws, clock, ids
from functions.payments.app import app as payments
from functions.wallets.app import app as wallets
from local.system import running
from tests.benchmarks.canned import Call, Wire, recorded
from tests.conftest import connect, onboard

RATIO_AT_MOST = 1.3
FUNDS = 10**9
Event = dict[str, Any]


@dataclass(frozen=True)
class Flow:
    """A request as Lambda would deliver it, with fresh ids where it needs them."""

    name: str
    app: Callable[[Event, Any], Any]
    status: int
    event: Callable[[], Event]

    def run(self, events: list[Event]) -> None:
        """Answer them all."""
        for event in events:
            if self.app(event, None)["statusCode"] != self.status:
                raise AssertionError(f"{self.name} is not {self.status}")


@dataclass(frozen=True)
class Result:
    """Medians of rounds: microseconds of the processor for a request and for its calls, and their ratio."""

    flow: str
    answers: str
    handler_us: float
    calls_us: float
    ratio: float
    """The median of each round's own ratio."""
    quietest_handler_us: float
    quietest_calls_us: float
    """Of the rounds that a busy machine disturbed least, of either."""

    @property
    def quietest_ratio(self) -> float:
        """How these two compare."""
        return self.quietest_handler_us / self.quietest_calls_us


def _event(key: str, route: str, values: dict[str, str] | None, body: Any = None, **headers: str) -> Event:
    """A proxy event of format 2.0 with the headers that an HTTP client and the gateway send."""
    method, _, resource = route.partition(" ")
    path = resource.format_map(values or {})
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "application/json",
            "accept-encoding": "gzip",
            "authorization": f"Bearer {key}",
            "content-type": "application/json",
            "host": "abcdefghij.execute-api.us-east-1.amazonaws.com",
            "user-agent": "python-httpx/0.28.1",
            "x-amzn-trace-id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
            "x-forwarded-for": "203.0.113.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            **headers,
        },
        "pathParameters": values,
        "requestContext": {
            "apiId": "abcdefghij",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.1"},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route,
            "stage": "$default",
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def _flows(key: str, payer: str, payee: str) -> list[Flow]:
    order = {"amount": 1, "currency": "GBP", "source": {"wallet": payer}}
    transfer = {"from_wallet": payer, "to_wallet": payee, "amount": 1, "currency": "GBP"}
    pay, show = "POST /v1/payments/{order_id}", "GET /v1/payments/{order_id}"
    repeated = {"order_id": ids.random("order")}

    def fresh() -> Event:
        return _event(key, pay, {"order_id": ids.random("order")}, order)

    def transferred() -> Event:
        name = {"idempotency-key": ids.random("key")}
        return _event(key, "POST /v1/transfers", None, transfer, **name)

    again = _event(key, pay, repeated, order)
    shown = _event(key, show, repeated)
    return [
        Flow("wallet payment", payments, 201, fresh),
        Flow("its replay", payments, 201, lambda: again),
        Flow("transfer", wallets, 201, transferred),
        Flow("GET payment", payments, 200, lambda: shown),
    ]


def _timed(work: Callable[[], None], count: int) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return (time.process_time() - began) / count * 1e6


def _bare(client: Any, calls: list[Call]) -> None:
    for name, parameters in calls:
        with suppress(ClientError):  # what a replay is answered with
            getattr(client, name)(**parameters)


def _round(flow: Flow, wire: Wire, bare: Any, count: int, *, canned: bool, ours_first: bool) -> list[float]:
    """Microseconds for a request and for its calls."""
    wire.canned = True
    with recorded() as recorder:
        flow.run([flow.event() for _ in range(count)])
    wire.canned = canned
    events = [flow.event() for _ in range(count)]
    turns = [lambda: flow.run(events), lambda: _bare(bare, recorder.calls)]
    if ours_first:
        return [_timed(turn, count) for turn in turns]
    return [_timed(turn, count) for turn in reversed(turns)][::-1]


def measure(flow: Flow, wire: Wire, bare: Any, rounds: int, count: int) -> Iterator[Result]:
    """The flow with canned answers and with the engine's."""
    for answers in ("canned", "engine"):
        # The first round warms up.
        times = [
            _round(flow, wire, bare, count, canned=answers == "canned", ours_first=number % 2 == 0)
            for number in range(rounds + 1)
        ][1:]
        handler, calls = zip(*times, strict=True)
        ratios = [ours / theirs for ours, theirs in times]
        yield Result(
            flow.name,
            answers,
            statistics.median(handler),
            statistics.median(calls),
            statistics.median(ratios),
            min(handler),
            min(calls),
        )


def measured(rounds: int, count: int) -> list[Result]:
    """Every flow, on an embedded engine of its own."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "state") as system:
        os.environ.update(system.environment)
        # Each look at the movable clock, which no Lambda has, would read a file.
        os.environ.pop(clock.FILE_VARIABLE)
        with connect(system, system.platform_key) as platform:
            shop = onboard(system, platform)
            payer, payee = shop.wallet(FUNDS), shop.wallet()
            shop.http.close()
        bare = aws.client.__wrapped__("dynamodb")
        wire = Wire(aws.client("dynamodb"), bare)
        # What a test has loaded and a function has not is nothing for the garbage collector to look through.
        gc.collect()
        gc.freeze()
        results: list[Result] = []
        for flow in _flows(shop.key, payer, payee):
            flow.run([flow.event()])
            flow.run([flow.event()])
            results += measure(flow, wire, bare, rounds, count)
            wire.canned = False
    return results


def main() -> int:
    """Print the table; the exit code says whether the bar was met."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.handlers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="of each flow (%(default)s)")
    parser.add_argument("--requests", type=int, default=25, help="of each round (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures too")
    options = parser.parse_args()
    # The log lines are written, and nobody reads them.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        results = measured(options.rounds, options.requests)
    _show(Console(width=110), results, options.rounds, options.requests)
    if options.json:
        told = [asdict(result) | {"quietest_ratio": result.quietest_ratio} for result in results]
        options.json.write_text(json.dumps(told, indent=2) + "\n")
    return 0 if all(result.ratio <= RATIO_AT_MOST for result in results) else 1


def _show(console: Console, results: list[Result], rounds: int, count: int) -> None:
    shown = Table(title="Processor time of a request, and of its calls to DynamoDB made bare")
    for name in ("request", "answers"):
        shown.add_column(name)
    for name in ("request, us", "calls, us", "ratio", "quietest, us", "calls, us", "quietest ratio"):
        shown.add_column(name, justify="right")
    for result in results:
        shown.add_row(
            result.flow,
            result.answers,
            f"{result.handler_us:.0f}",
            f"{result.calls_us:.0f}",
            f"{result.ratio:.2f}",
            f"{result.quietest_handler_us:.0f}",
            f"{result.quietest_calls_us:.0f}",
            f"{result.quietest_ratio:.2f}",
        )
    console.print(shown)
    console.print(
        f"Bar: {RATIO_AT_MOST:g}. Medians of {rounds} rounds of {count} requests, after one to warm up. "
        "Beside them the quietest of either, for what else a machine does costs longer code more. Canned: "
        "no network and no engine; engine: MiniStack over loopback, whose own time is not counted. The log "
        "line goes to the null device, and there is no movable clock. Again: "
        f"python -m tests.benchmarks.handlers --rounds {rounds} --requests {count}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
