"""Holds what the side-by-side report says to a few seeds of it."""

from collections.abc import Iterator

import pytest

from tests.simulation.contest.__main__ import CONTESTANTS, shown
from tests.simulation.contest.ours import judge
from tests.simulation.contest.workload import PAYMENTS, Order, Outcome
from tests.simulation.process import settled

SEEDS = range(1, 7)
BREAKING = range(1, 21)
"""Enough for the peer in a transaction to charge somebody twice."""


@pytest.fixture(autouse=True)
def _settled() -> Iterator[None]:
    with settled():
        yield


def outcomes_of(contestant: str, seeds: range = SEEDS) -> list[Outcome]:
    return [CONTESTANTS[contestant](seed) for seed in seeds]


def test_tael_has_no_violation() -> None:
    outcomes = outcomes_of("Tael")
    assert [outcome.violations for outcome in outcomes] == [0] * len(SEEDS)
    assert all(PAYMENTS // 2 < outcome.paid <= PAYMENTS for outcome in outcomes)


@pytest.mark.parametrize("peer", ["peer, transaction", "peer, single writes"])
def test_the_same_weather_breaks_the_peer(peer: str) -> None:
    outcomes = outcomes_of(peer, BREAKING)
    assert sum(outcome.charged_twice for outcome in outcomes) > 0
    assert any(outcome.violations == 0 and outcome.paid > PAYMENTS // 2 for outcome in outcomes)


def test_only_single_writes_lose_the_balance() -> None:
    assert sum(outcome.unbalanced for outcome in outcomes_of("peer, transaction")) == 0
    assert sum(outcome.unbalanced for outcome in outcomes_of("peer, single writes")) > 0


@pytest.mark.parametrize(
    ("debits", "told", "answers", "violations"),
    [
        (1, 1, [201], 0),
        (0, 0, [402], 0),
        (2, 1, [201], 1),
        (1, 0, [201], 1),
        (1, 1, [402], 1),
        (0, 0, [201], 1),
    ],
)
def test_an_order_is_judged(debits: int, told: int, answers: list[int], violations: int) -> None:
    found = Outcome()
    judge(found, Order(1, wallet=0, shop=0, amount=100, answers=answers), debits, told)
    assert found.violations == violations


def test_the_report_adds_up() -> None:
    table = shown({"Tael": [Outcome(paid=2, write_units=14.0), Outcome(paid=1, charged_twice=1)]})
    assert [next(iter(column.cells)) for column in table.columns] == [
        *("Tael", "1 of 2", "3", "1", "0", "0", "0", "4.7")
    ]
