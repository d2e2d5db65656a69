"""Written times sort as time does, and the clock is the machine's, unless a file moves it."""

import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import clock

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS)  # noqa: DTZ001


@settings(derandomize=True, deadline=None, max_examples=200)
@given(one=MOMENTS, other=MOMENTS)
def test_timestamps_sort_as_time(one: datetime, other: datetime) -> None:
    assert (clock.timestamp(one) < clock.timestamp(other)) == (one < other)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(moment=MOMENTS)
def test_a_timestamp_is_rfc_3339_in_utc_and_loses_nothing(moment: datetime) -> None:
    text = clock.timestamp(moment)
    assert len(text) == len("2026-11-23T09:30:00.000000Z")
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == moment


def test_a_whole_second_has_its_six_decimals() -> None:
    assert clock.timestamp(datetime(2026, 11, 23, 9, 30, tzinfo=UTC)) == "2026-11-23T09:30:00.000000Z"


def test_now_is_now_and_aware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(clock.FILE_VARIABLE, raising=False)
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)
    assert clock.now().utcoffset() == timedelta(0)


def test_a_file_moves_the_calendar_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "clock"
    monkeypatch.setenv(clock.FILE_VARIABLE, str(file))
    assert clock.moved() == timedelta()
    assert clock.now() <= datetime.now(UTC)

    file.write_text("259200\n")
    before, passed = datetime.now(UTC), clock.monotonic()
    assert clock.moved() == timedelta(days=3)
    assert before + timedelta(days=3) <= clock.now() <= datetime.now(UTC) + timedelta(days=3)
    assert clock.monotonic() - passed < 60


def test_a_file_that_says_nothing_sensible_is_no_time_of_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clock").write_text("tomorrow")
    monkeypatch.setenv(clock.FILE_VARIABLE, str(tmp_path / "clock"))
    with pytest.raises(ValueError, match="tomorrow"):
        clock.now()


def test_monotonic_seconds_pass_while_sleeping() -> None:
    started = clock.monotonic()
    clock.sleep(0.001)
    assert started + 0.001 <= clock.monotonic() <= time.monotonic()
