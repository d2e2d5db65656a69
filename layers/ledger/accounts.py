"""Owns accounts: their names, the balance items of the guarded ones, and what may change a balance."""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from chassis import store
from chassis.attributes import Item
from chassis.errors import Conflict, InsufficientFunds, NotFound, Problem, ValidationFailed
from chassis.writes import ABSENT, Condition, Key, Write, at_least, at_most, equals, put, update
from ledger.money import MAX_BALANCE
from ledger.reasons import GUARDED, Kind

TABLE = "ledger"
_BALANCE = "ACCOUNT"
_NAME = re.compile(r"([a-z_]{1,32})(?::([a-z]{3}_[a-z2-7]{24}))?(?::([A-Z]{3}))?")


class AccountFrozen(Conflict):
    """The account takes no new debits while it is frozen."""

    code = "wallet_frozen"
    title = "Wallet frozen"


class AccountClosed(Conflict):
    """The account takes no new operations, ever."""

    code = "wallet_closed"
    title = "Wallet closed"


class BalanceLimit(Conflict):
    """The credit would pass the largest balance that an account may have."""

    code = "balance_limit"
    title = "Balance limit"


class CurrencyMismatch(ValidationFailed):
    """The account holds another currency."""

    code = "currency_mismatch"
    title = "Currency mismatch"


@dataclass(frozen=True, slots=True)
class Account:
    """An account's name: its kind, whose it is, and the currency where that is part of the name.

    `wallet:wal_...` (a wallet has one currency, kept in its balance item), `merchant_pending:mer_...:GBP`,
    `bank:GBP`.
    """

    kind: Kind
    subject: str | None
    currency: str | None

    def __str__(self) -> str:
        return ":".join(part for part in (self.kind, self.subject, self.currency) if part)

    @property
    def guarded(self) -> bool:
        """Whether it has a balance item that can never go below zero."""
        return self.kind in GUARDED

    @property
    def key(self) -> Key:
        """Where its balance item stands."""
        return {"pk": str(self), "sk": _BALANCE}


def wallet(wallet_id: str) -> Account:
    """The account of an e-wallet."""
    return Account(Kind.WALLET, wallet_id, None)


def merchant_pending(merchant_id: str, currency: str) -> Account:
    """What was captured for a merchant and is not settled yet."""
    return Account(Kind.MERCHANT_PENDING, merchant_id, currency)


def bank(currency: str) -> Account:
    """The platform's own bank account: negative by what came in from outside."""
    return Account(Kind.BANK, None, currency)


def parse(name: str) -> Account | None:
    """The account of that name, or None when no account could have it."""
    match = _NAME.fullmatch(name)
    if match is None or match[1] not in set(Kind):
        return None
    account = Account(Kind(match[1]), match[2], match[3])
    shape = (account.subject is not None, account.currency is not None)
    expected = {Kind.WALLET: (True, False), Kind.MERCHANT_PENDING: (True, True), Kind.BANK: (False, True)}
    return account if shape == expected[account.kind] else None


class Balance(BaseModel):
    """The balance item of a guarded account; nothing else repeats what it says."""

    model_config = ConfigDict(frozen=True)

    currency: str
    status: Literal["active", "frozen", "closed"]
    holder: str
    """The principal that opened it: a merchant's id, or `platform`."""
    available: int
    held: int


def read(account: Account) -> Balance | None:
    """The balance of a guarded account as of now."""
    item = store.get(TABLE, account.key)
    return Balance.model_validate(item) if item else None


def open_account(account: Account, currency: str, holder: str) -> Write:
    """A new guarded account with nothing on it."""
    return put(
        TABLE,
        account.key,
        unused(currency, holder).model_dump(),
        ABSENT,
        refused=lambda _: Conflict(f"{account} exists"),
    )


def unused(currency: str, holder: str) -> Balance:
    """The balance of a guarded account just opened."""
    return Balance(currency=currency, status="active", holder=holder, available=0, held=0)


def debit(account: Account, amount: int, currency: str, holder: str | None) -> Write:
    """Take money from a guarded account: active, of this currency and holder, and covering the amount."""

    def refused(found: Item | None) -> Problem:
        return _common_refusal(account, found, currency, holder) or _debit_refusal(account, found)

    return update(
        TABLE,
        account.key,
        *_usable(currency, holder),
        equals("status", "active"),
        at_least("available", amount),
        refused=refused,
        add={"available": -amount},
    )


def credit(account: Account, amount: int, currency: str, holder: str | None) -> Write:
    """Give money to a guarded account that is open (frozen ones may receive), up to the balance limit."""

    def refused(found: Item | None) -> Problem:
        return _common_refusal(account, found, currency, holder) or BalanceLimit(
            f"{account} would hold more than {MAX_BALANCE} minor units"
        )

    return update(
        TABLE,
        account.key,
        *_usable(currency, holder),
        Condition("status", "<>", "closed"),
        at_most("available", MAX_BALANCE - amount),
        refused=refused,
        add={"available": amount},
    )


def _usable(currency: str, holder: str | None) -> tuple[Condition, ...]:
    mine = () if holder is None else (equals("holder", holder),)
    return (equals("currency", currency), *mine)


def _common_refusal(
    account: Account, found: Item | None, currency: str, holder: str | None
) -> Problem | None:
    """What the item, as it stood when the condition failed, says of the refusal: no read is needed."""
    if found is None or (holder is not None and found["holder"] != holder):
        return NotFound(f"there is no {account.kind} {account.subject}")
    if found["status"] == "closed":
        return AccountClosed(f"{account.subject} is closed")
    if found["currency"] != currency:
        message = f"{account.subject} holds {found['currency']}, not {currency}"
        return CurrencyMismatch.of("body", "/currency", message)
    return None


def _debit_refusal(account: Account, found: Item | None) -> Problem:
    if found is not None and found["status"] == "frozen":
        return AccountFrozen(f"{account.subject} is frozen")
    return InsufficientFunds(f"{account.subject} does not hold enough")
