"""The models of settlement and the roll-up give what arithmetic gives, and the report says what they gave."""

import importlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from chassis import ids
from functions.settlement import model, table
from tests.benchmarks.scale import cases, plots, report
from tests.benchmarks.scale.__main__ import _finite
from tests.benchmarks.scale.assumptions import BATCH_OF_25, PUT, Assumptions, transaction
from tests.benchmarks.scale.cases import Following, Paying, Row
from tests.benchmarks.scale.payments import Scenario
from tests.benchmarks.scale.rollup import Flow, follow
from tests.benchmarks.scale.settlement import Settlement, Traffic, settle
from tests.functions.settlement.deliveries import EVENTS, captured

ASSUMED = Assumptions()


@pytest.mark.parametrize("lines", [1, 98])
def test_a_commit_of_lines_costs_what_its_writes_say(lines: int) -> None:
    merchant = ids.random("mer")
    events = EVENTS.validate_python([captured(merchant, f"order-{number}") for number in range(lines)])
    counted = [model.line_of(event) for event in events]
    writes = table.count(model.opened(counted, counted[0].window), counted, datetime.now(UTC))

    ((_, modelled),) = Settlement(Traffic(1, 1, 1))._demand(0, lines).tables

    assert modelled == 2 * sum(write.full_price() for write in writes)


def test_one_batch_at_a_time_settles_what_its_calls_take() -> None:
    settled = settle(Traffic(1_500, 1, 30, concurrency=1))

    commit = BATCH_OF_25.mean + 98 * ASSUMED.settlement_line + transaction(100).mean
    assert settled.throughput == pytest.approx(98 / commit, rel=0.05)


def test_two_batches_of_a_line_for_each_merchant_settle_two_at_a_time() -> None:
    settled = settle(Traffic(400, 1_000_000, 40, concurrency=2))

    commit = BATCH_OF_25.mean + ASSUMED.settlement_line + transaction(3).mean
    assert settled.throughput == pytest.approx(2 / commit, rel=0.07)


def test_settlement_that_has_time_leaves_nothing_behind() -> None:
    settled = settle(Traffic(200, 1, 60))

    assert settled.throughput == pytest.approx(200, rel=0.05)
    assert settled.dead == 0
    assert settled.waiting < 4 * 200
    assert 0.5 < settled.lag(0.5) < settled.lag(0.99) < 4


def test_lines_that_no_receipt_had_time_for_die_without_a_fault() -> None:
    slow = Assumptions(speed=40)
    settled = settle(Traffic(4, 1_000_000, 1_300, concurrency=2, assumed=slow))

    assert settled.dead > 0
    # The fifth receipt is the last, and four times a line was hidden in between.
    early = settle(Traffic(4, 1_000_000, 4 * 182, concurrency=2, assumed=slow))
    assert early.dead == 0
    assert early.waiting > 0


def test_a_shard_in_order_rolls_up_what_its_calls_take() -> None:
    followed = follow(Flow(5_000, 1, 1, 10))

    batch = PUT.mean + 1_000 * ASSUMED.rollup_record + transaction(5).mean
    assert followed.throughput == pytest.approx(500 / batch, rel=0.05)


def test_the_roll_up_is_a_window_behind() -> None:
    followed = follow(Flow(200, 1, 4, 30))

    assert followed.throughput == pytest.approx(200, rel=0.08)
    assert followed.lag(0.99) < 1.5


def test_a_commit_of_the_roll_up_has_no_more_figures_than_fit() -> None:
    few, many = (follow(Flow(400, merchants, 1, 10)) for merchants in (1, 10_000))

    # Hundreds of payments of one merchant are 4 sums and a checkpoint; each other merchant is 2 units more.
    assert few.units < 0.1
    assert many.units == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize(("units", "minutes"), [(4_000, 0), (4_001, 30), (16_000, 60), (40_000, 120)])
def test_a_new_table_doubles_every_half_hour(units: float, minutes: float) -> None:
    assert report.minutes_until(units) == minutes


def following(**known: Any) -> Following:
    numbers = {"at_once": 2, "seconds": 60, "p50": 1.25, "p99": 2.0, "waiting": 0, "dead": 0, "units": 2.1}
    return Following(**{"group": cases.SETTLING, "merchants": 1, **numbers, **known})


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_lag_that_grows_is_not_given_as_a_number() -> None:
    console = Console(width=110, file=io.StringIO())
    report._following(console, [following(offered=100, done=99), following(offered=100, done=50, p50=77.7)])

    shown = printed(console)
    assert "1.2" in shown
    assert "grows" in shown
    assert "77.7" not in shown


def test_every_table_says_that_it_is_simulated() -> None:
    console = Console(width=110, file=io.StringIO())
    report._following(console, [])

    assert printed(console).count("Simulated: ") == 3


def made_up(share: float) -> list[Row]:
    """A row for every case, as if workers beyond the first had that share of its capacity."""
    rows: list[Row] = []
    for group, variant, case in cases.cases(1):
        if isinstance(case, Scenario):
            capacity = 10.0 if case.clients == 1 else 10.0 * share
            numbers = {"payments": capacity * case.clients, "capacity": capacity, "p50": 0.04, "p99": 0.1}
            shares = dict.fromkeys(("refused", "by_gateway", "by_lambda", "by_storage"), 0.0)
            rows.append(
                Paying(
                    group, variant, case.design.name, case.clients, **numbers, **shares, units=7.0, little=1.0
                )
            )
        else:
            rows.append(following(group=group, offered=case.rate, done=case.rate))
    return rows


@pytest.mark.parametrize(("share", "is_met"), [(0.96, True), (0.94, False)])
def test_the_bar_is_what_eight_workers_are_worth(share: float, is_met: bool) -> None:
    console = Console(width=110, file=io.StringIO())
    report.show(console, made_up(share))

    assert report.meets(made_up(share)) is is_met
    assert f"on one hot merchant: {share:.3f}" in printed(console)
    assert printed(console).count("Simulated: ") == 9


def test_json_has_no_nan() -> None:
    assert _finite({"p50": float("nan"), "p99": 1.5, "design": "peer"}) == {
        "p50": None,
        "p99": 1.5,
        "design": "peer",
    }


def test_without_matplotlib_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(plots.NoMatplotlib, match="need matplotlib, which is not installed"):
        plots.draw([], tmp_path)
