"""Paying an order: what it costs the storage, and what comes of storage that fails midway."""

import contextlib
from collections.abc import Callable

import pytest

from chassis import observe, store
from chassis.errors import InProgress, InsufficientFunds
from chassis.observe import Meter
from chassis.operations import Reply
from chassis.writes import Exists, Write
from functions.payments import actions, table
from functions.payments.shapes import NewPayment, Payment, Status, WalletSource
from tests.conftest import Shop
from tests.functions.inside import Faulty, Inside, Time, conflict, everything, lost

pytestmark = pytest.mark.usefixtures("engine")


def pay(shop: Shop, wallet: str, amount: int = 1000, order: str = "1", key: str = "key") -> Reply[Payment]:
    caller = Inside(shop.key)
    new = NewPayment(amount=amount, currency="GBP", source=WalletSource(wallet=wallet))
    intent = caller.intent(f"POST /v1/payments/{order}", key, asked=new.model_dump_json())
    return actions.pay(caller.principal, intent, order, new)


def metered(work: Callable[[], object]) -> Meter:
    with observe.metered() as counted, contextlib.suppress(InsufficientFunds):
        work()
    return counted


def test_a_wallet_payment_costs_seven_units_in_one_call(shop: Shop) -> None:
    wallet = shop.wallet(5000)
    cold = metered(lambda: pay(shop, wallet, order="1"))
    warm = metered(lambda: pay(shop, wallet, order="2"))
    assert (cold.write_units, cold.write_calls, cold.read_calls) == (7, 1, 1)
    assert (warm.write_units, warm.write_calls, warm.read_calls) == (7, 1, 0)


def test_a_refused_payment_is_two_write_calls_and_no_read(shop: Shop) -> None:
    wallet = shop.wallet()
    metered(lambda: Inside(shop.key).principal)
    counted = metered(lambda: pay(shop, wallet))
    assert (counted.write_calls, counted.read_calls) == (2, 0)
    # The refused transaction at full price, then the payment and its index entry.
    assert counted.write_units == 2 * 3 + 2


def test_a_new_attempt_after_a_refusal_reads_nothing_either(shop: Shop) -> None:
    wallet = shop.wallet()
    metered(lambda: pay(shop, wallet))
    shop.deposit(wallet, 1000)
    counted = metered(lambda: pay(shop, wallet, key="another"))
    # What stands in its way comes with the first refusal; the second call replaces it.
    assert (counted.write_calls, counted.read_calls) == (2, 0)


@pytest.mark.parametrize("balance", [1000, 0], ids=["success", "refusal"])
def test_a_replay_is_one_write_call_and_no_read(shop: Shop, balance: int) -> None:
    wallet = shop.wallet(balance)
    metered(lambda: pay(shop, wallet))
    counted = metered(lambda: pay(shop, wallet))
    assert (counted.write_calls, counted.read_calls) == (1, 0)
    assert counted.write_units == 2 * 3


def test_conflicts_are_retried_to_success(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    wallet = shop.wallet(1000)
    time = Time(monkeypatch)
    client = Faulty(monkeypatch, conflict, conflict, conflict)
    answer = Inside(shop.key).pay("1", wallet, 1000)
    assert (answer.status, answer.body["status"]) == (201, "captured")
    assert (len(client.written), time.naps) == (4, 3)
    assert len({call["ClientRequestToken"] for call in client.written}) == 1
    assert shop.available(wallet) == 0


def test_conflicts_past_the_deadline_are_503_with_nothing_written(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = shop.wallet(1000)
    before = everything()
    with monkeypatch.context() as patched:
        time = Time(patched)
        started = time.seconds
        Faulty(patched, for_ever=conflict)
        answer = Inside(shop.key).pay("1", wallet, 1000, idempotency_key="key")
        assert 1 < time.seconds - started <= store.DEADLINE_SECONDS
    assert (answer.status, answer.code) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert everything() == before
    again = Inside(shop.key).pay("1", wallet, 1000, idempotency_key="key")
    assert (again.status, again.is_replay) == (201, False)


def test_a_committed_payment_whose_answer_is_lost_succeeds_with_one_effect(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = shop.wallet(5000)
    Time(monkeypatch)
    client = Faulty(monkeypatch, lost, lost)
    answer = Inside(shop.key).pay("1", wallet, 1000)
    assert (answer.status, answer.body["status"], answer.is_replay) == (201, "captured", False)
    assert len(client.written) == 3
    assert shop.available(wallet) == 4000
    assert len(shop.http.get(f"/v1/wallets/{wallet}/entries").json()["data"]) == 2


def test_a_stored_refusal_whose_answer_is_lost_is_refused_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = shop.wallet()
    Time(monkeypatch)
    # The transaction's refusal is heard; of the put that stores it the first two answers are lost.
    client = Faulty(monkeypatch, lambda method, parameters: method(**parameters), lost, lost)
    answer = Inside(shop.key).pay("1", wallet, 1000)
    assert (answer.status, answer.code, answer.is_replay) == (402, "insufficient_funds", False)
    assert len(client.written) == 4
    assert len(shop.http.get("/v1/payments/1").json()["attempts"]) == 1


def test_a_payment_that_was_made_though_it_was_answered_503_is_found_by_its_retry(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = shop.wallet(5000)
    with monkeypatch.context() as patched:
        Time(patched)
        Faulty(patched, for_ever=lost)
        assert Inside(shop.key).pay("1", wallet, 1000, idempotency_key="key").status == 503
    again = Inside(shop.key).pay("1", wallet, 1000, idempotency_key="key")
    assert (again.status, again.body["status"], again.is_replay) == (201, "captured", True)
    assert shop.available(wallet) == 4000


def test_a_refusal_gives_way_to_a_twin_that_was_luckier(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    wallet = shop.wallet()
    commit = store.commit

    def money_arrives_in_between(*writes: Write) -> None:
        if len(writes) == 1:
            monkeypatch.undo()
            shop.deposit(wallet, 1000)
            pay(shop, wallet)
        commit(*writes)

    monkeypatch.setattr(store, "commit", money_arrives_in_between)
    answer = pay(shop, wallet)
    assert (answer.resource.status, answer.replayed) == (Status.CAPTURED, True)
    assert shop.available(wallet) == 0


def test_an_order_that_others_keep_changing_is_in_progress(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = shop.wallet()
    metered(lambda: pay(shop, wallet))
    stored = table.payment(shop.id, "1")
    assert stored

    def overtaken(*writes: Write) -> None:
        raise Exists(table.save(stored).item)

    monkeypatch.setattr(store, "commit", overtaken)
    with pytest.raises(InProgress):
        pay(shop, wallet, key="another")
