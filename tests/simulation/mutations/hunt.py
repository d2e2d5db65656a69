"""Owns the hunt for one planted bug: seed after seed, until something does not hold."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.simulation.mutations.catalogue import MUTATIONS
from tests.simulation.process import settled
from tests.simulation.run import simulate

AT_COMMITS = "at a commit"
BREAKS = "cannot be told"


@dataclass(frozen=True, slots=True)
class Hunted:
    """What became of a bug."""

    name: str
    seed: int | None
    """The first one that found it; None where it survived them all."""
    seeds: int
    """How many were run."""
    caught_by: tuple[str, ...]
    """The invariants that did not hold, in the order in which they were checked."""
    violations: tuple[str, ...]
    seconds: float


def hunt(name: str, seeds: Iterable[int], operations: int) -> Hunted:
    """Run the seeds with that bug until one of them finds it. Raises Unfit."""
    began = time.perf_counter()
    count = 0
    with settled(), MUTATIONS[name].planted():
        for count, seed in enumerate(seeds, start=1):
            if violations := violations_of(seed, operations):
                caught_by = tuple(dict.fromkeys(map(_invariant, violations)))
                took = time.perf_counter() - began
                return Hunted(name, seed, count, caught_by, tuple(violations), took)
    return Hunted(name, None, count, (), (), time.perf_counter() - began)


def violations_of(seed: int, operations: int) -> list[str]:
    """What does not hold in a seed, for a process whose settings are `process.settled`."""
    try:
        return simulate(seed, operations).violations
    except Exception as failure:  # noqa: BLE001 - a check that finds no sense in what is stored has found it
        return [f"{BREAKS}: {failure!r}"]


def held(seed: int, operations: int) -> tuple[int, bool]:
    """A seed, and whether everything holds in it while nothing is planted."""
    with settled():
        return seed, not violations_of(seed, operations)


def _invariant(violation: str) -> str:
    """What found it: a check of the end has its name in front, and what is seen at a commit its time."""
    name = violation.partition(":")[0]
    return AT_COMMITS if name.startswith("at ") else name
