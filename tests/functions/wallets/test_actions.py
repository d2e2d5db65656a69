"""Wallets, deposits and transfers: what they cost the storage, and what comes of storage that fails."""

import uuid
from collections.abc import Callable
from functools import partial

import pytest

from chassis import observe, store
from chassis.errors import InsufficientFunds
from chassis.observe import Meter
from chassis.writes import Exists, update
from functions.wallets import actions
from functions.wallets.model import NewDeposit, NewTransfer, NewWallet
from ledger import accounts, balances
from ledger.accounts import BalanceLimit
from tests.conftest import Shop
from tests.functions.inside import Answer, Faulty, Inside, Time, conflict, everything, lost

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def caller(shop: Shop) -> Inside:
    """The shop, known to this process already."""
    inside = Inside(shop.key)
    inside.principal  # noqa: B018 - it reads the key, once
    return inside


def transfer(caller: Inside, source: str, target: str, amount: int, key: str) -> Callable[[], object]:
    new = NewTransfer(from_wallet=source, to_wallet=target, amount=amount, currency="GBP")
    intent = caller.intent("POST /v1/transfers", key)
    return lambda: actions.transfer(caller.principal, intent, new)


def send(caller: Inside, source: str, target: str, amount: int, key: str) -> Answer:
    body = {"from_wallet": source, "to_wallet": target, "amount": amount, "currency": "GBP"}
    return caller("POST", "/v1/transfers", body, idempotency_key=key)


def cost(work: Callable[[], object]) -> tuple[float, int, int]:
    """Write units, write calls and read calls."""
    counted: Meter
    with observe.metered() as counted:
        work()
    return counted.write_units, counted.write_calls, counted.read_calls


def refused(work: Callable[[], object]) -> None:
    with pytest.raises(InsufficientFunds):
        work()


def test_opening_a_wallet_is_one_write_call_and_no_read(caller: Inside) -> None:
    intent = caller.intent("POST /v1/wallets", "key")
    new = NewWallet(owner="customer", currency="GBP")
    # Record, its index entry, and the account.
    assert cost(lambda: actions.open_wallet(caller.principal, intent, new)) == (2 * 2 + 1, 1, 0)


def test_a_deposit_is_one_write_call_and_no_read_and_so_is_its_replay(shop: Shop) -> None:
    wallet = shop.wallet()
    new = NewDeposit(amount=1000, currency="GBP", reference="line 1")
    # Record, balance and entry; a deposit is in no list.
    assert cost(lambda: actions.deposit(wallet, new)) == (2 * 3, 1, 0)
    assert cost(lambda: actions.deposit(wallet, new)) == (2 * 3, 1, 0)
    assert shop.available(wallet) == 1000


def test_a_transfer_costs_eleven_units_in_one_call_and_so_does_its_replay(shop: Shop, caller: Inside) -> None:
    source, target = shop.wallet(5000), shop.wallet()
    # Record, two balances and two entries, and the index entry of the record.
    assert cost(transfer(caller, source, target, 1000, "key")) == (2 * 5 + 1, 1, 0)
    assert cost(transfer(caller, source, target, 1000, "key")) == (2 * 5, 1, 0)


def test_a_refused_transfer_is_two_write_calls_and_its_replay_one(shop: Shop, caller: Inside) -> None:
    make = transfer(caller, shop.wallet(), shop.wallet(), 1000, "key")
    assert cost(lambda: refused(make)) == (2 * 5 + 2, 2, 0)
    assert cost(lambda: refused(make)) == (2 * 5, 1, 0)


def test_a_change_of_status_costs_one_unit_and_a_read_of_what_is_shown(shop: Shop, caller: Inside) -> None:
    wallet = shop.wallet()
    for change in (actions.freeze, actions.unfreeze, actions.close):
        assert cost(partial(change, caller.principal, wallet)) == (1, 1, 1)
        assert cost(partial(change, caller.principal, wallet)) == (1, 1, 1)


