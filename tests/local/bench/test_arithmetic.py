"""The arithmetic of the benchmark, by hand."""

import pytest

from local.bench.arithmetic import arrivals, chance, per_worker, percentile, rate


def test_payments_per_second_and_what_a_worker_has_of_them() -> None:
    assert rate(300, 1.5) == 200
    assert per_worker(200, 4) == 50


@pytest.mark.parametrize(("seconds", "workers"), [(0, 1), (-1, 1), (1, 0)])
def test_nothing_is_divided_by_nothing(seconds: float, workers: int) -> None:
    with pytest.raises(ValueError, match=r"nothing takes|there are no"):
        per_worker(rate(1, seconds), workers)


@pytest.mark.parametrize(
    ("percent", "expected"), [(1, 1), (25, 1), (25.1, 2), (50, 2), (75, 3), (99, 4), (100, 4)]
)
def test_a_percentile_is_one_of_the_values(percent: float, expected: float) -> None:
    assert percentile([4, 2, 1, 3], percent) == expected


def test_one_slow_payment_in_a_thousand_is_the_worst_and_not_the_99th_percentile() -> None:
    values = [0.01] * 999 + [5.0]
    assert [percentile(values, percent) for percent in (99, 99.9, 100)] == [0.01, 0.01, 5.0]


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], 0), ([1.0], 101)])
def test_there_are_percentiles_of_something_only(values: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile(values, percent)


def test_arrivals_come_at_the_rate_that_was_asked_for_and_are_irregular() -> None:
    moments = arrivals(chance(1), per_second=50, count=1000)
    gaps = [later - earlier for earlier, later in zip([0.0, *moments], moments, strict=False)]
    assert len(moments) == 1000
    assert moments[-1] == pytest.approx(20)
    assert min(gaps) > 0
    # Of exponential gaps, 1 - 1/e are shorter than their mean.
    assert sum(gap < 1 / 50 for gap in gaps) / 1000 == pytest.approx(0.632, abs=0.05)


def test_arrivals_are_the_same_for_the_same_seed() -> None:
    first, again, other = (arrivals(chance(seed), 10, 20) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert arrivals(chance(1), 10, 0) == []
