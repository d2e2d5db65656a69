"""Draws what was measured, where matplotlib is installed: one PNG for each part."""

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from local.bench.arithmetic import percentile
from local.bench.findings import Findings
from local.bench.pricing import price
from local.bench.throughput import efficiency
from local.errors import LocalError

PACKAGE = "matplotlib"
SIZE_INCHES = (7.0, 4.2)
DOTS_PER_INCH = 150
TICKS = [digit * 10**power for power in range(6) for digit in (1, 2, 5)]
"""Milliseconds that have a label."""
PRICED = "units metered on the embedded engine, public prices of us-east-1, without Lambda's time"
CURVE = [*range(1, 100), 99.5, 99.9, 100]
"""Percent at which the curve of the latencies has a point."""


@dataclass(frozen=True, slots=True)
class Plots:
    """A folder to draw into."""

    folder: Path

    @classmethod
    def into(cls, folder: Path) -> Self:
        """Raises LocalError where there is nothing to draw with, and OSError without such a folder."""
        if importlib.util.find_spec(PACKAGE) is None:
            raise LocalError(
                f"Plots are drawn with {PACKAGE}, which is not installed here: install "
                "infra/requirements/benchmarks.txt, or leave out --plots."
            )
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    def draw(self, findings: Findings) -> Iterator[Path]:
        """Write the files, and say which."""
        matplotlib: Any = importlib.import_module(PACKAGE)
        matplotlib.use("Agg")
        pyplot: Any = importlib.import_module(f"{PACKAGE}.pyplot")
        for name, drawn in PARTS.items():
            figure, axes = pyplot.subplots(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
            drawn(axes, findings)
            note = PRICED if drawn is _costs else _source(findings)
            figure.supxlabel(note, x=0.99, ha="right", fontsize=6, color="0.4")
            file = self.folder / f"{name}.png"
            figure.savefig(file)
            pyplot.close(figure)
            yield file


def _source(findings: Findings) -> str:
    machine = findings.machine
    others = max((each.others or 0.0 for each in findings.throughput), default=0.0)
    return (
        f"embedded engine, {machine.cores} cores, {machine.processor}, of which others had up to "
        f"{others * 100:.0f} %: not a figure for AWS"
    )


def _throughput(axes: Any, findings: Findings) -> None:
    for traffic in _traffic(findings):
        measured = [each for each in findings.throughput if each.traffic == traffic]
        workers = [each.workers for each in measured]
        (line,) = axes.plot(workers, [each.accepted for each in measured], "o-", label=f"{traffic}, accepted")
        settled = [each.settled for each in measured]
        axes.plot(workers, settled, "s--", color=line.get_color(), label=f"{traffic}, settled")
    _by_workers(axes, findings, "verified payments per second", "P = N / T")


def _efficiency(axes: Any, findings: Findings) -> None:
    for traffic in _traffic(findings):
        measured = [each for each in findings.throughput if each.traffic == traffic]
        axes.plot(
            [each.workers for each in measured],
            [efficiency(findings.throughput, each) for each in measured],
            "o-",
            label=traffic,
        )
    axes.axhline(1.0, color="0.6", linestyle=":", label="if each worker added as much as the first")
    _by_workers(axes, findings, "E(N) / E(1)", "Capacity per worker; one serial engine shares the cores")


def _by_workers(axes: Any, findings: Findings, label: str, title: str) -> None:
    axes.set(xlabel="API workers", ylabel=label, title=title)
    axes.set_xticks(sorted({each.workers for each in findings.throughput}))
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)


def _traffic(findings: Findings) -> list[str]:
    return list(dict.fromkeys(each.traffic for each in findings.throughput))


def _latency(axes: Any, findings: Findings) -> None:
    for each in findings.latency:
        points = [percentile(each.latencies, percent) * 1000 for percent in CURVE]
        axes.plot(points, CURVE, label=f"{each.part:.0%} of capacity: {each.offered:.0f}/s")
    axes.set(xlabel="milliseconds from when it was due", ylabel="percent of payments", xscale="log")
    axes.set_title(f"Latency of a wallet payment, open model, API workers: {findings.latency_workers}")
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in TICKS if low <= tick <= high])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)


def _costs(axes: Any, findings: Findings) -> None:
    costs = list(reversed(findings.whole))
    prices = [price(cost.use, is_request=cost.is_request) for cost in costs]
    names = [cost.name for cost in costs]
    axes.barh(names, [each.storage for each in prices], label="DynamoDB")
    storage = [each.storage for each in prices]
    axes.barh(names, [each.requests for each in prices], left=storage, label="API, Lambda and SQS requests")
    axes.set(xlabel="dollars per million payments")
    total = sum(each.total for each in prices)
    axes.set_title(f"Wallet payments, settled and told to one endpoint: ${total:.2f} a million")
    axes.legend(fontsize=8)


PARTS: dict[str, Callable[[Any, Findings], None]] = {
    "throughput": _throughput,
    "efficiency": _efficiency,
    "latency": _latency,
    "costs": _costs,
}
"""Name of a file -> what draws it."""
