"""Entries are written once, lead back to themselves by their id, and are a statement newest first."""

import base64

import pytest

from chassis import ids, paging, store
from chassis.attributes import Item
from chassis.errors import Conflict, ValidationFailed
from chassis.paging import PageQuery
from ledger import accounts, journal
from ledger.accounts import Account
from ledger.journal import Entry
from ledger.posting import Posting, entries, post
from ledger.reasons import Reason

pytestmark = pytest.mark.usefixtures("engine")


def at(number: int) -> str:
    return f"2026-11-23T09:30:{number // 2:02}.000000Z"


def new_wallet() -> Account:
    account = accounts.wallet(ids.random("wal"))
    store.commit(accounts.open_account(account, "GBP", "platform"))
    return account


def deposit(account: Account, amount: int, number: int = 0) -> Posting:
    return Posting(
        reason=Reason.DEPOSIT,
        source=accounts.bank("GBP"),
        target=account,
        amount=amount,
        currency="GBP",
        operation=f"{account}:{number}",
        at=at(number),
        reference=f"r{number}",
    )


def test_an_entrys_id_leads_to_it() -> None:
    account = new_wallet()
    movement = deposit(account, 5)
    store.commit(*post(movement))
    (entry,) = entries(movement)
    assert journal.find(entry.id) == entry
    assert entry.id.startswith("ent_")
    assert entry.partition == str(account)


def test_the_same_entry_is_written_once_and_moves_nothing_the_second_time() -> None:
    account = new_wallet()
    movement = deposit(account, 5)
    store.commit(*post(movement))
    with pytest.raises(Conflict):
        store.commit(*post(movement))
    balance = accounts.read(account)
    assert balance is not None
    assert balance.available == 5


@pytest.mark.parametrize(
    "entry_id",
    [
        "",
        "ent_",
        "ent_x",
        "ent_" + ids.pack("wallet:wal_x", at(0)),
        "ent_" + ids.pack("wallet:wal_x", at(0), "pst_x"),
        "ent_" + ids.pack("", "", ""),
        "ent_" + ids.pack("", at(0), "pst_x"),
        "ent_é",
        "ent_\ud800",
        "ent_" + base64.urlsafe_b64encode(b"[" * 300).decode(),
    ],
    ids=str.__repr__,
)
def test_any_other_id_leads_nowhere(entry_id: str) -> None:
    assert journal.find(entry_id) is None


def test_an_id_never_leads_to_a_balance() -> None:
    account = new_wallet()
    assert journal.find("ent_" + ids.pack(str(account), "", "")) is None
    assert journal.find("ent_" + ids.pack("ACCOUNT", str(account), "")) is None


def test_an_entry_is_shown_from_either_side() -> None:
    account = accounts.wallet("wal_" + "a" * 24)
    (entry,) = entries(deposit(account, 5))
    mine = journal.shown(entry)
    assert (mine.direction, mine.counterpart, mine.amount) == ("credit", "bank:GBP", 5)
    theirs = journal.shown(entry, "bank:GBP")
    assert (theirs.direction, theirs.counterpart, theirs.account) == ("debit", str(account), "bank:GBP")
    assert theirs.id == mine.id == entry.id


@pytest.fixture(scope="module")
def history(engine: object) -> tuple[Account, list[str]]:
    """A wallet with seven deposits, two in each second, and their ids, newest first."""
    account = new_wallet()
    movements = [deposit(account, number + 1, number) for number in range(7)]
    for movement in movements:
        store.commit(*post(movement))
    newest_first = sorted(movements, key=lambda movement: (movement.at, movement.id), reverse=True)
    return account, [entries(movement)[0].id for movement in newest_first]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 100])
def test_the_pages_of_a_statement_show_every_entry_once(
    history: tuple[Account, list[str]], limit: int
) -> None:
    account, newest_first = history
    shown, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = journal.statement(account, PageQuery(limit=limit, cursor=cursor))
        shown += [entry.id for entry in page.data]
        cursor, pages = page.next_cursor, pages + 1
    assert shown == newest_first
    assert pages == -(-len(newest_first) // limit)


def test_a_wallet_without_entries_has_an_empty_statement() -> None:
    page = journal.statement(new_wallet(), PageQuery())
    assert (page.data, page.next_cursor) == ([], None)


@pytest.mark.parametrize(
    "cursor", ["x", "é", ids.pack("ACCOUNT"), ids.pack("ENTRY$"), paging.cursor("list", f"{at(0)}#of_a_list")]
)
def test_a_cursor_of_no_statement_is_refused(history: tuple[Account, list[str]], cursor: str) -> None:
    with pytest.raises(ValidationFailed):
        journal.statement(history[0], PageQuery(cursor=cursor))


def test_the_whole_ledger_has_entries_and_balances(history: tuple[Account, list[str]]) -> None:
    account, newest_first = history
    mine: list[Item] = [item for item in journal.whole_ledger() if item["pk"] == str(account)]
    found = [Entry.model_validate(item).id for item in mine if journal.is_entry(item)]
    assert sorted(found) == sorted(newest_first)
    (balance,) = [item for item in mine if not journal.is_entry(item)]
    assert balance["available"] == sum(range(1, 8))
