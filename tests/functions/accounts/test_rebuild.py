"""Rebuilding holds the sums against the ledger itself, and leaves them exact or alone."""

from collections.abc import Callable

import pytest

from chassis import clock, store
from chassis.writes import Write
from functions.accounts import actions, app, records, table
from functions.accounts.records import Total
from functions.accounts.table import Unquiet
from ledger import accounts
from ledger.posting import post
from ledger.reasons import Kind, Reason
from tests.functions.accounts.books import MERCHANT, PAID, WALLETS, posting
from tests.functions.accounts.conftest import Told
from tests.functions.accounts.memory import Killed
from tests.functions.inside import Time

BANK = accounts.bank("GBP")
PENDING = accounts.merchant_pending(MERCHANT, "GBP")
FIGURES = 6
"""Two accounts, three totals, and the count."""


@pytest.fixture
def paid(told: Told, monkeypatch: pytest.MonkeyPatch) -> Told:
    """A deposit and a payment, of which nothing has been counted yet; waiting takes no time."""
    Time(monkeypatch)
    store.commit(accounts.open_account(accounts.wallet(WALLETS[0]), "GBP", "platform"))
    for movement in PAID:
        store.commit(*post(movement))
    return told


def is_exact() -> bool:
    return table.snapshot().figures == records.summed(store.scan("ledger"))


def test_sums_that_are_right_stay_as_they_are(paid: Told) -> None:
    actions.roll_up(paid())
    before = table.snapshot()
    assert app.rebuild({}, None) == {"done": 0}
    assert table.snapshot() == before


def test_what_was_never_counted_is_made_up_for(paid: Told) -> None:
    assert app.rebuild({}, None) == {"done": FIGURES}
    assert is_exact()
    assert app.rebuild({}, None) == {"done": 0}


@pytest.mark.parametrize(
    "damaged",
    [
        BANK,
        PENDING,
        accounts.fees("GBP"),
        Total("GBP", Kind.WALLET),
        Total("JPY", Kind.BANK),
        records.Count(),
    ],
)
@pytest.mark.parametrize("part", [0, 3])
def test_a_sum_that_was_changed_by_hand_is_corrected(paid: Told, damaged: records.Figure, part: int) -> None:
    actions.roll_up(paid())
    store.commit(table.add(damaged, 7, part))
    assert actions.rebuild() == 1
    assert actions.rebuild() == 0
    right = records.summed(store.scan("ledger"))
    assert {figure: value for figure, value in table.snapshot().figures.items() if value} == right


def test_changes_that_come_after_it_are_counted_on_top(paid: Told) -> None:
    lost = paid()
    actions.roll_up(lost[-1:])
    assert actions.rebuild() > 0
    store.commit(*post(posting(3, Reason.FEE, amount=10)))
    actions.roll_up(paid()[len(lost) :])
    assert is_exact()
    actions.roll_up(lost)
    assert is_exact()


@pytest.mark.parametrize("survives", range(FIGURES))
def test_one_that_is_killed_midway_is_finished_by_the_next(
    paid: Told, monkeypatch: pytest.MonkeyPatch, survives: int
) -> None:
    commit = store.commit
    done: list[tuple[Write, ...]] = []

    def mortal(*writes: Write) -> None:
        if len(done) == survives:
            raise Killed
        commit(*writes)
        done.append(writes)

    monkeypatch.setattr(store, "commit", mortal)
    with pytest.raises(Killed):
        actions.rebuild()
    monkeypatch.setattr(store, "commit", commit)
    assert actions.rebuild() == FIGURES - survives
    assert is_exact()


def test_it_refuses_while_money_moves(paid: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = paid()
    actions.roll_up(changes[:2])
    monkeypatch.setattr(clock, "sleep", lambda _: actions.roll_up(changes))
    with pytest.raises(Unquiet, match="money moved meanwhile"):
        actions.rebuild()
    assert is_exact()


def test_of_two_at_a_time_one_corrects(paid: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    summed: Callable[..., records.Figures] = records.difference

    def late(*figures: records.Figures) -> records.Figures:
        monkeypatch.setattr(records, "difference", summed)
        assert actions.rebuild() == FIGURES
        return summed(*figures)

    monkeypatch.setattr(records, "difference", late)
    with pytest.raises(Unquiet, match="money moved meanwhile"):
        actions.rebuild()
    assert is_exact()
