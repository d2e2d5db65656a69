"""What is told, written and drawn of made-up findings."""

import importlib.util
import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from local.bench import report
from local.bench.costs import Cost
from local.bench.findings import Findings
from local.bench.latency import Latency
from local.bench.machine import Machine
from local.bench.metering import Use
from local.bench.plots import PARTS, Plots
from local.bench.throughput import Throughput, efficiency
from local.main import app

NARROW = 80
"""Columns of many a terminal: a table that is wider loses digits there."""
BUSY = {report.API: 2.0, report.ENGINE: 1.6, **dict.fromkeys(report.WORKERS, 0.1)}


def measured(traffic: str, workers: int, seconds: float, others: float = 0.02) -> Throughput:
    return Throughput(traffic, workers, 1000, seconds, 2 * seconds, BUSY, 0.1, others)


def cost(name: str, units: float, *, is_request: bool = False) -> Cost:
    return Cost(name, Use(1.0, 0.0, units, 1.0, 0.5, 12.0), is_request)


@pytest.fixture
def findings() -> Findings:
    return Findings(
        "tael bench --seed 7",
        7,
        Machine("A processor", 2, "Linux x86_64", "3.11.7", "0.1.0", "MiniStack 1.5.33", 0.1),
        generator=17_000.0,
        throughput=[
            measured("spread", 1, 4.0),
            measured("single merchant", 1, 5.0),
            measured("spread", 4, 2.0),
        ],
        latency=[Latency(0.5, 125.0, 124.0, [0.01] * 99 + [0.4], [0.001] * 100)],
        latency_workers=1,
        flows=[cost("wallet payment", 7, is_request=True), cost("refused payment", 8, is_request=True)],
        shares=[cost("settlement", 2.2)],
    )


def told(findings: Findings) -> str:
    console = Console(file=io.StringIO(), width=NARROW)
    report.tell_beginning(console, findings)
    report.tell_throughput(console, findings)
    report.tell_latency(console, findings)
    report.tell_costs(console, findings)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]


def test_the_tables_say_what_was_measured_in_a_narrow_terminal(findings: Findings) -> None:
    text = told(findings)
    shown = rows(text)
    assert ["spread", "1", "1,000", "250/s", "125/s", "250/s", "1.00"] in shown
    assert ["spread", "4", "1,000", "500/s", "250/s", "125/s", "0.50"] in shown
    assert ["single merchant", "1", "2.00", "1.60", "0.30", "0.10", "32 %", "2 %"] in shown
    assert ["50 %: 125/s", "100", "124/s", "10", "10", "10", "400", "1"] in shown
    assert ["refused payment", "8.00", "1.00", "0.50", "6.26", "0.10", "12.0"] in shown
    assert ["all", "9.20", "1.00", "", "", "7.28", ""] in shown
    assert "…" not in text
    assert "has 2 cores" in " ".join(text.split())
    assert "None of these is a figure for AWS" in " ".join(text.split())
    assert "Something else" not in text


def test_a_machine_that_was_busy_with_something_else_is_said(findings: Findings) -> None:
    findings.throughput.append(measured("spread", 8, 2.0, others=0.4))
    assert "Something else took up to 40 % of the machine" in " ".join(told(findings).split())


def test_where_nothing_tells_of_the_processor_nothing_is_said(findings: Findings) -> None:
    findings.throughput = [Throughput("spread", 1, 10, 1.0, 2.0, {}, 0.1, None)]
    assert "processor a payment" not in told(findings)


def test_capacity_per_worker_is_compared_with_that_of_one(findings: Findings) -> None:
    one, _, four = findings.throughput
    assert efficiency(findings.throughput, four) == pytest.approx(0.5)
    assert efficiency(findings.throughput, one) == 1
    assert efficiency([four], four) is None


def test_the_document_has_it_all(findings: Findings, tmp_path: Path) -> None:
    findings.write(tmp_path / "bench.json")
    document = json.loads((tmp_path / "bench.json").read_text())
    assert (document["command"], document["seed"]) == ("tael bench --seed 7", 7)
    assert document["machine"]["cores"] == 2
    assert [each["per_worker_of_one"] for each in document["throughput"]] == [1, 1, 0.5]
    assert document["latency"][0]["percentiles"] == {"p50": 0.01, "p90": 0.01, "p99": 0.01, "p100": 0.4}
    assert [each["name"] for each in document["costs"]] == [
        *("wallet payment", "refused payment", "settlement"),
    ]
    assert document["dollars_of_a_whole_payment"] == pytest.approx(5.6375 + 1.6375)


def test_each_part_is_drawn(findings: Findings, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    files = list(Plots.into(tmp_path / "plots").draw(findings))
    assert [file.name for file in files] == [f"{name}.png" for name in PARTS]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["bench", *arguments])
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr


def test_without_matplotlib_nothing_is_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert "Plots are drawn with matplotlib, which is not installed here" in refused("--plots", str(tmp_path))


def test_a_file_that_cannot_be_written_is_found_out_first(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be written: " in refused("--json", str(tmp_path / "file" / "bench.json"))


@pytest.mark.parametrize("workers", ["", "0", "1,x", "1,,2", "2,2", "65", "-1"])
def test_workers_are_a_list_of_different_numbers(workers: str) -> None:
    result = CliRunner().invoke(app, ["bench", "--workers", workers])
    assert result.exit_code == 2
    assert "different numbers" in " ".join(result.stderr.split())
