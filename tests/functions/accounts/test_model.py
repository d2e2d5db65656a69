"""The arithmetic of the ledger: it adds up to zero, and says so when a part of it is missing."""

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.attributes import Item
from functions.accounts import model
from ledger import accounts
from ledger.accounts import Account
from ledger.journal import Entry
from ledger.posting import Posting, post
from ledger.reasons import Kind, Reason

WALLETS = ["wal_" + letter * 24 for letter in "abc"]
MERCHANT = "mer_" + "a" * 24
CURRENCIES = dict(zip(WALLETS, ("GBP", "GBP", "USD"), strict=True))


def posting(number: int, reason: Reason, one: str, amount: int) -> Posting:
    currency = CURRENCIES[one]
    source, target = {
        Reason.DEPOSIT: (accounts.bank(currency), accounts.wallet(one)),
        Reason.TRANSFER: (accounts.wallet(WALLETS[0]), accounts.wallet(WALLETS[1])),
        Reason.PAYMENT: (accounts.wallet(one), accounts.merchant_pending(MERCHANT, currency)),
        Reason.REFUND: (accounts.merchant_pending(MERCHANT, currency), accounts.wallet(one)),
        Reason.TOPUP: (accounts.acquirer_receivable(currency), accounts.wallet(one)),
    }[reason]
    at = f"2026-11-23T09:30:00.{number:06}Z"
    currency = "GBP" if reason is Reason.TRANSFER else currency
    return Posting(reason, source, target, amount, currency, operation=str(number), at=at, reference="")


def ledger(postings: list[Posting]) -> list[Item]:
    """What is stored after these postings: every entry, and the balances that they leave."""
    balances: dict[str, int] = defaultdict(int)
    items: list[Item] = []
    for write in (write for each in postings for write in post(each)):
        if write.item is None:
            balances[str(write.key["pk"])] += write.add["available"]
        else:
            items.append({**write.key, **write.item})
    for name, available in balances.items():
        currency = CURRENCIES[name.partition(":")[2]]
        held = available // 3
        balance = {"available": available - held, "held": held, "status": "active", "holder": "platform"}
        items.append({"pk": name, "sk": "ACCOUNT", "currency": currency, **balance})
    return items


anything = st.lists(
    st.tuples(st.sampled_from(Reason), st.sampled_from(WALLETS), st.integers(1, 10**12)), max_size=12
).map(lambda drawn: ledger([posting(number, *each) for number, each in enumerate(drawn)]))


@given(anything)
def test_whatever_is_posted_adds_up_to_zero(items: list[Item]) -> None:
    total = model.trial_balance(items)
    assert total.balanced
    assert all(part.total == 0 for part in total.data)
    assert total.entries == sum(str(item["sk"]).startswith("ENTRY#") for item in items)


PAID = [posting(1, Reason.DEPOSIT, WALLETS[0], 1000), posting(2, Reason.PAYMENT, WALLETS[0], 300)]


@pytest.mark.parametrize("missing", range(3), ids=["deposit", "payment", "balance"])
def test_a_missing_entry_or_balance_is_noticed(missing: int) -> None:
    items = ledger(PAID)
    assert model.trial_balance(items).balanced
    del items[missing]
    assert not model.trial_balance(items).balanced


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize(("changed", "member"), [(0, "amount"), (1, "amount"), (2, "available"), (2, "held")])
def test_a_single_penny_is_noticed(by: int, changed: int, member: str) -> None:
    items = ledger(PAID)
    items[changed] = {**items[changed], member: items[changed][member] + by}
    assert not model.trial_balance(items).balanced


def test_an_entry_that_stands_twice_is_noticed() -> None:
    items = ledger(PAID)
    assert not model.trial_balance([*items, items[0]]).balanced


def test_currencies_do_not_make_up_for_each_other() -> None:
    items = ledger([posting(1, Reason.DEPOSIT, WALLETS[0], 7), posting(2, Reason.DEPOSIT, WALLETS[2], 7)])
    swapped = [{**item, "currency": "USD"} if item["currency"] == "GBP" else item for item in items[:-2]]
    assert model.trial_balance(items).balanced
    assert not model.trial_balance([*swapped, *items[-2:]]).balanced


def test_totals_say_where_they_come_from() -> None:
    (gbp,) = model.trial_balance(ledger(PAID)).data
    assert [(part.kind, part.balance, part.source) for part in gbp.accounts] == [
        (Kind.BANK, -1000, "entries"),
        (Kind.MERCHANT_PENDING, 300, "entries"),
        (Kind.WALLET, 700, "balances"),
    ]


def test_an_empty_ledger_is_balanced() -> None:
    assert model.trial_balance([]).model_dump() == {"balanced": True, "data": [], "entries": 0}


def entries(items: list[Item]) -> list[Entry]:
    return [Entry.model_validate(item) for item in items if item["sk"] != "ACCOUNT"]


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
    assert model.balance_from_entries(account, entries(ledger(PAID))) == balance


def test_a_guarded_account_is_what_is_available_and_what_is_held() -> None:
    fields: dict[str, Any] = {"currency": "GBP", "status": "active", "holder": MERCHANT}
    balance = accounts.Balance(available=7, held=3, **fields)
    shown = model.guarded(accounts.wallet(WALLETS[0]), balance)
    assert (shown.balance, shown.available, shown.held, shown.holder) == (10, 7, 3, MERCHANT)


def test_an_entry_that_names_no_account_stops_the_reading() -> None:
    (entry, *_) = entries(ledger(PAID))
    with pytest.raises(ValueError, match="is not an account"):
        list(model.movements(entry.model_copy(update={"target": "nowhere"})))
