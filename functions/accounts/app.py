"""The routes and event handlers of accounts: reads of the ledger, and the sums that follow it."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from chassis.auth import Access, Principal
from chassis.paging import Page, PageQuery
from chassis.service import Service
from chassis.sources import Change
from functions.accounts import actions
from functions.accounts.model import LedgerAccount, TrialBalance, TrialBalanceQuery
from ledger import accounts
from ledger.journal import JournalEntry

service = Service("accounts", "Reads of the ledger: accounts, entries, trial balance.")
app = service.app

AccountName = Annotated[
    str,
    Field(
        pattern=r"^[a-z_]+(:[A-Za-z0-9_]+){1,2}$",
        max_length=100,
        description="Such as `wallet:wal_...`, `merchant_pending:mer_...:GBP` or `bank:GBP`.",
    ),
]
EntryId = Annotated[str, Field(pattern=r"^ent_[A-Za-z0-9_-]+$", max_length=400)]


@service.operation("GET /v1/ledger/accounts/{account}")
def get_ledger_account(principal: Principal, account: AccountName) -> LedgerAccount:
    """Show an account and its balance.

    A wallet and what a merchant has available are as they are now. Any other account is as far as the
    roll-up has come: seconds behind its entries.
    """
    return actions.get_account(principal, account)


@service.operation("GET /v1/ledger/accounts/{account}/entries")
def list_ledger_entries(principal: Principal, account: AccountName, query: PageQuery) -> Page[JournalEntry]:
    """List an account's journal entries.

    Those of a wallet and of what a merchant has available are a query; those of any other account are found
    by reading the whole ledger, for 20 seconds at most.
    """
    return actions.list_entries(principal, account, query)


@service.operation("GET /v1/ledger/entries/{entry_id}")
def get_ledger_entry(principal: Principal, entry_id: EntryId) -> JournalEntry:
    """Show a journal entry."""
    return actions.get_entry(principal, entry_id)


@service.operation("GET /v1/ledger/trial-balance", access=Access.PLATFORM)
def get_trial_balance(query: TrialBalanceQuery) -> TrialBalance:
    """Add up the ledger: per currency, guarded balances and the entries of all other accounts make zero.

    The balances come from their own items and the rest from the journal, so it can fail. It is no snapshot:
    read it while no money moves, and with `source=journal` to have everything counted anew.
    """
    return actions.trial_balance(query)


# A change is told a second after it happened at the latest, so that a busy second shares its commits.
@service.stream("roll_up", table=accounts.TABLE, batch_size=1000, window_seconds=1, tells_shards=True)
def roll_up(changes: Sequence[Change]) -> None:
    """Add what moved to the sums of accounts and totals."""
    actions.roll_up(changes)


@service.schedule("rebuild", every_minutes=None)
def rebuild() -> int:
    """Correct the sums by the ledger itself, when no money moves and no change waits to be told."""
    return actions.rebuild()
