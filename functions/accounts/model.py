"""The shapes of ledger reads, and what the figures that were added up say of the ledger."""

from collections import defaultdict
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from chassis.shapes import Resource, Timestamp
from functions.accounts.records import Count, Figures, Total
from ledger.accounts import Account, Balance
from ledger.reasons import GUARDED, Kind

AccountStatus = Literal["active", "frozen", "closed"]
KindSource = Literal["balances", "entries"]
Source = Literal["rollup", "journal"]


class TrialBalanceQuery(BaseModel):
    """How to add up the ledger."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Annotated[
        Source,
        Field(
            description="`rollup`: from sums that follow the ledger within seconds. `journal`: anew from "
            "every item of the ledger; 503 once that takes longer than 20 seconds."
        ),
    ] = "rollup"


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
    source: Annotated[KindSource, Field(description="Added up from balance items, or from journal entries.")]


class CurrencyBalance(Resource):
    """One currency of the trial balance."""

    currency: str
    accounts: list[KindTotal]
    total: Annotated[int, Field(description="Zero, or money was lost or made.")]


class TrialBalance(Resource):
    """The ledger added up."""

    balanced: bool
    source: Source
    rolled_up_until: Annotated[
        Timestamp | None,
        Field(description="Of the roll-up: the time of the newest entry that it has counted."),
    ]
    data: list[CurrencyBalance]
    entries: Annotated[int, Field(description="How many journal entries were counted.")]


def unguarded(account: Account, balance: int) -> LedgerAccount:
    """An unguarded account from what was added up."""
    return LedgerAccount(
        account=str(account), kind=account.kind, currency=str(account.currency), balance=balance
    )


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


def trial_balance(figures: Figures, source: Source, rolled_up_until: str | None = None) -> TrialBalance:
    """What the figures say: per currency all kinds, and whether they make zero."""
    kinds: dict[str, list[KindTotal]] = defaultdict(list)
    for figure, balance in figures.items():
        if isinstance(figure, Total):
            added_up: KindSource = "balances" if figure.kind in GUARDED else "entries"
            kinds[figure.currency].append(KindTotal(kind=figure.kind, balance=balance, source=added_up))
    data = [_currency(currency, kinds[currency]) for currency in sorted(kinds)]
    return TrialBalance(
        balanced=all(part.total == 0 for part in data),
        source=source,
        rolled_up_until=rolled_up_until,
        data=data,
        entries=figures.get(Count(), 0),
    )


def _currency(currency: str, kinds: list[KindTotal]) -> CurrencyBalance:
    parts = sorted(kinds, key=lambda part: part.kind)
    return CurrencyBalance(currency=currency, accounts=parts, total=sum(part.balance for part in parts))
