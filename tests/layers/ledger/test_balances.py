"""A guarded balance changes only as it may, and refuses with the error that says why."""

from collections.abc import Callable

import pytest

from chassis import ids, store
from chassis.errors import Conflict, InsufficientFunds, NotFound, Problem
from chassis.writes import Write, update
from ledger import accounts
from ledger.accounts import (
    Account,
    AccountClosed,
    AccountFrozen,
    BalanceLimit,
    CurrencyMismatch,
    wallet,
)
from ledger.balances import credit, debit, give_back, hold, release
from ledger.money import MAX_BALANCE

Change = Callable[[Account, int, str, str | None], Write]
HOLDER = "mer_" + "h" * 24
NOBODYS = wallet("wal_" + "z" * 24)


@pytest.fixture
def account(engine: object) -> Account:
    """An open wallet with nothing on it."""
    opened = wallet(ids.random("wal"))
    store.commit(accounts.open_account(opened, "GBP", HOLDER))
    return opened


def plant(account: Account, **attributes: str | int) -> None:
    store.commit(update(accounts.TABLE, account.key, refused=lambda _: KeyError(), assign=attributes))


def held_by(account: Account) -> int:
    balance = accounts.read(account)
    assert balance is not None
    return balance.available


def test_a_debit_takes_all_there_is_and_not_a_penny_more(account: Account) -> None:
    plant(account, available=10)
    store.commit(debit(account, 4, "GBP", HOLDER))
    with pytest.raises(InsufficientFunds):
        store.commit(debit(account, 7, "GBP", HOLDER))
    store.commit(debit(account, 6, "GBP", None))
    assert held_by(account) == 0


def test_what_is_held_cannot_be_spent(account: Account) -> None:
    plant(account, available=1, held=9)
    with pytest.raises(InsufficientFunds):
        store.commit(debit(account, 2, "GBP", HOLDER))


def test_a_credit_goes_up_to_the_limit_and_not_a_penny_beyond(account: Account) -> None:
    plant(account, available=MAX_BALANCE - 5)
    store.commit(credit(account, 5, "GBP", HOLDER))
    with pytest.raises(BalanceLimit):
        store.commit(credit(account, 1, "GBP", HOLDER))
    assert held_by(account) == MAX_BALANCE


REFUSALS: list[tuple[str, str, str | None, type[Problem] | None, type[Problem] | None]] = [
    # status, currency, holder -> what a debit of 1 and a credit of 1 mean, with 10 on the account
    ("active", "GBP", HOLDER, None, None),
    ("active", "GBP", None, None, None),
    ("active", "EUR", HOLDER, CurrencyMismatch, CurrencyMismatch),
    ("active", "GBP", "mer_other", NotFound, NotFound),
    ("frozen", "GBP", HOLDER, AccountFrozen, None),
    ("frozen", "EUR", HOLDER, CurrencyMismatch, CurrencyMismatch),
    ("closed", "GBP", HOLDER, AccountClosed, AccountClosed),
    ("closed", "GBP", "mer_other", NotFound, NotFound),
    ("frozen", "EUR", "mer_other", NotFound, NotFound),
]


@pytest.mark.parametrize(("status", "currency", "holder", "debited", "credited"), REFUSALS)
def test_a_refusal_says_why_without_a_read(
    account: Account,
    *,
    status: str,
    currency: str,
    holder: str | None,
    debited: type[Problem] | None,
    credited: type[Problem] | None,
) -> None:
    plant(account, available=10, status=status)
    for write, expected in (
        (debit(account, 1, currency, holder), debited),
        (credit(account, 1, currency, holder), credited),
    ):
        before = held_by(account)
        assert type(refusal(write)) is (expected or type(None))
        assert (held_by(account) == before) == (expected is not None)


def refusal(write: Write) -> Problem | None:
    try:
        store.commit(write)
    except Problem as problem:
        return problem
    return None


@pytest.mark.parametrize("change", [debit, credit])
def test_an_account_that_is_not_there_is_not_found(engine: object, change: Change) -> None:
    assert type(refusal(change(NOBODYS, 1, "GBP", None))) is NotFound


def test_a_stranger_learns_nothing_of_the_account(account: Account) -> None:
    plant(account, available=10, status="frozen")
    missing = refusal(debit(NOBODYS, 1, "EUR", "mer_other"))
    found = refusal(debit(account, 1, "EUR", "mer_other"))
    assert missing is not None
    assert found is not None
    assert found.detail.replace(str(account.subject), "") == missing.detail.replace(str(NOBODYS.subject), "")


def parts(account: Account) -> tuple[int, int]:
    """What is available and what is held."""
    balance = accounts.read(account)
    assert balance is not None
    return balance.available, balance.held


def test_a_hold_reserves_under_the_conditions_of_a_debit(account: Account) -> None:
    plant(account, available=10)
    store.commit(hold(account, 7, "GBP", HOLDER))
    assert parts(account) == (3, 7)
    with pytest.raises(InsufficientFunds):
        store.commit(hold(account, 4, "GBP", HOLDER))
    plant(account, status="frozen")
    with pytest.raises(AccountFrozen):
        store.commit(hold(account, 1, "GBP", HOLDER))


@pytest.mark.parametrize(("taken", "left"), [(0, (10, 0)), (5, (5, 0)), (7, (3, 0))])
def test_a_hold_ends_once_also_in_a_frozen_wallet(
    account: Account, taken: int, left: tuple[int, int]
) -> None:
    plant(account, available=10)
    store.commit(hold(account, 7, "GBP", HOLDER))
    plant(account, status="frozen")
    store.commit(release(account, 7, taken=taken))
    assert parts(account) == left
    with pytest.raises(Conflict):
        store.commit(release(account, 7, taken=taken))
    assert parts(account) == left


@pytest.mark.parametrize("status", ["active", "frozen", "closed"])
def test_what_is_owed_is_given_back_whatever_became_of_the_account(account: Account, status: str) -> None:
    plant(account, status=status)
    store.commit(give_back(account, 5, "GBP"))
    assert parts(account)[0] == 5
    with pytest.raises(Conflict):
        store.commit(give_back(account, 5, "EUR"))
