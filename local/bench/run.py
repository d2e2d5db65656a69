"""The benchmark from beginning to end: one system for each number of workers, measured, verified, stopped."""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from local.bench import costs, latency, market, report, throughput
from local.bench.findings import Findings
from local.bench.load import Load
from local.bench.machine import Machine
from local.bench.market import SINGLE, SPREAD, Market, Traffic
from local.bench.plots import Plots
from local.bench.report import Step
from local.errors import LocalError
from local.system import System, running


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure, and where to write it down."""

    payments: int
    workers: Sequence[int]
    seed: int
    command: str
    json: Path | None = None
    plots: Path | None = None


def run(console: Console, wanted: Wanted) -> None:
    """Measure and report everything. Raises LocalError where any payment is amiss."""
    plots = _prepare(wanted)
    findings = Findings(wanted.command, wanted.seed, Machine.this())
    folder = Path(tempfile.mkdtemp(prefix="tael-bench-"))
    try:
        _measure(console, wanted, findings, folder)
    except LocalError:
        # The logs are in there, and the message may point to them.
        console.print(f"State and logs are kept in {folder}.", soft_wrap=True)
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    for file in _write(wanted, findings, plots):
        console.print(f"Written: {file}", soft_wrap=True, highlight=False)
    console.print("Every payment is verified.", style="bold green")


def _prepare(wanted: Wanted) -> Plots | None:
    """Find out before minutes pass whether the results can be written."""
    try:
        if wanted.json:
            wanted.json.parent.mkdir(parents=True, exist_ok=True)
            wanted.json.touch()
        return Plots.into(wanted.plots) if wanted.plots else None
    except OSError as error:
        raise LocalError(f"{error.filename} cannot be written: {error.strerror}.") from error


def _measure(console: Console, wanted: Wanted, findings: Findings, folder: Path) -> None:
    load = Load(folder)
    with report.progress_bar(console, steps=1 + 3 * len(wanted.workers) + 2) as step:
        step("What the load generator can do")
        findings.generator = load.own_rate()
        report.tell_beginning(console, findings)
        for workers in wanted.workers:
            step(f"Starting a system with {workers} API workers")
            state = folder / f"workers-{workers}"
            with running(state, workers=workers) as system:
                _Measuring(system, workers, wanted, findings, load, step).all()
            shutil.rmtree(state, ignore_errors=True)
    report.tell_throughput(console, findings)
    report.tell_latency(console, findings)
    report.tell_costs(console, findings)


@dataclass(frozen=True, slots=True)
class _Measuring:
    """What is measured on one system."""

    system: System
    workers: int
    wanted: Wanted
    findings: Findings
    load: Load
    step: Step

    def all(self) -> None:
        """P for each traffic; on the first system, latency and costs too."""
        is_first = self.workers == self.wanted.workers[0]
        with self._opened(SPREAD) as spread:
            capacity = self._throughput(spread)
            if is_first:
                self.step("Latency at a given rate")
                self.findings.latency_workers = self.workers
                measured = latency.measure(self.system, spread, self.load, self.wanted.payments, capacity)
                self.findings.latency.extend(measured)
        with self._opened(SINGLE) as single:
            self._throughput(single)
            if is_first:
                self.step("What each flow takes")
                self._costs(single)

    def _opened(self, traffic: Traffic) -> AbstractContextManager[Market]:
        return market.opened(traffic, self.system.url, self.system.platform_key, self.wanted.seed)

    def _throughput(self, opened: Market) -> float:
        self.step(f"API workers: {self.workers}, traffic: {opened.traffic.name}")
        measured = throughput.measure(self.system, opened, self.load, self.wanted.payments, self.workers)
        self.findings.throughput.append(measured)
        return measured.accepted

    def _costs(self, opened: Market) -> None:
        flows = costs.Flows(self.system, opened)
        self.findings.flows.extend(flows.costs())
        self.findings.shares.extend(costs.shares(self.system, opened, self.load, self.wanted.payments))
        # Last, because it moves the clock.
        self.findings.flows.extend(flows.payouts())


def _write(wanted: Wanted, findings: Findings, plots: Plots | None) -> list[Path]:
    files = []
    if wanted.json:
        findings.write(wanted.json)
        files.append(wanted.json)
    return [*files, *(plots.draw(findings) if plots else ())]
