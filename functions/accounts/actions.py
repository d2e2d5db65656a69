"""What can be read of the ledger, and how the sums that some of it is read from follow the ledger."""

from collections.abc import Iterator, Sequence

from chassis import clock, paging, store
from chassis.attributes import Item
from chassis.auth import Principal
from chassis.errors import NotFound, Unavailable
from chassis.paging import Page, PageQuery
from chassis.sources import Change
from functions.accounts import model, records, table
from functions.accounts.model import LedgerAccount, TrialBalance, TrialBalanceQuery
from functions.accounts.records import Checkpoint
from functions.accounts.table import Overtaken, Unquiet
from ledger import accounts, journal
from ledger.accounts import Account
from ledger.journal import Entry, JournalEntry

SCAN_SECONDS = 20.0
"""The gateway hangs up after 29 seconds; a ledger that takes longer to read has its roll-up."""
QUIET_SECONDS = 5.0
"""A change reaches the roll-up well within this time, unless the stream's consumer is behind."""


def get_account(principal: Principal, name: str) -> LedgerAccount:
    """An account of the caller's; the platform may see any."""
    account = _account(principal, name)
    if account.guarded:
        balance = accounts.read(account)
        if balance is None or not principal.owns(balance.holder):
            raise _unknown(name)
        return model.guarded(account, balance)
    return model.unguarded(account, table.balance(account))


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


def trial_balance(query: TrialBalanceQuery) -> TrialBalance:
    """The whole ledger, added up."""
    if query.source == "journal":
        return model.trial_balance(records.summed(_all_items()), query.source)
    # The time first: what is counted between the two reads is then more than is said, and never less.
    until = table.counted_until()
    return model.trial_balance(table.totals(), query.source, until)


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


def roll_up(changes: Sequence[Change]) -> None:
    """Count the changes of one shard of the ledger's stream, each of them once, however often it is told."""
    (shard,) = {change.shard for change in changes}
    if shard is None:
        raise ValueError("the changes do not say of which shard they are: nothing tells what is counted")
    while True:
        try:
            _count(table.checkpoint(shard), changes)
        except Overtaken:
            # Another worker was told the same; each time this happens it has come further in the shard.
            continue
        return


def _count(checkpoint: Checkpoint, changes: Sequence[Change]) -> None:
    """Commit each slice of what is not counted yet together with the checkpoint that says so."""
    part = table.part_of(checkpoint.shard)
    waiting = [change for change in changes if not checkpoint.has_counted(change)]
    for counted in records.slices(waiting, table.FIGURES_PER_COMMIT):
        after = checkpoint.after(counted)
        sums = (table.add(figure, value, part) for figure, value in counted.figures.items())
        store.commit(table.advance(after), *sums)
        checkpoint = table.kept(after)


def rebuild() -> int:
    """Hold every sum against the ledger itself, and correct what differs; returns how many did.

    For a quiet moment, after the consumer of the stream has been told all that there was: what it is still
    to be told would be counted twice. Raises Unquiet when the sums change meanwhile. Each correction is a
    commit by itself, and the next run corrects what a killed one has left.
    """
    before = table.snapshot()
    truth = records.summed(journal.whole_ledger())
    clock.sleep(QUIET_SECONDS)
    if table.snapshot() != before:
        raise Unquiet("money moved meanwhile: run it again when none does")
    wrong = {figure: value for figure, value in records.difference(before.figures, truth).items() if value}
    for figure, value in wrong.items():
        store.commit(table.correct(figure, value, before.versions.get(figure, 0)))
    return len(wrong)
