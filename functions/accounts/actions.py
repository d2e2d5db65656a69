"""What can be read of the ledger."""

from collections.abc import Iterator

from chassis import clock, paging
from chassis.attributes import Item
from chassis.auth import Principal
from chassis.errors import NotFound, Unavailable
from chassis.paging import Page, PageQuery
from functions.accounts import model
from functions.accounts.model import LedgerAccount, TrialBalance
from ledger import accounts, journal
from ledger.accounts import Account
from ledger.journal import Entry, JournalEntry

SCAN_SECONDS = 20.0
"""The gateway hangs up after 29 seconds; a ledger that takes longer to read needs its roll-up."""


def get_account(principal: Principal, name: str) -> LedgerAccount:
    """An account of the caller's; the platform may see any."""
    account = _account(principal, name)
    if account.guarded:
        balance = accounts.read(account)
        if balance is None or not principal.owns(balance.holder):
            raise _unknown(name)
        return model.guarded(account, balance)
    return LedgerAccount(
        account=name,
        kind=account.kind,
        currency=str(account.currency),
        balance=model.balance_from_entries(account, _all_entries()),
    )


def list_entries(principal: Principal, name: str, query: PageQuery) -> Page[JournalEntry]:
    """The entries of an account of the caller's, newest first."""
    account = _account(principal, name)
    if account.guarded:
        balance = accounts.read(account)
        if balance is None or not principal.owns(balance.holder):
            raise _unknown(name)
        return journal.statement(account, query)
    return _unguarded_entries(name, query)


def _unguarded_entries(name: str, query: PageQuery) -> Page[JournalEntry]:
    """The newest entries by a scan: an index would cost every payment a write."""
    mine = (journal.shown(entry, name) for entry in _all_entries() if name in {entry.source, entry.target})
    return paging.of_few(name, mine, query, key=lambda entry: f"{entry.created_at}#{entry.posting}")


def get_entry(principal: Principal, entry_id: str) -> JournalEntry:
    """A journal entry, from the side of an account of the caller's."""
    entry = journal.find(entry_id)
    if entry is None:
        raise NotFound("there is no such entry")
    for name in (entry.partition, entry.source, entry.target):
        account = accounts.parse(name)
        if account is not None and _owns(principal, account):
            return journal.shown(entry, name)
    raise NotFound("there is no such entry")


def _owns(principal: Principal, account: Account) -> bool:
    if not account.guarded:
        return principal.owns(account.subject or "")
    balance = accounts.read(account)
    return balance is not None and principal.owns(balance.holder)


def trial_balance() -> TrialBalance:
    """The whole ledger, added up."""
    return model.trial_balance(_all_items())


def _account(principal: Principal, name: str) -> Account:
    """The account of that name, unless it can tell already that the caller has none of it."""
    account = accounts.parse(name)
    if account is None or (not account.guarded and not principal.owns(account.subject or "")):
        raise _unknown(name)
    return account


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no account {name}")


def _all_entries() -> Iterator[Entry]:
    return (Entry.model_validate(item) for item in _all_items() if journal.is_entry(item))


def _all_items() -> Iterator[Item]:
    until = clock.monotonic() + SCAN_SECONDS
    for item in journal.whole_ledger():
        if clock.monotonic() > until:
            raise Unavailable("the ledger is too large to be read in one request")
        yield item
