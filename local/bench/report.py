"""Tells on the terminal what was measured, part by part, and what it does not say."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local.bench.costs import TIMES, Cost
from local.bench.findings import Findings, dollars
from local.bench.latency import PERCENTILES, Latency
from local.bench.load import CLOSED_CONNECTIONS
from local.bench.machine import Machine
from local.bench.market import SINGLE, SPREAD
from local.bench.metering import Use
from local.bench.pricing import price
from local.bench.throughput import Throughput, efficiency

ENGINE, API = "The embedded engine", "The HTTP server"
WORKERS = ("The worker for streams", "The worker for queues", "The worker for schedules")
BUSY_PERCENT = 10
"""Of the machine, by others: above it the figures are said to have suffered."""

Step = Callable[[str], None]


@contextmanager
def progress_bar(console: Console, steps: int) -> Iterator[Step]:
    """A bar that the yielded function names the next step of; nothing where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=steps)
        yield lambda doing: progress.update(task, description=doing, advance=1)


def tell_beginning(console: Console, findings: Findings) -> None:
    """What it runs on."""
    machine = findings.machine
    console.print(
        f"{machine.processor}, {_cores(machine)}, {machine.system}; Python {machine.python}, "
        f"{machine.engine}, Tael {machine.tael}; load average before: {machine.load_before:g}. "
        f"Seed {findings.seed}. Again: {findings.command}",
        highlight=False,
    )
    console.print(
        f"The load generator, a process of its own, sends {findings.generator:,.0f} requests/s by itself.",
        highlight=False,
    )


def _cores(machine: Machine) -> str:
    return "1 core" if machine.cores == 1 else f"{machine.cores} cores"