@pytest.mark.parametrize("change", ["freeze", "close"])
def test_a_change_of_status_whose_answer_is_lost_is_made(
    shop: Shop, caller: Inside, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    wallet = shop.wallet()
    Time(monkeypatch)
    Faulty(monkeypatch, lost, lost)
    answer = caller("POST", f"/v1/wallets/{wallet}/{change}")
    assert (answer.status, answer.is_replay) == (200, False)
    assert shop.become(wallet, change).json() == answer.body


def test_conflicts_are_retried_to_success(
    shop: Shop, caller: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = shop.wallet(1000), shop.wallet()
    Time(monkeypatch)
    Faulty(monkeypatch, conflict, conflict)
    assert send(caller, source, target, 1000, "key").status == 201
    assert (shop.available(source), shop.available(target)) == (0, 1000)


def test_conflicts_past_the_deadline_are_503_with_nothing_written(
    shop: Shop, caller: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = shop.wallet(1000), shop.wallet()
    before = everything()
    with monkeypatch.context() as patched:
        Time(patched)
        Faulty(patched, for_ever=conflict)
        assert send(caller, source, target, 1000, "key").status == 503
    assert everything() == before


def test_a_transfer_whose_answer_is_lost_is_made_once(
    shop: Shop, caller: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = shop.wallet(5000), shop.wallet()
    Time(monkeypatch)
    Faulty(monkeypatch, lost, lost)
    answer = send(caller, source, target, 1000, "key")
    assert (answer.status, answer.is_replay) == (201, False)
    assert (shop.available(source), shop.available(target)) == (4000, 1000)


def test_a_refused_transfer_whose_answers_are_lost_is_refused_once(
    shop: Shop, caller: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = shop.wallet(), shop.wallet()
    Time(monkeypatch)
    client = Faulty(monkeypatch, lost, lambda method, parameters: method(**parameters), lost, lost)
    answer = send(caller, source, target, 1000, "key")
    assert (answer.status, answer.is_replay, len(client.written)) == (402, False, 5)
    assert len(shop.http.get("/v1/transfers").json()["data"]) == 1


def test_a_deposit_whose_answer_is_lost_is_credited_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    wallet = shop.wallet()
    Time(monkeypatch)
    Faulty(monkeypatch, lost)
    new = NewDeposit(amount=1000, currency="GBP", reference=str(uuid.uuid4()))
    assert not actions.deposit(wallet, new).replayed
    assert actions.deposit(wallet, new).replayed
    assert shop.available(wallet) == 1000


def test_a_wallet_whose_answer_is_lost_is_opened_once(
    shop: Shop, caller: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    Time(monkeypatch)
    Faulty(monkeypatch, lost)
    body = {"owner": "customer", "currency": "GBP"}
    answers = [caller("POST", "/v1/wallets", body, idempotency_key="key") for _ in range(2)]
    assert [(answer.status, answer.is_replay) for answer in answers] == [(201, False), (201, True)]
    assert answers[0].body == answers[1].body
    assert len(shop.http.get("/v1/wallets").json()["data"]) == 1


def test_no_wallet_holds_more_than_the_limit(
    shop: Shop, caller: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet, other = shop.wallet(900), shop.wallet(500)
    monkeypatch.setattr(balances, "MAX_BALANCE", 1000)
    assert send(caller, other, wallet, 100, "just fits").status == 201
    too_much = send(caller, other, wallet, 1, "a penny more")
    assert (too_much.status, too_much.code) == (409, "balance_limit")
    with pytest.raises(BalanceLimit):
        actions.deposit(wallet, NewDeposit(amount=1, currency="GBP", reference="a penny more"))
    assert (shop.available(wallet), shop.available(other)) == (1000, 400)


@pytest.mark.parametrize(("status", "code"), [("frozen", "wallet_frozen"), ("closed", "wallet_closed")])
def test_a_wallet_that_is_not_active_gives_nothing(
    shop: Shop, caller: Inside, status: str, code: str
) -> None:
    wallet, other = shop.wallet(900), shop.wallet(900)
    become(wallet, status)
    for answer in (send(caller, wallet, other, 100, "key"), caller.pay("1", wallet, 5000)):
        assert (answer.status, answer.code) == (409, code)
    # A frozen wallet may still receive.
    assert send(caller, other, wallet, 100, "back").status == (201 if status == "frozen" else 409)
    assert shop.http.get("/v1/wallets", params={"status": status}).json()["data"][0]["id"] == wallet
    become(wallet, "active")
    # The refusal was about the wallet's state then, so the same key may succeed now.
    assert send(caller, wallet, other, 100, "key").status == 201


def become(wallet: str, status: str) -> None:
    """Freezing and closing have no operation of their own yet."""
    store.commit(
        update(accounts.TABLE, accounts.wallet(wallet).key, refused=Exists, assign={"status": status})
    )
