"""Several hands for what needs no order: the parts of the system then work at the same time."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

HANDS = 3
Thing = TypeVar("Thing")
Result = TypeVar("Result")


def each(work: Callable[[Thing], Result], things: Iterable[Thing]) -> Iterator[Result]:
    """What the work makes of each thing, in their order, though not done in it."""
    with ThreadPoolExecutor(HANDS, thread_name_prefix="hand") as hands:
        yield from hands.map(work, things)
