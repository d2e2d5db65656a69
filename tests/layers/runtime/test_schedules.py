"""The ticker runs what is due in its minute, whatever became of the others, with EventBridge's event."""

import re
from typing import Any

import pytest
from chalice.app import CloudWatchEvent

from chassis import clock
from chassis.config import settings
from chassis.service import Service
from local.system import System
from runtime import schedules
from runtime.schedules import Ticker, scheduled_event

pytestmark = pytest.mark.usefixtures("engine")


def service(ran: list[str], every: dict[str, int], *failing: str) -> Service:
    """Schedules of these names and rates, of which some always fail."""
    made = Service("sweeper", "Sweeps.")

    def declare(name: str, minutes: int) -> None:
        def run() -> int:
            ran.append(name)
            if name in failing:
                raise RuntimeError(name)
            return 7

        made.schedule(name, every_minutes=minutes)(run)

    for name, minutes in every.items():
        declare(name, minutes)
    return made


def test_each_schedule_runs_at_its_rate_beginning_with_the_first_tick() -> None:
    ran: list[str] = []
    ticker = Ticker([service(ran, {"one": 1, "three": 3})])
    for _ in range(7):
        ticker.tick()
    assert ran == ["one", "three", "one", "one"] * 2 + ["one", "three"]


def test_one_that_fails_keeps_no_other_from_running_and_is_tried_again() -> None:
    ran: list[str] = []
    every = {"bad": 1, "good": 1}
    ticker = Ticker([service(ran, every, "bad"), service(ran, {"other": 1})])
    ticker.tick()
    ticker.tick()
    assert ran == ["bad", "good", "other"] * 2


def test_services_without_schedules_have_nothing_to_run() -> None:
    Ticker([Service("idle", "Has none.")]).tick()


def test_the_event_is_one_that_eventbridge_would_send(monkeypatch: pytest.MonkeyPatch) -> None:
    event = scheduled_event()
    read = CloudWatchEvent(event, None)
    assert (read.source, read.detail_type, read.detail) == ("aws.events", "Scheduled Event", {})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", read.time)
    assert read.time[:10] == clock.timestamp(clock.now())[:10]
    assert event["id"] != scheduled_event()["id"]


def test_a_handler_tells_how_much_it_did_and_logs_one_line(caplog: pytest.LogCaptureFixture) -> None:
    (schedule,) = service([], {"one": 1}).schedules
    event = scheduled_event()
    assert schedule.invoke(event, None) == {"done": 7}
    (record,) = caplog.records
    line: dict[str, Any] = vars(record)
    assert (line["operation"], line["request_id"], line["outcome"]) == ("schedule one", event["id"], "ok")


def test_a_handler_that_fails_logs_it_and_raises(caplog: pytest.LogCaptureFixture) -> None:
    (schedule,) = service([], {"one": 1}, "one").schedules
    with pytest.raises(RuntimeError):
        schedule.invoke(scheduled_event(), None)
    (record,) = caplog.records
    assert (record.levelname, vars(record)["outcome"]) == ("ERROR", "internal_error")


def test_without_its_environment_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], engine: System
) -> None:
    monkeypatch.delenv("TAEL_PLATFORM_KEY")
    settings.cache_clear()
    try:
        assert schedules.main(["functions.payments.app"]) == 2
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert "cannot start" in capsys.readouterr().err
