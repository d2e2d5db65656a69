"""Owns what may change a balance: debits, holds and credits of guarded accounts, each a conditional write."""

from chassis.attributes import Item
from chassis.errors import Conflict, InsufficientFunds, NotFound, Problem
from chassis.writes import Condition, Write, absent_or, at_least, at_most, equals, one_of, update, upsert
from ledger.accounts import (
    TABLE,
    Account,
    AccountClosed,
    AccountFrozen,
    Balance,
    BalanceLimit,
    CurrencyMismatch,
    Status,
    unused,
)
from ledger.money import MAX_BALANCE
from ledger.reasons import Kind

Holders = tuple[str, ...] | None
"""Whose account it may be; None: anybody's."""


def debit(account: Account, amount: int, currency: str, holder: str | None) -> Write:
    """Take money from a guarded account: active, of this currency and holder, and covering the amount."""
    return _spend(account, amount, currency, _only(holder), {"available": -amount})


def hold(account: Account, amount: int, currency: str, holder: str | None) -> Write:
    """Reserve money of a guarded account under the conditions of a debit; no entry tells of it."""
    return _spend(account, amount, currency, _only(holder), {"available": -amount, "held": amount})


def hold_to_empty(account: Account, amount: int, currency: str, holders: tuple[str, ...]) -> Write:
    """Reserve money that is to leave the system: a closed account may be emptied, a frozen one may not.

    It is gone for good then, so the account must belong to one of these holders, whoever asks.
    """
    reserving = {"available": -amount, "held": amount}
    return _spend(account, amount, currency, holders, reserving, spendable=("active", "closed"))


def _spend(
    account: Account,
    amount: int,
    currency: str,
    holders: Holders,
    add: dict[str, int],
    *,
    spendable: tuple[Status, ...] = ("active",),
) -> Write:
    def refused(found: Item | None) -> Problem:
        refusal = _common_refusal(account, found, currency, holders, closed="closed" in spendable)
        return refusal or _debit_refusal(account, found)

    return update(
        TABLE,
        account.key,
        *_usable(currency, holders),
        one_of("status", spendable),
        at_least("available", amount),
        refused=refused,
        add=add,
    )


def release(account: Account, held: int, taken: int = 0) -> Write:
    """End a hold: `taken` of it leaves the account, the rest can be spent again. Freezing doesn't stop it."""
    return update(
        TABLE,
        account.key,
        at_least("held", held),
        refused=lambda _: Conflict(f"{account} holds less than {held}"),
        add={"held": -held} | ({"available": held - taken} if taken < held else {}),
    )


def credit(account: Account, amount: int, currency: str, holder: str | None) -> Write:
    """Give money to a guarded account that is open (frozen ones may receive), up to the balance limit."""

    def refused(found: Item | None) -> Problem:
        return _common_refusal(account, found, currency, _only(holder)) or _beyond_limit(account)

    return update(
        TABLE,
        account.key,
        *_usable(currency, _only(holder)),
        Condition("status", "<>", "closed"),
        at_most("available", MAX_BALANCE - amount),
        refused=refused,
        add={"available": amount},
    )


def require_creditable(
    account: Account, balance: Balance | None, amount: int, currency: str, holder: str | None
) -> None:
    """Raise what a credit would be refused for, judging by a balance just read.

    For money that is about to be taken elsewhere: once it is taken, it is given whatever happens.
    """
    found = balance.model_dump() if balance else None
    refusal = _common_refusal(account, found, currency, _only(holder))
    if refusal is None and balance is not None and balance.available > MAX_BALANCE - amount:
        refusal = _beyond_limit(account)
    if refusal is not None:
        raise refusal


def give_back(account: Account, amount: int, currency: str) -> Write:
    """Credit what an operation accepted earlier owes, whatever became of the account since."""

    def refused(_: Item | None) -> Exception:
        return Conflict(f"{account} does not hold {currency}")

    holds = equals("currency", currency)
    if account.kind is not Kind.MERCHANT_AVAILABLE:
        return update(TABLE, account.key, holds, refused=refused, add={"available": amount})
    # Nobody opens a merchant's account: it is there with its first credit.
    opened = unused(currency, holder=str(account.subject)).model_dump(exclude={"available"})
    return upsert(
        TABLE, account.key, absent_or(holds), refused=refused, initial=opened, add={"available": amount}
    )


def _beyond_limit(account: Account) -> BalanceLimit:
    return BalanceLimit(f"{account} would hold more than {MAX_BALANCE} minor units")


def _only(holder: str | None) -> Holders:
    return None if holder is None else (holder,)


def _usable(currency: str, holders: Holders) -> tuple[Condition, ...]:
    mine = () if holders is None else (one_of("holder", holders),)
    return (equals("currency", currency), *mine)


def _common_refusal(
    account: Account, found: Item | None, currency: str, holders: Holders, *, closed: bool = False
) -> Problem | None:
    """What the item, as it stood when the condition failed, says of the refusal: no read is needed.

    `closed` says that a closed account would have done as well.
    """
    if found is None and account.kind is Kind.MERCHANT_AVAILABLE:
        return InsufficientFunds(f"{account} holds nothing yet")
    if found is None or (holders is not None and found["holder"] not in holders):
        return NotFound(f"there is no {account.kind} {account.subject}")
    if found["status"] == "closed" and not closed:
        return AccountClosed(f"{account.subject} is closed")
    if found["currency"] != currency:
        message = f"{account.subject} holds {found['currency']}, not {currency}"
        return CurrencyMismatch.of("body", "/currency", message)
    return None


def _debit_refusal(account: Account, found: Item | None) -> Problem:
    if found is not None and found["status"] == "frozen":
        return AccountFrozen(f"{account.subject} is frozen")
    return InsufficientFunds(f"{account.subject} does not hold enough")
