"""The shapes of ledger reads, and the arithmetic of balances and of the trial balance."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field

from chassis.attributes import Item
from chassis.shapes import Resource
from ledger import accounts, journal
from ledger.accounts import Account, Balance
from ledger.journal import Entry
from ledger.reasons import Kind

AccountStatus = Literal["active", "frozen", "closed"]
Source = Literal["balances", "entries"]


class LedgerAccount(Resource):
    """An account, as the API shows it; amounts in minor units."""

    account: str
    kind: Kind
    currency: str
    balance: Annotated[int, Field(description="What came in less what went out.")]
    available: Annotated[int | None, Field(description="Of a guarded account: what can be spent.")] = None
    held: Annotated[int | None, Field(description="Of a guarded account: what is reserved by holds.")] = None
    status: AccountStatus | None = None
    holder: Annotated[str | None, Field(description="Who opened it: a merchant, or `platform`.")] = None


class KindTotal(Resource):
    """All accounts of one kind in one currency."""

    kind: Kind
    balance: int
    source: Annotated[Source, Field(description="Added up from balance items, or from journal entries.")]


class CurrencyBalance(Resource):
    """One currency of the trial balance."""

    currency: str
    accounts: list[KindTotal]
    total: Annotated[int, Field(description="Zero, or money was lost or made.")]


class TrialBalance(Resource):
    """The ledger added up."""

    balanced: bool
    data: list[CurrencyBalance]
    entries: Annotated[int, Field(description="How many journal entries were read.")]


def guarded(account: Account, balance: Balance) -> LedgerAccount:
    """A guarded account from its balance item."""
    return LedgerAccount(
        account=str(account),
        kind=account.kind,
        currency=balance.currency,
        balance=balance.available + balance.held,
        available=balance.available,
        held=balance.held,
        status=balance.status,
        holder=balance.holder,
    )


def movements(entry: Entry) -> Iterator[tuple[Account, int]]:
    """What an entry means for the unguarded accounts it names.

    A movement between two guarded accounts leaves an entry with each, but one that touches an unguarded
    account leaves a single entry: adding up all entries counts it once.
    """
    for name, signed in ((entry.source, -entry.amount), (entry.target, entry.amount)):
        account = accounts.parse(name)
        if account is None:
            raise ValueError(f"{name} is not an account")
        if not account.guarded:
            yield account, signed


def balance_from_entries(account: Account, entries: Iterable[Entry]) -> int:
    """The balance of an unguarded account."""
    return sum(signed for entry in entries for moved, signed in movements(entry) if moved == account)


def trial_balance(items: Iterable[Item]) -> TrialBalance:
    """Add up ledger items: balance items for guarded accounts, entries for all others."""
    totals: dict[str, dict[tuple[Kind, Source], int]] = defaultdict(lambda: defaultdict(int))
    entries = 0
    for item in items:
        if journal.is_entry(item):
            entries += 1
            entry = Entry.model_validate(item)
            for account, signed in movements(entry):
                totals[entry.currency][account.kind, "entries"] += signed
        else:
            balance = Balance.model_validate(item)
            kind = Kind(str(item["pk"]).partition(":")[0])
            totals[balance.currency][kind, "balances"] += balance.available + balance.held
    data = [_currency(currency, totals[currency]) for currency in sorted(totals)]
    return TrialBalance(balanced=all(part.total == 0 for part in data), data=data, entries=entries)


def _currency(currency: str, kinds: dict[tuple[Kind, Source], int]) -> CurrencyBalance:
    parts = [
        KindTotal(kind=kind, balance=balance, source=source)
        for (kind, source), balance in sorted(kinds.items())
    ]
    return CurrencyBalance(currency=currency, accounts=parts, total=sum(part.balance for part in parts))
