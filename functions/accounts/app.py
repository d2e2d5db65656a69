"""The routes of accounts: reads of the ledger."""

from typing import Annotated

from pydantic import Field

from chassis.auth import Access, Principal
from chassis.paging import Page, PageQuery
from chassis.service import Service
from functions.accounts import actions
from functions.accounts.model import LedgerAccount, TrialBalance
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
    """Show an account and its balance."""
    return actions.get_account(principal, account)


@service.operation("GET /v1/ledger/accounts/{account}/entries")
def list_ledger_entries(principal: Principal, account: AccountName, query: PageQuery) -> Page[JournalEntry]:
    """List an account's journal entries."""
    return actions.list_entries(principal, account, query)


@service.operation("GET /v1/ledger/entries/{entry_id}")
def get_ledger_entry(principal: Principal, entry_id: EntryId) -> JournalEntry:
    """Show a journal entry."""
    return actions.get_entry(principal, entry_id)


@service.operation("GET /v1/ledger/trial-balance", access=Access.PLATFORM)
def get_trial_balance() -> TrialBalance:
    """Add up the ledger: per currency, guarded balances and the entries of all other accounts make zero.

    The balances come from their own items and the rest from the journal, so it can fail. It is no snapshot:
    read it while no money moves.
    """
    return actions.trial_balance()
