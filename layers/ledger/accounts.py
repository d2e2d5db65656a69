"""Owns accounts: their names, the balance items of the guarded ones, and what may change a balance."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from chassis import clock, ids, store
from chassis.attributes import Item
from chassis.errors import Conflict, NotFound, ValidationFailed
from chassis.writes import ABSENT, Condition, Key, Write, equals, one_of, put, update
from ledger.money import DECIMALS
from ledger.reasons import GUARDED, Kind

TABLE = "ledger"
Status = Literal["active", "frozen", "closed"]
_BALANCE = "ACCOUNT"
_STATUS_AT = "status_at"
_CURRENCY = "(?P<currency>[A-Z]{3})"
_NAMES = {
    Kind.WALLET: re.compile(f"(?P<subject>wal_{ids.ID_PATTERN})"),
    Kind.MERCHANT_PENDING: re.compile(f"(?P<subject>mer_{ids.ID_PATTERN}):{_CURRENCY}"),
    Kind.MERCHANT_AVAILABLE: re.compile(f"(?P<subject>mer_{ids.ID_PATTERN}):{_CURRENCY}"),
    Kind.FEES: re.compile(_CURRENCY),
    Kind.ACQUIRER_RECEIVABLE: re.compile(_CURRENCY),
    Kind.BANK: re.compile(_CURRENCY),
    Kind.BANK_IN_TRANSIT: re.compile(_CURRENCY),
}
"""What follows the kind in an account's name."""


class AccountFrozen(Conflict):
    """The account takes no new debits while it is frozen."""

    code = "wallet_frozen"
    title = "Wallet frozen"


class AccountClosed(Conflict):
    """The account takes no new operations, ever."""

    code = "wallet_closed"
    title = "Wallet closed"


class AccountNotEmpty(Conflict):
    """Only an account with nothing on it can be closed."""

    code = "wallet_not_empty"
    title = "Wallet not empty"


class Already(Exception):
    """The account has the wanted status already."""


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


def merchant_available(merchant_id: str, currency: str) -> Account:
    """What was settled for a merchant, and can be paid out; made by its first credit."""
    return Account(Kind.MERCHANT_AVAILABLE, merchant_id, currency)


def fees(currency: str) -> Account:
    """What the platform has earned with settled payments."""
    return Account(Kind.FEES, None, currency)


def acquirer_receivable(currency: str) -> Account:
    """What was charged to cards and the acquirer owes: negative until it pays."""
    return Account(Kind.ACQUIRER_RECEIVABLE, None, currency)


def bank(currency: str) -> Account:
    """The platform's own bank account: negative by what came in from outside."""
    return Account(Kind.BANK, None, currency)


def bank_in_transit(currency: str) -> Account:
    """What the platform's bank is paying out, and may still return."""
    return Account(Kind.BANK_IN_TRANSIT, None, currency)


def parse(name: str) -> Account | None:
    """The account of that name, or None when no account could have it."""
    kind, _, rest = name.partition(":")
    match = _NAMES[Kind(kind)].fullmatch(rest) if kind in set(Kind) else None
    if match is None:
        return None
    named = match.groupdict()
    account = Account(Kind(kind), named.get("subject"), named.get("currency"))
    return account if account.currency is None or account.currency in DECIMALS else None


class Balance(BaseModel):
    """The balance item of a guarded account; nothing else repeats what it says."""

    model_config = ConfigDict(frozen=True)

    currency: str
    status: Status
    holder: str
    """The principal that opened it: a merchant's id, or `platform`."""
    available: int
    held: int


def of_item(item: Item) -> Account | None:
    """The guarded account whose balance an item of the ledger is, or None for a journal entry."""
    return parse(str(item["pk"])) if item["sk"] == _BALANCE else None


def status_since(item: Item) -> str | None:
    """When a balance item got its status; None where it has been active from the start."""
    since: str | None = item.get(_STATUS_AT)
    return since


def read(account: Account) -> Balance | None:
    """The balance of a guarded account as of now."""
    item = store.get(TABLE, account.key)
    return Balance.model_validate(item) if item else None


def read_many(wanted: Iterable[Account]) -> list[Balance | None]:
    """The balances of distinct guarded accounts as of now, in order; None for one that nobody opened."""
    items = store.get_many((TABLE, account.key) for account in wanted)
    return [Balance.model_validate(item) if item else None for item in items]


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


def freeze(account: Account, holder: str | None) -> Write:
    """Refuse new debits and holds from now on. Raises Already when it is frozen."""
    return _change_status(account, holder, ("active",), "frozen")


def unfreeze(account: Account, holder: str | None) -> Write:
    """Take debits and holds again. Raises Already when it is active."""
    return _change_status(account, holder, ("frozen",), "active")


def close(account: Account, holder: str | None) -> Write:
    """Refuse every new operation for ever, of an account with nothing on it. Raises Already when closed."""
    empty = (equals("available", 0), equals("held", 0))
    return _change_status(account, holder, ("active", "frozen"), "closed", *empty)


def _change_status(
    account: Account, holder: str | None, before: tuple[Status, ...], after: Status, *conditions: Condition
) -> Write:
    def refused(found: Item | None) -> Exception:
        if found is None or (holder is not None and found["holder"] != holder):
            return NotFound(f"there is no {account.kind} {account.subject}")
        if found["status"] == after:
            return Already()
        if found["status"] not in before:
            return AccountClosed(f"{account.subject} is closed")
        left = f"{found['available']} available and {found['held']} held"
        return AccountNotEmpty(f"{account.subject} still has {left}")

    mine = () if holder is None else (equals("holder", holder),)
    return update(
        TABLE,
        account.key,
        one_of("status", before),
        *mine,
        *conditions,
        refused=refused,
        assign={"status": after, _STATUS_AT: clock.timestamp(clock.now())},
    )
