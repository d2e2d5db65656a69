"""Postings move money: whatever is tried, balances equal entries, add up to nothing and never go below it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis import ids, store
from chassis.errors import Conflict, InsufficientFunds, NotFound, Problem
from chassis.paging import PageQuery
from ledger import accounts, balances, journal
from ledger.accounts import Account, BalanceLimit, CurrencyMismatch
from ledger.money import MAX_AMOUNT, MAX_BALANCE, MAX_POSTING
from ledger.posting import SPREAD, Posting, entries, post
from ledger.reasons import PERMITTED, UNCONDITIONAL, Kind, Reason

WALLET, OTHER = (accounts.wallet(f"wal_{letter * 24}") for letter in "ab")
SHOP = "mer_" + "s" * 24
AT = "2026-11-23T09:30:00.000000Z"


def posting(reason: Reason, source: Account, target: Account, **changes: Any) -> Posting:
    made: dict[str, Any] = {
        "amount": 5,
        "currency": "GBP",
        "operation": ids.random("op"),
        "at": AT,
        "reference": "r",
    }
    return Posting(reason=reason, source=source, target=target, **(made | changes))


def payment(source: Account, **changes: Any) -> Posting:
    return posting(Reason.PAYMENT, source, accounts.merchant_pending(SHOP, "GBP"), **changes)


def keys(movement: Posting) -> list[tuple[str, tuple[str, ...]]]:
    return [(write.table, tuple(write.key.values())) for write in post(movement)]


@pytest.mark.parametrize("amount", [0, -1, MAX_POSTING + 1])
def test_a_posting_moves_a_positive_bounded_amount(amount: int) -> None:
    assert payment(WALLET, amount=MAX_POSTING).amount == MAX_POSTING
    with pytest.raises(ValueError, match="is not an amount"):
        payment(WALLET, amount=amount)


def test_a_posting_has_two_accounts_of_one_currency() -> None:
    with pytest.raises(ValueError, match="two accounts"):
        posting(Reason.TRANSFER, WALLET, WALLET)
    with pytest.raises(ValueError, match="one currency"):
        payment(WALLET, currency="EUR")
    with pytest.raises(ValueError, match="one currency"):
        posting(Reason.DEPOSIT, accounts.bank("EUR"), WALLET)


def test_guarded_sides_alone_are_written_each_with_its_entry() -> None:
    balance, other = (str(WALLET), "ACCOUNT"), (str(OTHER), "ACCOUNT")

    def written(movement: Posting) -> list[tuple[str, ...]]:
        assert {table for table, _ in keys(movement)} == {"ledger"}
        return [key for _, key in keys(movement)]

    paid = payment(WALLET)
    assert written(paid) == [balance, (str(WALLET), f"ENTRY#{AT}#{paid.id}")]
    deposited = posting(Reason.DEPOSIT, accounts.bank("GBP"), WALLET)
    assert written(deposited) == [balance, (str(WALLET), f"ENTRY#{AT}#{deposited.id}")]
    moved = posting(Reason.TRANSFER, WALLET, OTHER)
    assert written(moved) == [
        other,
        balance,
        (str(WALLET), f"ENTRY#{AT}#{moved.id}"),
        (str(OTHER), f"ENTRY#{AT}#{moved.id}"),
    ]


def test_payments_of_two_wallets_to_one_merchant_write_nothing_in_common() -> None:
    assert not {*keys(payment(WALLET))} & {*keys(payment(OTHER))}
    assert {*keys(payment(WALLET))} & {*keys(payment(WALLET))}


def test_a_posting_is_named_by_its_operation_and_reason_and_dated_by_the_operation() -> None:
    movement = payment(WALLET, operation="payment:1")
    assert movement.id == payment(WALLET, operation="payment:1", at="2030").id
    assert movement.id != payment(WALLET, operation="payment:2").id
    assert movement.id != posting(Reason.TRANSFER, WALLET, OTHER, operation="payment:1").id
    assert [entry.created_at for entry in entries(movement)] == [AT]


@dataclass
class Wallet:
    """What a wallet should be."""

    account: Account
    currency: str
    holder: str
    exists: bool = True
    balance: int = 0
    history: list[int] = field(default_factory=list)

    def refuses(self, movement: Posting, amount: int) -> type[Problem] | None:
        if movement.reason in UNCONDITIONAL:
            return None if self.exists and self.currency == movement.currency else Conflict
        if not self.exists or movement.holder not in {None, self.holder}:
            return NotFound
        if self.currency != movement.currency:
            return CurrencyMismatch
        if self.balance + amount < 0:
            return InsufficientFunds
        return BalanceLimit if amount > 0 and self.balance + amount > MAX_BALANCE else None


def new_wallets() -> list[Wallet]:
    named = [("GBP", "mer_a"), ("GBP", "mer_a"), ("GBP", "mer_b"), ("EUR", "mer_a")]
    wallets = [Wallet(accounts.wallet(ids.random("wal")), *each) for each in named]
    store.commit(*[accounts.open_account(each.account, each.currency, each.holder) for each in wallets])
    return [*wallets, Wallet(accounts.wallet(ids.random("wal")), "GBP", "mer_a", exists=False)]


AMOUNTS = st.integers(1, 60) | st.sampled_from([1, MAX_AMOUNT])
CURRENCIES = st.sampled_from(["GBP", "GBP", "GBP", "EUR"])
HOLDERS = st.sampled_from([None, "mer_a", "mer_a", "mer_b"])
PLACES = st.integers(0, 4)
OF_WALLETS = [reason for reason, kinds in PERMITTED.items() if any(Kind.WALLET in pair for pair in kinds)]
MOVES = st.tuples(
    st.sampled_from([Reason.DEPOSIT, *OF_WALLETS]), PLACES, PLACES, AMOUNTS, CURRENCIES, HOLDERS
).filter(lambda move: move[0] is not Reason.TRANSFER or move[1] != move[2])


def movement_of(move: tuple[Reason, int, int, int, str, str | None], wallets: list[Wallet]) -> Posting:
    reason, first, second, amount, currency, holder = move
    mine = wallets[first].account
    sides = {
        Reason.DEPOSIT: (accounts.bank(currency), mine),
        Reason.TRANSFER: (mine, wallets[second].account),
        Reason.PAYMENT: (mine, accounts.merchant_pending(SHOP, currency)),
        Reason.REFUND: (accounts.merchant_pending(SHOP, currency), mine),
        Reason.TOPUP: (accounts.acquirer_receivable(currency), mine),
        Reason.PAYOUT: (mine, accounts.bank_in_transit(currency)),
        Reason.PAYOUT_RETURN: (accounts.bank(currency), mine),
    }
    return posting(reason, *sides[reason], amount=amount, currency=currency, holder=holder)


def apply(movement: Posting, wallets: list[Wallet]) -> None:
    """Try the movement; it has to end as the model says, and then the model moves too."""
    by_account = {wallet.account: wallet for wallet in wallets}
    # The side that is credited is judged first.
    sides = [(movement.target, movement.amount), (movement.source, -movement.amount)]
    touched = [(by_account[account], amount) for account, amount in sides if account.guarded]
    reasons = (wallet.refuses(movement, amount) for wallet, amount in touched)
    expected = next((reason for reason in reasons if reason), type(None))
    refusal: Problem | None = None
    try:
        store.commit(*post(movement))
    except Problem as problem:
        refusal = problem
    assert type(refusal) is expected
    if refusal is None:
        for wallet, amount in touched:
            wallet.balance += amount
            wallet.history.append(amount)


def statement(wallet: Wallet) -> Iterator[journal.Entry]:
    cursor = None
    while True:
        page = journal.statement(wallet.account, PageQuery(limit=3, cursor=cursor))
        for shown in page.data:
            entry = journal.find(shown.id)
            assert entry is not None
            yield entry
        cursor = page.next_cursor
        if cursor is None:
            return


def check(wallets: list[Wallet]) -> None:
    totals: dict[str, int] = defaultdict(int)
    for wallet in wallets:
        balance = accounts.read(wallet.account)
        if balance is None:
            assert not wallet.exists
            assert list(statement(wallet)) == []
            continue
        found = list(statement(wallet))
        changes = [entry.amount if entry.target == str(wallet.account) else -entry.amount for entry in found]
        assert balance.available >= 0
        assert balance.held == 0
        assert balance.available == sum(changes) == wallet.balance
        assert sorted(changes) == sorted(wallet.history)
        totals[balance.currency] += balance.available
        for entry in found:
            assert entry.currency == wallet.currency
            source, target = (accounts.parse(side) for side in (entry.source, entry.target))
            assert source is not None
            assert target is not None
            if not source.guarded:
                totals[entry.currency] -= entry.amount
            if not target.guarded:
                totals[entry.currency] += entry.amount
    assert set(totals.values()) <= {0}


@settings(
    derandomize=True,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(moves=st.lists(MOVES, min_size=5, max_size=20))
def test_any_sequence_keeps_the_books(
    engine: object, moves: list[tuple[Reason, int, int, int, str, str | None]]
) -> None:
    wallets = new_wallets()
    for move in moves:
        apply(movement_of(move, wallets), wallets)
    check(wallets)


def test_every_refusal_leaves_the_books_as_they_were(engine: object) -> None:
    wallets = new_wallets()
    mine, friend, stranger, euro, nobody = (wallet.account for wallet in wallets)
    apply(posting(Reason.DEPOSIT, accounts.bank("GBP"), mine, amount=50), wallets)
    transfer = posting(Reason.TRANSFER, mine, friend, amount=20, holder="mer_a")
    for refused in (
        replace(transfer, amount=51),
        replace(transfer, target=stranger),
        replace(transfer, source=stranger),
        replace(transfer, target=euro),
        replace(transfer, source=nobody),
        replace(transfer, target=nobody),
        replace(transfer, currency="EUR"),
    ):
        apply(refused, wallets)
    assert [wallet.balance for wallet in wallets] == [50, 0, 0, 0, 0]
    apply(transfer, wallets)
    assert [wallet.balance for wallet in wallets] == [30, 20, 0, 0, 0]
    check(wallets)


def test_a_merchant_s_account_is_there_with_its_first_credit_and_can_be_spent() -> None:
    merchant = ids.random("mer")
    pending, mine = (of(merchant, "GBP") for of in (accounts.merchant_pending, accounts.merchant_available))
    paid = posting(Reason.PAYOUT, mine, accounts.bank_in_transit("GBP"), amount=70)
    with pytest.raises(InsufficientFunds):
        store.commit(*post(paid))
    assert accounts.read(mine) is None

    for number in range(2):
        settled = posting(Reason.NET_SETTLEMENT, pending, mine, amount=50)
        store.commit(*post(replace(settled, operation=f"{merchant} {number}")))
    balance = accounts.read(mine)
    assert balance
    assert (balance.available, balance.held, balance.status) == (100, 0, "active")
    assert (balance.holder, balance.currency) == (merchant, "GBP")

    store.commit(balances.hold_to_empty(mine, 70, "GBP", (merchant,)))
    with pytest.raises(InsufficientFunds):
        store.commit(balances.hold_to_empty(mine, 31, "GBP", (merchant,)))
    store.commit(*post(replace(paid, operation=merchant, from_hold=70)))
    balance = accounts.read(mine)
    assert balance
    assert (balance.available, balance.held) == (30, 0)


@pytest.mark.parametrize(("status", "refusal"), [("closed", None), ("frozen", accounts.AccountFrozen)])
def test_what_leaves_the_system_may_empty_a_closed_account_but_not_a_frozen_one(
    status: str, refusal: type[Exception] | None
) -> None:
    wallet = accounts.wallet(ids.random("wal"))
    store.commit(accounts.open_account(wallet, "GBP", "mer_a"))
    store.commit((accounts.freeze if status == "frozen" else accounts.close)(wallet, None))
    store.commit(*post(posting(Reason.REFUND, accounts.merchant_pending(SHOP, "GBP"), wallet, amount=50)))
    with pytest.raises(NotFound):
        store.commit(balances.hold_to_empty(wallet, 50, "GBP", ("mer_b", "mer_c")))
    emptied = balances.hold_to_empty(wallet, 50, "GBP", ("mer_b", "mer_a"))
    if refusal:
        with pytest.raises(refusal):
            store.commit(emptied)
    else:
        store.commit(emptied)
        with pytest.raises(InsufficientFunds):
            store.commit(emptied)


def test_between_unguarded_accounts_one_entry_stands_apart_from_every_hot_partition() -> None:
    pending, receivable = accounts.merchant_pending(SHOP, "GBP"), accounts.acquirer_receivable("GBP")
    partitions = set()
    for number in range(200):
        paid = replace(posting(Reason.PAYMENT, receivable, pending), operation=f"o{number}")
        back = replace(posting(Reason.REFUND, pending, receivable), operation=f"o{number}")
        for movement in (paid, back):
            (entry,) = entries(movement)
            assert len(post(movement)) == 1
            assert (entry.source, entry.target) == (str(movement.source), str(movement.target))
            partitions.add(entry.partition)
    # Both are spread over the merchant's own partitions, none of which is an account's.
    assert partitions == {f"{pending}#{shard}" for shard in range(SPREAD)}
    assert all(accounts.parse(partition) is None for partition in partitions)
