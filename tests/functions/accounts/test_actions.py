"""Reads of the ledger as stored: whose they are, how they are paged, and how long they may take."""

from collections.abc import Callable, Iterator

import pytest

from chassis import clock, store
from chassis.attributes import Item
from chassis.auth import Principal
from chassis.errors import NotFound, Unavailable, ValidationFailed
from chassis.paging import PageQuery
from functions.accounts import actions
from functions.accounts.model import TrialBalanceQuery
from ledger import accounts, journal
from ledger.posting import Posting, post
from ledger.reasons import Reason
from tests.conftest import Shop
from tests.functions.inside import Inside, Time
from tests.rollup import await_rolled_up

pytestmark = pytest.mark.usefixtures("engine")

PLATFORM = Principal(is_platform=True)


@pytest.fixture
def principal(shop: Shop) -> Principal:
    """The shop's own."""
    return Inside(shop.key).principal


def test_the_entries_of_an_unguarded_account_are_paged_newest_first(shop: Shop, principal: Principal) -> None:
    wallet = shop.wallet(1000)
    for number in range(5):
        assert shop.pay(str(number), wallet, 10 + number).status_code == 201
    name = f"merchant_pending:{shop.id}:GBP"

    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = actions.list_entries(principal, name, PageQuery(limit=2, cursor=cursor))
        found += page.data
        cursor, pages = page.next_cursor, pages + 1

    assert pages == 3
    assert [(entry.reference, entry.amount) for entry in found] == [(str(n), 10 + n) for n in (4, 3, 2, 1, 0)]
    assert {(entry.account, entry.direction) for entry in found} == {(name, "credit")}
    await_rolled_up(shop.platform)
    assert actions.get_account(principal, name).balance == sum(entry.amount for entry in found)


def test_a_page_that_is_just_full_is_the_last(shop: Shop, principal: Principal) -> None:
    wallet = shop.wallet(1000)
    for number in range(2):
        shop.pay(str(number), wallet, 10)
    page = actions.list_entries(principal, f"merchant_pending:{shop.id}:GBP", PageQuery(limit=2))
    assert (len(page.data), page.next_cursor) == (2, None)
    page = actions.list_entries(principal, f"wallet:{wallet}", PageQuery(limit=3))
    assert (len(page.data), page.next_cursor) == (3, None)


@pytest.mark.parametrize(
    "name",
    [
        "bank:GBP",
        "fees:GBP",
        "bank_in_transit:GBP",
        "acquirer_receivable:GBP",
        "merchant_available:mer_aaaaaaaaaaaaaaaaaaaaaaaa:GBP",
        "merchant_pending:mer_aaaaaaaaaaaaaaaaaaaaaaaa:GBP",
        "wallet:wal_aaaaaaaaaaaaaaaaaaaaaaaa",
        "merchant_pending:GBP",
        "nothing:GBP",
        "wallet:GBP",
        "bank:ZZZ",
    ],
)
def test_an_account_of_nobody_or_of_somebody_else_is_not_found(name: str, principal: Principal) -> None:
    with pytest.raises(NotFound):
        actions.get_account(principal, name)
    with pytest.raises(NotFound):
        actions.list_entries(principal, name, PageQuery())


def test_what_a_merchant_has_available_is_its_own_from_its_first_credit_on(
    shop: Shop, principal: Principal, new_shop: Callable[..., Shop]
) -> None:
    account = accounts.merchant_available(shop.id, "GBP")
    with pytest.raises(NotFound):
        actions.get_account(principal, str(account))
    moved = Posting(
        reason=Reason.NET_SETTLEMENT,
        source=accounts.merchant_pending(shop.id, "GBP"),
        target=account,
        amount=70,
        currency="GBP",
        operation=f"settlement of {shop.id}",
        at="2026-11-23T09:30:00.000000Z",
        reference="",
    )
    store.commit(*post(moved))
    shown = actions.get_account(principal, str(account))
    assert (shown.balance, shown.available, shown.held, shown.holder) == (70, 70, 0, shop.id)
    (entry,) = actions.list_entries(principal, str(account), PageQuery()).data
    assert actions.get_entry(principal, entry.id).amount == 70
    other = Inside(new_shop().key).principal
    with pytest.raises(NotFound):
        actions.get_account(other, str(account))
    with pytest.raises(NotFound):
        actions.list_entries(other, str(account), PageQuery())


