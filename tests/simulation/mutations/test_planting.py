"""Every bug can be planted, is gone afterwards, and is told when the source has moved on without it."""

import sys
from collections import Counter
from types import FunctionType
from typing import Any

import pytest

from tests.simulation.mutations.catalogue import MUTATIONS
from tests.simulation.mutations.mutation import Mutation, Patch, Setting, Unfit, mutation

HERE = __name__
LIMIT = 3


def _rises(by: int = 1) -> int:
    return LIMIT + by


class Tank:
    """Something with a method and a property."""

    level = 2

    @property
    def is_full(self) -> bool:
        return self.level >= LIMIT

    def drained(self) -> int:
        return max(0, self.level - 1)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    # A test module is imported under a name that only pytest knows.
    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])


def _state(plant: Patch | Setting) -> Any:
    if isinstance(plant, Patch):
        return plant._function().__code__
    module, _, name = plant.target.partition(":")
    return getattr(sys.modules[module], name)


@pytest.mark.parametrize("planted", MUTATIONS.values(), ids=MUTATIONS.keys())
def test_a_bug_comes_and_goes(planted: Mutation) -> None:
    with planted.planted():
        during = [_state(plant) for plant in planted.plants]
    after = [_state(plant) for plant in planted.plants]
    assert all(one is not other for one, other in zip(during, after, strict=True))
    with planted.planted():
        pass
    assert [_state(plant) for plant in planted.plants] == after


def test_no_two_bugs_are_the_same() -> None:
    assert [
        name for name, count in Counter(each.plants for each in MUTATIONS.values()).items() if count > 1
    ] == []


def test_a_function_is_changed_wherever_it_is_known() -> None:
    known = _rises
    with mutation("steep", "it rises too much", f"{HERE}:_rises", "LIMIT + by", "LIMIT + 2 * by").planted():
        assert (known(), known(5)) == (5, 13)
    assert (known(), known(5)) == (4, 8)


def test_methods_and_properties_are_changed() -> None:
    tank = Tank()
    with (
        Patch(f"{HERE}:Tank.is_full", ">=", "<").planted(),
        Patch(f"{HERE}:Tank.drained", "level - 1", "level - 2").planted(),
    ):
        assert (tank.is_full, tank.drained()) == (True, 0)
    assert (tank.is_full, tank.drained()) == (False, 1)


def test_a_name_means_something_else() -> None:
    with Setting(f"{HERE}:LIMIT", lambda limit: 2 * limit).planted():
        assert _rises() == 7
    assert _rises() == 4


@pytest.mark.parametrize(
    ("plant", "why"),
    [
        (Patch(f"{HERE}:_rises", "FLOOR + by", "by"), "0 times"),
        (Patch(f"{HERE}:_rises", "by", "by"), "2 times"),
        (Patch(f"{HERE}:_rises", "LIMIT + by", "FLOOR + by"), "does not know FLOOR"),
        (Patch(f"{HERE}:LIMIT", "3", "4"), "is no function"),
        (Setting(f"{HERE}:LIMIT", lambda limit: limit), "would stay"),
    ],
)
def test_what_does_not_fit_is_told(plant: Patch | Setting, why: str) -> None:
    with pytest.raises(Unfit, match=why), plant.planted():
        pytest.fail("it was planted")


def test_what_was_planted_goes_when_something_raises() -> None:
    before = _rises.__code__
    assert isinstance(_rises, FunctionType)
    with pytest.raises(LookupError), Patch(f"{HERE}:_rises", "LIMIT + by", "LIMIT - by").planted():
        raise LookupError
    assert _rises.__code__ is before
