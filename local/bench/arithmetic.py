"""The arithmetic of the benchmark: its two models, percentiles, and the moments at which payments arrive."""

import math
import random
from collections.abc import Sequence


def rate(count: int, seconds: float) -> float:
    """P = N / T: payments per second."""
    if seconds <= 0:
        raise ValueError(f"nothing takes {seconds:g} seconds")
    return count / seconds


def per_worker(capacity: float, workers: int) -> float:
    """E = C / N: of that many payments per second, the share of each worker."""
    if workers < 1:
        raise ValueError(f"there are no {workers} workers")
    return capacity / workers


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least so many percent of them do not exceed (nearest rank)."""
    if not values or not 0 < percent <= 100:  # noqa: PLR2004 - percent are of a hundred
        raise ValueError(f"no percentile {percent:g} of {len(values)} values")
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def chance(seed: int) -> random.Random:
    """Chance that is the same for the same seed."""
    return random.Random(seed)  # noqa: S311 - a benchmark that can be repeated


def arrivals(chooser: random.Random, per_second: float, count: int) -> list[float]:
    """Seconds after the beginning at which so many independent customers come, at that rate on average.

    Their distances are exponential (a Poisson process), scaled so that the last comes at count / per_second:
    what is offered is the rate that was asked for, whatever the seed.
    """
    moments: list[float] = []
    now = 0.0
    for _ in range(count):
        now += chooser.expovariate(1.0)
        moments.append(now)
    scale = count / per_second / now if now else 0.0
    return [moment * scale for moment in moments]
