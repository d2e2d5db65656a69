"""Owns the pictures of what was simulated, for which matplotlib is needed."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.scale import cases
from tests.benchmarks.scale.assumptions import DESIGNS
from tests.benchmarks.scale.cases import Following, Paying, Row

SIZE, DOTS_AN_INCH = (6.4, 4.0), 90
COLORS = dict(zip((design.name for design in DESIGNS), ("#0b6e4f", "#c8553d", "#5b5f97"), strict=True))


class NoMatplotlib(Exception):
    """There is nothing to draw with."""


def draw(rows: list[Row], folder: Path) -> list[Path]:
    """Draw all of them into the folder; returns what was written. Raises NoMatplotlib."""
    try:
        matplotlib: Any = importlib.import_module("matplotlib")
        pyplot: Any = importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise NoMatplotlib("the plots need matplotlib, which is not installed; the tables do not") from error
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _saved(pyplot, rows, folder / f"scale-{name}.png", drawn)
        for name, drawn in (("throughput", _throughput), ("capacity", _capacity), ("settlement", _settlement))
    ]


def _saved(pyplot: Any, rows: list[Row], path: Path, drawn: Callable[[Any, list[Row]], None]) -> Path:
    figure, axes = pyplot.subplots(figsize=SIZE, dpi=DOTS_AN_INCH)
    drawn(axes, rows)
    axes.grid(visible=True, which="major", alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)
    return path


def _by_design(rows: list[Row], group: str) -> dict[str, list[Paying]]:
    found = [row for row in rows if isinstance(row, Paying) and row.group == group]
    return {
        design.name: sorted((row for row in found if row.design == design.name), key=lambda row: row.clients)
        for design in DESIGNS
    }


def _throughput(axes: Any, rows: list[Row]) -> None:
    for group, style in ((cases.HOT, "-o"), (cases.SPREAD, ":")):
        for name, line in _by_design(rows, group).items():
            shown = [row for row in line if row.payments]
            axes.loglog(
                [row.clients for row in shown],
                [row.payments for row in shown],
                style,
                color=COLORS[name],
                markersize=4,
                label=f"{name}, {group}",
            )
    axes.set(xlabel="functions at work", ylabel="payments a second", title="Simulated: throughput")
    axes.legend(fontsize=7)


def _capacity(axes: Any, rows: list[Row]) -> None:
    for name, line in _by_design(rows, cases.HOT).items():
        shares = [row.capacity / line[0].capacity for row in line]
        axes.semilogx(
            [row.clients for row in line], shares, "-o", color=COLORS[name], markersize=4, label=name
        )
    axes.axhline(0.95, color="grey", linewidth=0.8, linestyle="--")
    axes.set(
        xlabel="functions at work (N)",
        ylabel="E(N)/E(1)",
        title="Simulated: capacity per worker, one merchant",
    )
    axes.legend(fontsize=7)


def _settlement(axes: Any, rows: list[Row]) -> None:
    shown = [row for row in rows if isinstance(row, Following) and row.group == cases.WIDTH]
    for merchants, color in ((1, "#0b6e4f"), (10_000, "#c8553d")):
        line = [row for row in shown if row.merchants == merchants]
        label = "one merchant" if merchants == 1 else f"{merchants:,} merchants"
        axes.loglog([row.at_once for row in line], [row.done for row in line], "-o", color=color, label=label)
        axes.set_xticks([row.at_once for row in line], [str(row.at_once) for row in line])
    axes.minorticks_off()
    axes.set(
        xlabel="batches at once",
        ylabel="payments counted a second",
        title="Simulated: settlement with more than enough to do",
    )
    axes.legend(fontsize=7)
