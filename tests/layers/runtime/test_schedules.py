"""The ticker runs what is due by the clock, whatever became of the others, with EventBridge's event."""

import json
import re
import sys
from datetime import timedelta
from types import ModuleType

import pytest
from chalice.app import CloudWatchEvent

from chassis import clock
from chassis.config import settings
from chassis.service import Service
from local.system import System
from runtime import schedules
from runtime.schedules import Ticker, scheduled_event

pytestmark = pytest.mark.usefixtures("engine")


class Calendar:
    """The time of day of this process, which stands still until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = clock.now()
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Calendar:
    return Calendar(monkeypatch)


def service(ran: list[str], every: dict[str, int | None], *failing: str) -> Service:
    """Schedules of these names and rates, of which some always fail."""
    made = Service("sweeper", "Sweeps.")

    def declare(name: str, minutes: int | None) -> None:
        def run() -> int:
            ran.append(name)
            if name in failing:
                raise RuntimeError(name)
            return 7

        made.schedule(name, every_minutes=minutes)(run)

    for name, minutes in every.items():
        declare(name, minutes)
    return made


def test_each_schedule_runs_at_its_rate_beginning_a_minute_after_the_start(calendar: Calendar) -> None:
    ran: list[str] = []
    ticker = Ticker([service(ran, {"one": 1, "three": 3, "asked": None})])
    for _ in range(5 * 60):
        calendar.pass_by(seconds=1)
        ticker.tick()
    assert ran == [*("one", "three", "one", "one"), *("one", "three", "one")]


def test_a_clock_that_is_moved_ahead_runs_each_once_at_once(calendar: Calendar) -> None:
    ran: list[str] = []
    ticker = Ticker([service(ran, {"often": 1, "daily": 24 * 60, "asked": None})])
    calendar.pass_by(days=8)
    for _ in range(3):
        ticker.tick()
    assert ran == ["often", "daily"]
    calendar.pass_by(hours=12)
    ticker.tick()
    calendar.pass_by(hours=12)
    ticker.tick()
    assert ran == ["often", "daily", "often", "often", "daily"]


def test_a_clock_that_was_moved_before_the_start_may_have_been_moved_just_then(
    calendar: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(clock, "moved", lambda: timedelta(days=8))
    ticker = Ticker([service(ran, {"often": 1, "daily": 24 * 60})])
    ticker.tick()
    ticker.tick()
    assert ran == ["often", "daily"]


def test_a_clock_that_is_set_back_keeps_nothing_waiting(calendar: Calendar) -> None:
    ran: list[str] = []
    ticker = Ticker([service(ran, {"one": 1})])
    calendar.pass_by(hours=-3)
    ticker.tick()
    ticker.tick()
    assert ran == ["one"]


def test_one_that_fails_keeps_no_other_from_running_and_is_tried_again(calendar: Calendar) -> None:
    ran: list[str] = []
    every: dict[str, int | None] = {"bad": 1, "good": 1}
    ticker = Ticker([service(ran, every, "bad"), service(ran, {"other": 1})])
    for _ in range(2):
        calendar.pass_by(minutes=1)
        ticker.tick()
    assert ran == ["bad", "good", "other"] * 2


def test_a_stop_finishes_the_schedule_under_way_and_begins_no_other(calendar: Calendar) -> None:
    ran: list[str] = []
    stopped = Service("stopped", "Is told to end while it works.")

    @stopped.schedule("first", every_minutes=1)
    def first() -> int:
        ticker.stop()
        ran.append("first")
        return 1

    ticker = Ticker([stopped, service(ran, {"second": 1})])
    calendar.pass_by(minutes=1)
    ticker.tick()
    assert (ran, ticker.stopping) == (["first"], True)


def test_services_without_schedules_have_nothing_to_run() -> None:
    Ticker([Service("idle", "Has none.")]).tick()


@pytest.fixture
def sweeper(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What ran of a module `sweeper`, made for the command line."""
    ran: list[str] = []
    module = ModuleType("sweeper")
    vars(module)["service"] = service(ran, {"often": 1, "asked": None, "bad": None}, "bad")
    monkeypatch.setitem(sys.modules, "sweeper", module)
    return ran


def test_one_schedule_is_run_when_somebody_asks(
    sweeper: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert schedules.main(["sweeper", "--once", "asked"]) == 0
    assert sweeper == ["asked"]
    assert capsys.readouterr().out.splitlines()[-1] == "sweeper.asked: 7 done"


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        ("nothing", 2, "sweeper has no schedule nothing; its schedules are: often, asked, bad"),
        ("bad", 1, "sweeper.bad failed: RuntimeError"),
    ],
)
def test_one_that_cannot_be_run_is_a_sentence_and_an_exit_code(
    sweeper: list[str], capsys: pytest.CaptureFixture[str], name: str, code: int, sentence: str
) -> None:
    assert schedules.main(["sweeper", "--once", name]) == code
    assert capsys.readouterr().err == f"runtime.schedules: {sentence}\n"


def test_one_schedule_is_one_of_one_service(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        schedules.main(["sweeper", "another", "--once", "often"])
    assert "--once takes one service" in capsys.readouterr().err


def test_a_service_that_is_not_there_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert schedules.main(["no_such_service"]) == 2
    assert "runtime.schedules cannot start: No module named" in capsys.readouterr().err


def test_the_event_is_one_that_eventbridge_would_send(monkeypatch: pytest.MonkeyPatch) -> None:
    event = scheduled_event()
    read = CloudWatchEvent(event, None)
    assert (read.source, read.detail_type, read.detail) == ("aws.events", "Scheduled Event", {})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", read.time)
    assert read.time[:10] == clock.timestamp(clock.now())[:10]
    assert event["id"] != scheduled_event()["id"]


def test_a_handler_tells_how_much_it_did_and_logs_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    (schedule,) = service([], {"one": 1}).schedules
    event = scheduled_event()
    assert schedule.invoke(event, None) == {"done": 7}
    line = json.loads(capsys.readouterr().out)
    assert (line["operation"], line["request_id"], line["outcome"]) == ("schedule one", event["id"], "ok")


def test_a_handler_that_fails_logs_it_and_raises(capsys: pytest.CaptureFixture[str]) -> None:
    (schedule,) = service([], {"one": 1}, "one").schedules
    with pytest.raises(RuntimeError):
        schedule.invoke(scheduled_event(), None)
    line = json.loads(capsys.readouterr().out)
    assert (line["level"], line["outcome"]) == ("ERROR", "internal_error")


def test_in_a_bad_environment_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], engine: System
) -> None:
    monkeypatch.setenv("TAEL_STAGE", "No Stage")
    settings.cache_clear()
    try:
        assert schedules.main(["functions.payments.app"]) == 2
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert "cannot start" in capsys.readouterr().err
