"""How the movable clock is moved: by readable spans, only ahead, and by all who move it at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from chassis import clock
from local import calendar
from local.errors import LocalError


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ("1s", timedelta(seconds=1)),
        ("90m", timedelta(minutes=90)),
        ("48h", timedelta(days=2)),
        ("3d", timedelta(days=3)),
        ("1d12h", timedelta(days=1.5)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("366d", timedelta(days=366)),
    ],
)
def test_a_span_is_days_hours_minutes_and_seconds(span: str, expected: timedelta) -> None:
    assert calendar.seconds_of(span) == expected.total_seconds()


@pytest.mark.parametrize(
    "span", ["", "3", "d", "0s", "0d0h", "-1d", "1.5h", "12h1d", "1d1d", "1w", "3 d", "366d1s", "9999999999s"]
)
def test_whatever_else_is_refused_with_an_example(span: str) -> None:
    with pytest.raises(LocalError, match=r"is no span of time from 1s to 366d: .* such as 3d, 90m or 1d12h"):
        calendar.seconds_of(span)


def test_who_moves_it_at_once_moves_it_by_all_of_that(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    with ThreadPoolExecutor(8) as threads:
        seen = list(threads.map(lambda seconds: calendar.advance(file, seconds), range(1, 101)))
    assert clock.ahead(file) == max(seen) == timedelta(seconds=sum(range(1, 101)))
    assert len(set(seen)) == 100


def test_the_end_of_time_is_not_reached(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    file.write_text(f"{calendar.MAX_AHEAD.total_seconds() - 10:.0f}")
    assert calendar.advance(file, 10) == calendar.MAX_AHEAD
    with pytest.raises(calendar.TooFar):
        calendar.advance(file, 1)
    assert clock.ahead(file) == calendar.MAX_AHEAD
