"""A run from beginning to end, with systems and measurements of a test's own: what is done on which."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from local.bench import costs, latency, market, run, throughput, verification
from local.bench.arithmetic import chance
from local.bench.costs import Cost
from local.bench.latency import Latency, measure
from local.bench.load import Load
from local.bench.market import Traffic
from local.bench.metering import Use
from local.bench.plan import Answer, Outcome
from local.bench.throughput import Throughput
from local.errors import LocalError, StopRequested
from local.main import app

USE = Use(1.0, 0.0, 7.0, 1.0, 0.0, 10.0)


class Stage:
    """What was done, in order; it may end with an error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: list[str] = []
        self.ends_with: BaseException | None = None

    @contextmanager
    def running(self, state: Path, *, workers: int) -> Iterator[Any]:
        state.mkdir()
        self.done.append(f"start {workers}")
        try:
            yield SimpleNamespace(url="http://127.0.0.1:1", platform_key="key")
        finally:
            self.done.append("stop")

    @contextmanager
    def opened(self, traffic: Traffic, url: str, key: str, seed: int) -> Iterator[Any]:
        assert (url, key, seed) == ("http://127.0.0.1:1", "key", 5)
        yield SimpleNamespace(traffic=traffic)

    def throughput(self, system: object, opened: Any, load: Load, payments: int, workers: int) -> Throughput:
        self.done.append(f"{opened.traffic.name} {workers}")
        if self.ends_with:
            raise self.ends_with
        return Throughput(opened.traffic.name, workers, payments, 0.1, 0.2, {}, 0.01, None)

    def latency(self, *given: Any) -> Iterator[Latency]:
        self.done.append(f"latency at {given[-1]:g}/s")
        yield Latency(0.5, 50.0, 50.0, [0.1], [0.0])

    def flows(self, *_: object) -> Any:
        self.done.append("flows")
        return SimpleNamespace(
            costs=lambda: [Cost("wallet payment", USE, is_request=True)],
            payouts=self.payouts,
        )

    def payouts(self) -> list[Cost]:
        self.done.append("payouts")
        return []

    def shares(self, *_: object) -> list[Cost]:
        self.done.append("shares")
        return [Cost("settlement", USE, is_request=False)]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage(tmp_path / "made")
    made.folder.mkdir()
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **_: str(made.folder))
    monkeypatch.setattr(run, "running", made.running)
    monkeypatch.setattr(market, "opened", made.opened)
    monkeypatch.setattr(throughput, "measure", made.throughput)
    monkeypatch.setattr(latency, "measure", made.latency)
    monkeypatch.setattr(costs, "Flows", made.flows)
    monkeypatch.setattr(costs, "shares", made.shares)
    monkeypatch.setattr(Load, "own_rate", lambda _: 17_000.0)
    return made


def bench(*more: str) -> Any:
    return CliRunner().invoke(app, ["bench", "--payments", "20", "--workers", "2,1", "--seed", "5", *more])


def test_each_number_of_workers_has_a_system_and_the_first_one_all_measurements(
    stage: Stage, tmp_path: Path
) -> None:
    result = bench("--json", str(tmp_path / "new" / "bench.json"))
    assert result.exit_code == 0, result.stderr
    assert stage.done == [
        *(
            "start 2",
            "spread 2",
            "latency at 200/s",
            "single merchant 2",
            "flows",
            "shares",
            "payouts",
            "stop",
        ),
        *("start 1", "spread 1", "single merchant 1", "stop"),
    ]
    document = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert document["command"] == "tael bench --payments 20 --workers 2,1 --seed 5"
    assert [each["per_worker_of_one"] for each in document["throughput"]] == [0.5, 0.5, 1, 1]
    assert [each["workers"] for each in document["latency"]] == [2]
    assert "Every payment is verified." in result.stdout
    assert not stage.folder.exists()


def test_what_does_not_add_up_fails_and_keeps_the_logs(stage: Stage) -> None:
    stage.ends_with = LocalError("It does not add up.")
    result = bench()
    assert (result.exit_code, result.stderr) == (1, "tael: It does not add up.\n")
    assert stage.done[-1] == "stop"
    assert str(stage.folder) in result.stdout.replace("\n", "")
    assert "verified" not in result.stdout
    assert stage.folder.exists()


def test_a_run_that_is_stopped_leaves_nothing(stage: Stage) -> None:
    stage.ends_with = StopRequested(2)
    assert bench().exit_code == 130
    assert stage.done[-1] == "stop"
    assert not stage.folder.exists()


class Offered:
    """A market and a load that only write down what is asked of them."""

    def __init__(self) -> None:
        self.chooser = chance(1)
        self.sent: list[list[float]] = []
        self.sold = 0

    def orders(self, count: int) -> list[int]:
        return list(range(count))

    def requests(self, orders: list[int], moments: list[float]) -> list[float]:
        return moments

    def accept(self, orders: list[int], outcome: Outcome) -> None:
        self.sold += len(orders)

    def send(self, port: int, moments: list[float]) -> Outcome:
        self.sent.append(moments)
        return Outcome(0.0, 0.0, [Answer(201, due, due + 0.01, due + 0.03) for due in moments])


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Offered:
    made = Offered()
    monkeypatch.setattr(latency, "await_quiet", lambda _: None)
    monkeypatch.setattr(latency, "verify", lambda _: None)
    monkeypatch.setattr(verification, "await_settled", lambda _: True)
    return made


def test_latency_is_measured_at_half_and_at_most_of_the_capacity(offered: Offered) -> None:
    anything: Any = offered
    system: Any = SimpleNamespace(url="http://127.0.0.1:1")
    half, most = measure(system, anything, anything, payments=1000, capacity=100)
    assert [(each.offered, len(each.latencies)) for each in (half, most)] == [(50, 750), (80, 1000)]
    assert [moments[-1] for moments in offered.sent] == pytest.approx([15.0, 12.5])
    assert (half.percentile(50), max(half.lags)) == pytest.approx((0.03, 0.01))
    assert half.achieved == pytest.approx(750 / 15.03)
    assert offered.sold == 1750


def test_latency_of_what_is_not_settled_is_none(offered: Offered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "await_settled", lambda _: False)
    anything: Any = offered
    with pytest.raises(LocalError, match="Not all was settled"):
        list(measure(SimpleNamespace(url=""), anything, anything, payments=1, capacity=1))  # type: ignore[arg-type]
