"""The arithmetic of the ledger: it adds up to zero, and says so when a part of it is missing."""

from typing import Any

import pytest
from hypothesis import given

from chassis.attributes import Item
from functions.accounts import model, records
from functions.accounts.model import TrialBalance
from ledger import accounts
from ledger.accounts import Account
from ledger.posting import Posting
from ledger.reasons import Kind, Reason
from tests.functions.accounts.books import MERCHANT, PAID, WALLETS, Books, posting, postings_of


def added_up(items: list[Item]) -> TrialBalance:
    return model.trial_balance(records.summed(items), "journal")


def ledger(postings: list[Posting]) -> list[Item]:
    return Books.of(postings).ledger


@given(postings_of(12))
def test_whatever_is_posted_adds_up_to_zero(postings: list[Posting]) -> None:
    items = ledger(postings)
    total = added_up(items)
    assert total.balanced
    assert all(part.total == 0 for part in total.data)
    assert total.entries == sum(str(item["sk"]).startswith("ENTRY#") for item in items)


@pytest.mark.parametrize("missing", range(3), ids=["deposit", "payment", "balance"])
def test_a_missing_entry_or_balance_is_noticed(missing: int) -> None:
    items = ledger(PAID)
    assert added_up(items).balanced
    del items[missing]
    assert not added_up(items).balanced


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize(("changed", "member"), [(0, "amount"), (1, "amount"), (2, "available"), (2, "held")])
def test_a_single_penny_is_noticed(by: int, changed: int, member: str) -> None:
    items = ledger(PAID)
    items[changed] = {**items[changed], member: items[changed][member] + by}
    assert not added_up(items).balanced


def test_an_entry_that_stands_twice_is_noticed() -> None:
    items = ledger(PAID)
    assert not added_up([*items, items[0]]).balanced


def test_currencies_do_not_make_up_for_each_other() -> None:
    items = ledger([posting(1, Reason.DEPOSIT, WALLETS[0], 7), posting(2, Reason.DEPOSIT, WALLETS[2], 7)])
    swapped = [{**item, "currency": "USD"} if item["currency"] == "GBP" else item for item in items[:-2]]
    assert added_up(items).balanced
    assert not added_up([*swapped, *items[-2:]]).balanced


def test_totals_say_where_they_come_from() -> None:
    (gbp,) = added_up(ledger(PAID)).data
    assert [(part.kind, part.balance, part.source) for part in gbp.accounts] == [
        (Kind.BANK, -1000, "entries"),
        (Kind.MERCHANT_PENDING, 300, "entries"),
        (Kind.WALLET, 700, "balances"),
    ]


def test_an_empty_ledger_is_balanced() -> None:
    empty = {"balanced": True, "source": "journal", "rolled_up_until": None, "data": [], "entries": 0}
    assert added_up([]).model_dump() == empty


@pytest.mark.parametrize(
    ("account", "balance"),
    [
        (accounts.bank("GBP"), -1000),
        (accounts.merchant_pending(MERCHANT, "GBP"), 300),
        (accounts.merchant_pending(MERCHANT, "USD"), 0),
        (accounts.merchant_pending("mer_" + "b" * 24, "GBP"), 0),
    ],
)
def test_an_unguarded_account_is_the_sum_of_its_entries(account: Account, balance: int) -> None:
    assert records.summed(ledger(PAID)).get(account, 0) == balance


def test_a_guarded_account_is_what_is_available_and_what_is_held() -> None:
    fields: dict[str, Any] = {"currency": "GBP", "status": "active", "holder": MERCHANT}
    balance = accounts.Balance(available=7, held=3, **fields)
    shown = model.guarded(accounts.wallet(WALLETS[0]), balance)
    assert (shown.balance, shown.available, shown.held, shown.holder) == (10, 7, 3, MERCHANT)


def test_an_entry_that_names_no_account_stops_the_reading() -> None:
    (entry, *_) = ledger(PAID)
    with pytest.raises(ValueError, match="is not an account"):
        records.summed([{**entry, "target": "nowhere"}])
