"""Runs one seed from its founding to its last check, and says what did not hold."""

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.simulation import answers, hearing, invariants, settlements
from tests.simulation.aws import wire
from tests.simulation.aws.values import Item
from tests.simulation.books import Books
from tests.simulation.process import living_in
from tests.simulation.scheduler import Stuck
from tests.simulation.trace import Trace
from tests.simulation.world import OPERATIONS, World


@dataclass(frozen=True, slots=True)
class Result:
    """How a run went."""

    seed: int
    violations: list[str]
    trace: Trace
    operations: int
    changes: int
    seconds: float
    faults: list[str] = field(default_factory=list)


def simulate(seed: int, operations: int = OPERATIONS, *, through_botocore: bool = False) -> Result:
    """Live one seed; for a process whose settings are `process.settled`.

    Through botocore it takes some times as long, and must be the same run.
    """
    began = time.perf_counter()
    world = World(seed)
    if through_botocore:
        call = world.services.call
        world.services.clients = {name: wire.client(name, call) for name in world.services.clients}
    with living_in(world):
        try:
            world.found()
            world.live(operations)
            world.rest()
            violations = verdict(world)
        except Stuck as stuck:
            violations = [*world.observer.violations, f"it does not come to an end: {stuck}"]
    gc.collect()
    took = time.perf_counter() - began
    faults = [f"{fault} {rate:.1%}" for fault, rate in world.storm.items()]
    return Result(
        seed, violations, world.trace, len(world.counter.asked), world.observer.changes, took, faults
    )


def stored(world: World) -> Iterator[tuple[str, Item]]:
    """Every item with the name of its table."""
    for state in world.database.tables.values():
        yield from ((state.declared.name, item) for item in state.items.values())


def verdict(world: World) -> list[str]:
    """What did not hold, at any commit or at the end."""
    books = Books.of(stored(world))
    faults = [
        f"{check.__name__}: {fault}"
        for check in (*invariants.CHECKS, *settlements.CHECKS, *hearing.CHECKS, *answers.CHECKS)
        for fault in check(world, books)
    ]
    return [*world.observer.violations, *faults]
