"""Owns the tables: what was simulated, said as such."""

from collections.abc import Callable, Iterable
from math import isnan

from rich.console import Console
from rich.table import Table

from tests.benchmarks.scale import cases
from tests.benchmarks.scale.account import COLD
from tests.benchmarks.scale.assumptions import DESIGNS, OURS
from tests.benchmarks.scale.cases import Following, Paying, Row
from tests.benchmarks.scale.limits import DOUBLING_MINUTES, NEW_TABLE_WRITE_UNITS

BAR = 0.95
"""Of E(8)/E(1), for one hot merchant."""
KEEPS_UP = 0.93
"""Of what comes, at least: chance alone makes it a few in a hundred."""
Show = Callable[[Console, list[Row]], None]


def show(console: Console, rows: list[Row]) -> None:
    """Print all of it."""
    for shown in (_designs, _quotas, _start, _new_tables, _sensitivity, _following, _verdict):
        shown(console, rows)


def meets(rows: list[Row]) -> bool:
    """Whether our capacity per worker stays where it is from 1 to 8 workers, on one hot merchant."""
    return cases.ratio(rows, cases.HOT, OURS.name, 8) >= BAR


def _paying(rows: Iterable[Row], group: str) -> list[Paying]:
    found = [row for row in rows if isinstance(row, Paying) and row.group == group]
    order = [design.name for design in DESIGNS]
    return sorted(found, key=lambda row: (order.index(row.design), row.clients))


def _table(title: str, *names: str, words: int = 1) -> Table:
    table = Table(title=f"Simulated: {title}", title_justify="left")
    for at, name in enumerate(names):
        table.add_column(name, justify="left" if at < words else "right")
    return table


def _designs(console: Console, rows: list[Row]) -> None:
    names = ("design", "N", "payments/s", "E(N)/E(1)", "p50 ms", "p99 ms", "refused", "WRU/payment")
    for group, title in (
        (cases.HOT, "N functions pay one merchant from a million wallets"),
        (cases.SPREAD, "N functions pay 10,000 merchants from a million wallets"),
    ):
        table = _table(f"{title}; no quota in the way", *names)
        before = ""
        for row in _paying(rows, group):
            if before not in {"", row.design}:
                table.add_section()
            before = row.design
            share = cases.ratio(rows, group, row.design, row.clients)
            table.add_row(*(row.design, f"{row.clients:,}", _rate(row.payments), f"{share:.3f}", *_tail(row)))
        console.print(table)


def _tail(row: Paying) -> tuple[str, ...]:
    return (*_latencies(row), f"{row.refused:.1%}", f"{row.units:.1f}")


def _latencies(row: Paying) -> tuple[str, str]:
    return (f"{row.p50 * 1000:,.0f}", f"{row.p99 * 1000:,.0f}")


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _quotas(console: Console, rows: list[Row]) -> None:
    names = ("quotas", "clients", "payments/s", "p50 ms", "p99 ms", "429", "503 Lambda", "503 storage")
    table = _table("Tael, 10,000 merchants, behind an account's quotas", *names)
    for row in _paying(rows, cases.QUOTAS):
        refusals = (f"{share:.1%}" for share in (row.by_gateway, row.by_lambda, row.by_storage))
        table.add_row(row.variant, f"{row.clients:,}", _rate(row.payments), *_latencies(row), *refusals)
    console.print(table)


def _start(console: Console, rows: list[Row]) -> None:
    table = _table(
        f"Tael's first ten seconds: {COLD.name}", "clients", "payments/s", "p50 ms", "p99 ms", "503", words=0
    )
    for row in _paying(rows, cases.START):
        share = f"{row.refused:.1%}"
        table.add_row(f"{row.clients:,}", _rate(row.payments), *_latencies(row), share)
    console.print(table)


def minutes_until(units: float) -> float:
    """How long a new table must be led up to so many write units a second, doubling at a time."""
    minutes, reached = 0.0, NEW_TABLE_WRITE_UNITS
    while reached < units:
        minutes, reached = minutes + DOUBLING_MINUTES, 2 * reached
    return minutes


def _new_tables(console: Console, _: list[Row]) -> None:
    table = _table(
        "minutes from new tables to a rate, unless they are warmed up beforehand (arithmetic)",
        *("payments/s", "units/s of the ledger table", "minutes"),
        words=0,
    )
    for payments in (1_000, 2_000, 4_000, 8_000, 10_000):
        units = payments * OURS.ledger
        table.add_row(f"{payments:,}", f"{units:,.0f}", f"{minutes_until(units):.0f}")
    console.print(table)


def _sensitivity(console: Console, rows: list[Row]) -> None:
    table = _table(
        "one hot merchant, if the assumptions are wrong",
        *("assumption", "design", "E(8)/E(1)", "payments/s of 8", "payments/s of 100"),
        words=2,
    )
    found = {(row.variant, row.design, row.clients): row for row in _paying(rows, cases.SENSITIVITY)}
    for variant, _ in cases.VARIANTS:
        for design in DESIGNS:
            share = cases.ratio(rows, cases.SENSITIVITY, design.name, 8, variant)
            eight, hundred = (_rate(found[variant, design.name, clients].payments) for clients in (8, 100))
            table.add_row(variant, design.name, f"{share:.3f}", eight, hundred)
    console.print(table)


def _following(console: Console, rows: list[Row]) -> None:
    for group, title, at_once in (
        (cases.SETTLING, "settlement as declared", "batches"),
        (cases.WIDTH, "settlement with more than enough to do, by its concurrency", "batches"),
        (cases.ROLL_UP, "the roll-up", "shards"),
    ):
        names = ("merchants", at_once, "offered/s", "seconds", "counted/s", "p50 s", "p99 s", "waiting")
        table = _table(f"{title}; seconds behind", *names, "dead", "WRU each", words=0)
        for row in rows:
            if isinstance(row, Following) and row.group == group:
                table.add_row(
                    *(f"{row.merchants:,}", f"{row.at_once}", f"{row.offered:,.0f}", f"{row.seconds:,.0f}"),
                    *(_rate(row.done), _lag(row, row.p50), _lag(row, row.p99)),
                    *(f"{row.waiting:,}", f"{row.dead:,}", f"{row.units:.2f}"),
                )
        console.print(table)


def _lag(row: Following, seconds: float) -> str:
    """Where less is counted than comes, it grows as long as that goes on."""
    return "grows" if isnan(seconds) or row.done < KEEPS_UP * row.offered else f"{seconds:.1f}"


def _verdict(console: Console, rows: list[Row]) -> None:
    worst = max(abs(row.little - 1) for row in rows if isinstance(row, Paying) and row.group != cases.START)
    share = cases.ratio(rows, cases.HOT, OURS.name, 8)
    console.print(
        f"Simulated E(8)/E(1) of Tael on one hot merchant: {share:.3f}; the bar is {BAR}. "
        f"Little's law holds within {worst:.1%} in every run. Nothing here was measured on AWS."
    )
