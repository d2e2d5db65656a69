"""Lives through 300 seeds, and holds the rig itself to being repeatable."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.simulation.process import settled
from tests.simulation.run import simulate

SEEDS, AT_ONCE = 300, 25
"""Of them a test lives so many; tests/scheduling.py shares the tests out."""
DIGESTS = """
from tests.simulation.process import settled
from tests.simulation.run import simulate
with settled():
    print(*[simulate(seed).trace.digest() for seed in (7, 11)])
"""


@pytest.fixture(autouse=True)
def _settled() -> Iterator[None]:
    with settled():
        yield


@pytest.mark.parametrize("first", range(1, SEEDS + 1, AT_ONCE))
def test_everything_holds(first: int) -> None:
    broken = {}
    for seed in range(first, first + AT_ONCE):
        violations = simulate(seed).violations
        if violations:
            broken[f"make simulate SEEDS=1 FIRST={seed}"] = violations
    assert not broken


@pytest.mark.parametrize("seed", [3, 7, 17])
def test_a_run_through_botocore_is_the_same_run(seed: int) -> None:
    direct, wired = simulate(seed), simulate(seed, through_botocore=True)
    assert wired.trace.digest() == direct.trace.digest()
    assert wired.violations == direct.violations == []


def test_a_seed_is_the_same_run_in_every_process() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", DIGESTS],
            env={**os.environ, "PYTHONHASHSEED": order, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for order in ("1", "2")
    }
    assert len(told) == 1