@pytest.mark.parametrize("kind", ["merchant_pending:{0}:GBP", "fees:XOF", "bank:XOF", "bank_in_transit:XOF"])
def test_an_unguarded_account_that_never_moved_has_nothing(shop: Shop, kind: str) -> None:
    shown = actions.get_account(PLATFORM, kind.format(shop.id))
    assert (shown.balance, shown.available, shown.status) == (0, None, None)


@pytest.mark.parametrize("name", ["bank:ZZZ", "wallet:GBP", "wallet:wal_aaaaaaaaaaaaaaaaaaaaaaaa"])
def test_what_is_no_account_is_not_found_by_the_platform_either(name: str) -> None:
    with pytest.raises(NotFound):
        actions.get_account(PLATFORM, name)


def test_a_cursor_from_elsewhere_is_refused(shop: Shop, principal: Principal) -> None:
    wallet = shop.wallet(10)
    shop.deposit(wallet, 10)
    cursor = actions.list_entries(principal, f"wallet:{wallet}", PageQuery(limit=1)).next_cursor
    with pytest.raises(ValidationFailed):
        actions.list_entries(principal, f"merchant_pending:{shop.id}:GBP", PageQuery(cursor=cursor))


def test_every_entry_that_a_list_shows_can_be_read_by_its_id(shop: Shop, principal: Principal) -> None:
    wallet = shop.wallet(1000)
    shop.pay("1", wallet, 10)
    for name in (f"wallet:{wallet}", f"merchant_pending:{shop.id}:GBP"):
        for entry in actions.list_entries(principal, name, PageQuery()).data:
            assert actions.get_entry(principal, entry.id).posting == entry.posting


def test_a_merchant_can_read_the_entry_that_credits_it_from_a_wallet_of_another_holder(
    shop: Shop, principal: Principal
) -> None:
    opened = shop.platform.post(
        "/v1/wallets",
        json={"owner": "customer", "currency": "GBP"},
        headers={"Idempotency-Key": f"for {shop.id}"},
    )
    wallet = opened.json()["id"]
    shop.deposit(wallet, 1000)
    body = {"amount": 10, "currency": "GBP", "source": {"wallet": wallet}}
    paid = shop.platform.post("/v1/payments/1", json=body, headers={"Tael-Merchant": shop.id})
    assert paid.status_code == 201
    (entry,) = actions.list_entries(principal, f"merchant_pending:{shop.id}:GBP", PageQuery()).data
    assert [entry.id] == paid.json()["entries"]
    assert actions.get_entry(principal, entry.id).amount == 10


@pytest.mark.parametrize("entry_id", ["ent_", "ent_xxxx", "ent_WzFd", "nothing"])
def test_an_id_that_no_entry_has_is_not_found(entry_id: str, principal: Principal) -> None:
    with pytest.raises(NotFound):
        actions.get_entry(principal, entry_id)


def test_a_ledger_that_takes_too_long_to_read_is_unavailable(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.wallet(10)
    time = Time(monkeypatch)
    whole = journal.whole_ledger

    def slow() -> Iterator[Item]:
        for item in whole():
            clock.sleep(actions.SCAN_SECONDS)
            yield item

    monkeypatch.setattr(journal, "whole_ledger", slow)
    with pytest.raises(Unavailable, match="too large"):
        actions.trial_balance(TrialBalanceQuery(source="journal"))
    assert time.naps == 2