def _table(console: Console, title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*names, title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    console.print()
    console.print(table)


def tell_throughput(console: Console, findings: Findings) -> None:
    """P and E, why E falls, and where the processor's time went."""
    measured = findings.throughput
    names = ("traffic", "N", "payments", "P accepted", "P settled", "E = C/N", "E/E(1)")
    _table(console, "Verified payments per second", names, [_speed(measured, each) for each in measured])
    machine = findings.machine
    console.print(
        f"N API workers. Spread: {SPREAD.wallets} wallets pay {SPREAD.merchants} merchants; single merchant: "
        f"{SINGLE.wallets} wallets pay {SINGLE.merchants}. {CLOSED_CONNECTIONS} payments are under way at "
        "any time. P accepted is C, until all were answered; P settled, until a settlement had counted "
        "them all. Verified: afterwards orders, wallets, balances, settlements and the trial balance add up "
        "to the penny.\nThe embedded engine runs every call one after the other on one core, and this "
        f"machine has {_cores(machine)} for the engine, the workers, streams, queues and the load together: "
        "E falls for a reason that AWS does not share. None of these is a figure for AWS.",
        highlight=False,
    )
    if measured and measured[0].busy:
        tell_processor(console, measured)


def _speed(measured: Sequence[Throughput], one: Throughput) -> Sequence[str]:
    of_one = efficiency(measured, one)
    return (
        one.traffic,
        str(one.workers),
        f"{one.payments:,}",
        f"{one.accepted:.0f}/s",
        f"{one.settled:.0f}/s",
        f"{one.per_worker:.0f}/s",
        "-" if of_one is None else f"{of_one:.2f}",
    )


def tell_processor(console: Console, measured: Sequence[Throughput]) -> None:
    """What each part took of the processor until all was accepted."""
    names = ("traffic", "N", "API", "engine", "events", "load", "engine busy", "others")
    title = "Milliseconds of processor a payment, until all were accepted"
    _table(console, title, names, [_processor(each) for each in measured])
    least = min(one.busy[API] / one.payments for one in measured)
    console.print(
        f"Events: streams and queues. At {least * 1000:.2f} ms of API processor, the least here, a worker "
        f"with a core of its own takes at most {1 / least:.0f}/s, however quick the storage.",
        highlight=False,
    )
    worst = max((each.others or 0.0) * 100 for each in measured)
    if worst > BUSY_PERCENT:
        console.print(
            f"Something else took up to {worst:.0f} % of the machine meanwhile (column others): on an idle "
            "one the figures are better.",
            style="yellow",
            highlight=False,
        )


def _processor(one: Throughput) -> Sequence[str]:
    parts = (
        one.busy[API],
        one.busy[ENGINE],
        sum(one.busy[name] for name in WORKERS),
        one.generator_seconds,
    )
    each = (f"{seconds / one.payments * 1000:.2f}" for seconds in parts)
    engine = one.busy[ENGINE] / one.accepted_seconds
    return (one.traffic, str(one.workers), *each, _percent(engine), _percent(one.others or 0.0))


def _percent(part: float) -> str:
    return f"{part * 100:.0f} %"


def tell_latency(console: Console, findings: Findings) -> None:
    """Percentiles, and whether the generator kept its schedule."""
    names = ("offered", "payments", "achieved", *map(_percentile, PERCENTILES), "sent late")
    workers = findings.latency_workers
    title = (
        f"Milliseconds a wallet payment takes ({workers} worker{'s' if workers > 1 else ''}, {SPREAD.name})"
    )
    _table(console, title, names, [_latency(each) for each in findings.latency])
    console.print(
        "An open model: customers come at random moments fixed beforehand (Poisson), and each is counted "
        "from the moment when it was due, so that whoever waits because others are slow has waited too. "
        "Percentages are of P accepted. Sent late: the worst lag of the load generator behind its schedule.",
        highlight=False,
    )


def _percentile(percent: float) -> str:
    return "max" if percent == 100 else f"p{percent:g}"  # noqa: PLR2004 - percent are of a hundred


def _latency(one: Latency) -> Sequence[str]:
    milliseconds = (f"{one.percentile(percent) * 1000:.0f}" for percent in PERCENTILES)
    return (
        f"{_percent(one.part)}: {one.offered:.0f}/s",
        f"{len(one.latencies):,}",
        f"{one.achieved:.0f}/s",
        *milliseconds,
        f"{max(one.lags) * 1000:.0f}",
    )


def tell_costs(console: Console, findings: Findings) -> None:
    """What each flow takes, and a payment with all that it causes."""
    names = ("flow", "WRU", "writes", "RRU", "$/million", "+ time", "ms here")
    _table(console, f"Each flow, the mean of {TIMES}", names, [_flow(each) for each in findings.flows])
    names = ("for each payment", "WRU", "RRU", "calls", "batch", "$/million", "+ time")
    rows = [_share(each) for each in findings.whole]
    total = sum(dollars(findings.whole))
    units = [
        sum(getattr(each.use, name) for each in findings.whole) for name in ("write_units", "read_units")
    ]
    sums = ("all", f"{units[0]:.2f}", f"{units[1]:.2f}", "", "", f"{total:.2f}", "")
    _table(console, "A wallet payment, settled and told to one endpoint", names, [*rows, sums])
    console.print(
        "Write and read units (WRU, RRU) and write calls are the functions' own metering, from their log "
        "lines. Calls: invocations of functions; batch: the messages or changes that one was given. Its "
        "event: told, logged, and the delivery planned. Dollars: us-east-1 on demand, for DynamoDB and "
        "requests, those of SQS in batches of ten. Lambda's time would come on top (+ time), if a function "
        "of 512 MB took as long on AWS as here (ms here), which was never measured.",
        highlight=False,
    )


def _flow(cost: Cost) -> Sequence[str]:
    use, asked = cost.use, price(cost.use, is_request=cost.is_request)
    units = (f"{use.write_units:.2f}", f"{use.write_calls:.2f}", f"{use.read_units:.2f}")
    return (cost.name, *units, f"{asked.total:.2f}", f"{asked.lambda_time:.2f}", f"{use.milliseconds:.1f}")


def _share(cost: Cost) -> Sequence[str]:
    use: Use = cost.use
    asked = price(use, is_request=cost.is_request)
    return (
        cost.name,
        f"{use.write_units:.2f}",
        f"{use.read_units:.2f}",
        f"{use.invocations:.3f}",
        f"{cost.batch:.0f}" if cost.batch else "-",
        f"{asked.total:.2f}",
        f"{asked.lambda_time:.2f}",
    )
