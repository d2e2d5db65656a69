"""Accounts have one name each, and a guarded balance refuses with the error that says why."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import clock, ids, store
from chassis.attributes import Item
from chassis.errors import Conflict
from chassis.writes import Write, update
from ledger import accounts
from ledger.accounts import (
    Account,
    Balance,
    bank,
    merchant_pending,
    parse,
    wallet,
)
from ledger.money import DECIMALS
from ledger.reasons import Kind

Change = Callable[[Account, int, str, str | None], Write]
HOLDER = "mer_" + "h" * 24
NOBODYS = wallet("wal_" + "z" * 24)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=24, max_size=24)
CODES = st.sampled_from(sorted(DECIMALS))
ACCOUNTS = (
    NAMES.map(lambda name: wallet(f"wal_{name}"))
    | CODES.map(bank)
    | st.builds(merchant_pending, NAMES.map(lambda name: f"mer_{name}"), CODES)
)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(account=ACCOUNTS)
def test_a_name_leads_back_to_its_account(account: Account) -> None:
    assert parse(str(account)) == account


@pytest.mark.parametrize(
    "name",
    [
        "",
        "wallet",
        "wallet:",
        "wallet:wal_short",
        f"wallet:wal_{'a' * 24}:GBP",
        f"wallet:wal_{'A' * 24}",
        f"wallet:wal_{'a' * 24}\n",
        f" wallet:wal_{'a' * 24}",
        "bank",
        f"bank:mer_{'a' * 24}:GBP",
        "bank:gbp",
        "bank::GBP",
        "bank:GBP#",
        f"merchant_pending:mer_{'a' * 24}",
        "merchant_pending:GBP",
        f"fees:mer_{'a' * 24}:GBP",
        "merchant_available:GBP",
        "é",
        "\ud800",
    ],
    ids=str.__repr__,
)
def test_what_no_account_is_called_leads_nowhere(name: str) -> None:
    assert parse(name) is None


def test_only_a_guarded_account_has_a_balance_item() -> None:
    assert wallet("wal_x").guarded
    assert not bank("GBP").guarded
    assert not merchant_pending("mer_x", "GBP").guarded
    assert wallet("wal_x").key == {"pk": "wallet:wal_x", "sk": "ACCOUNT"}
    assert Account(Kind.BANK, None, "GBP") == bank("GBP")


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


def test_an_opened_account_is_empty_active_and_its_holders(account: Account) -> None:
    assert accounts.read(account) == Balance(
        currency="GBP", status="active", holder=HOLDER, available=0, held=0
    )
    assert accounts.read(NOBODYS) is None


def item_of(account: Account) -> Item:
    item = store.get(accounts.TABLE, account.key)
    assert item is not None
    return item


def test_a_balance_item_is_told_from_an_entry_and_says_since_when_its_status_is(account: Account) -> None:
    assert accounts.of_item(item_of(account)) == account
    assert accounts.of_item({"pk": str(account), "sk": "ENTRY#2026"}) is None
    assert accounts.status_since(item_of(account)) is None
    before = clock.timestamp(clock.now())
    store.commit(accounts.freeze(account, HOLDER))
    frozen_at = accounts.status_since(item_of(account))
    assert frozen_at is not None
    assert before <= frozen_at <= clock.timestamp(clock.now())
    # Money that moves leaves it as it is.
    plant(account, available=7)
    assert accounts.status_since(item_of(account)) == frozen_at


def test_an_account_is_opened_once(account: Account) -> None:
    plant(account, available=7)
    with pytest.raises(Conflict):
        store.commit(accounts.open_account(account, "EUR", "platform"))
    assert held_by(account) == 7
