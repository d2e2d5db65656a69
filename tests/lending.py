"""Systems of their own for groups of tests: each is stopped after its group, for an idle one costs too."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from local.system import System, running
from tests.scheduling import group

T = TypeVar("T")
_lent: dict[str, ExitStack] = {}


@contextmanager
def lent(to: str, state: Path, settings: Mapping[str, str] | None = None) -> Iterator[System]:
    """A system for that group of `scheduling`, until a test of another one comes, or until the end."""
    with kept(to, running(state, settings=settings)) as system:
        yield system


@contextmanager
def kept(to: str, system: AbstractContextManager[T]) -> Iterator[T]:
    """The same with whatever that group needs."""
    with ExitStack() as stack:
        _lent[to] = stack
        yield stack.enter_context(system)


def take_back(coming: str) -> None:
    """Stop whatever was lent to another group than that of the test that comes next."""
    for name in [name for name in _lent if name != group(coming)]:
        _lent.pop(name).close()
