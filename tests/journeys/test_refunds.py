"""Captured money goes back whole or in parts, once for each key, and never more than was captured."""

import httpx
import pytest

from functions.payments.model import MAX_REFUNDS
from tests.conftest import Shop
from tests.journeys.answers import CONFLICT, problem, replayed

EXCEEDS = (409, "refund_exceeds_capture")


@pytest.fixture
def wallet(shop: Shop) -> str:
    """It paid 300 of its 1000 for order 1."""
    wallet = shop.wallet(1000)
    shop.pay("1", wallet, 300)
    return wallet


def status(shop: Shop) -> tuple[str, int, int]:
    payment = shop.payment("1")
    return payment["status"], payment["refunded"], payment["refundable"]


def test_a_refund_without_an_amount_is_of_all_that_is_left(shop: Shop, wallet: str) -> None:
    refund = shop.refund("1").json()
    assert (refund["amount"], refund["currency"], refund["status"]) == (300, "GBP", "succeeded")
    assert (refund["order_id"], refund["reason"]) == ("1", None)
    assert status(shop) == ("refunded", 300, 0)
    assert shop.balance(wallet) == (1000, 0)
    assert shop.pending() == 0
    assert shop.payment("1")["fee"] == 25
    entry = shop.http.get(f"/v1/ledger/entries/{refund['entry']}").json()
    assert (entry["reason"], entry["direction"], entry["amount"]) == ("refund", "credit", 300)


def test_a_payment_is_refunded_in_parts_until_nothing_is_left(shop: Shop, wallet: str) -> None:
    assert shop.refund("1", 100).json()["amount"] == 100
    assert status(shop) == ("partially_refunded", 100, 200)
    assert problem(shop.refund("1", 201)) == EXCEEDS
    assert shop.refund("1").json()["amount"] == 200
    assert status(shop) == ("refunded", 300, 0)
    for amount in (None, 1):
        assert problem(shop.refund("1", amount)) == CONFLICT
    assert shop.balance(wallet) == (1000, 0)


def test_a_partial_capture_is_refunded_up_to_what_was_captured(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    shop.authorize("1", wallet, 300)
    assert problem(shop.refund("1", 1)) == CONFLICT
    shop.capture("1", 200)
    assert problem(shop.refund("1", 201)) == EXCEEDS
    assert shop.refund("1").json()["amount"] == 200
    assert shop.balance(wallet) == (1000, 0)


def test_a_refund_is_replayed_even_when_nothing_is_left(shop: Shop, wallet: str) -> None:
    first = shop.refund("1", 100, key="one")
    assert replayed(shop.refund("1", 100, key="one"))
    assert not replayed(shop.refund("1", 200, key="two"))
    for amount, key in ((100, "one"), (200, "two")):
        again = shop.refund("1", amount, key=key)
        assert (again.status_code, replayed(again), again.json()["amount"]) == (201, True, amount)
    assert shop.refund("1", 100, key="one").json() == first.json()
    assert shop.balance(wallet) == (1000, 0)


@pytest.mark.parametrize("left", [200, 0], ids=["something is left", "nothing is left"])
def test_the_same_key_with_another_amount_is_a_mismatch(shop: Shop, wallet: str, left: int) -> None:
    shop.refund("1", 100, key="one")
    if left == 0:
        shop.refund("1", key="two")
    for amount in (99, 101, 500, None):
        assert problem(shop.refund("1", amount, key="one")) == (422, "idempotency_mismatch")
    assert shop.payment("1")["refundable"] == left


def test_a_refund_of_all_that_is_left_is_replayed_as_what_it_was(shop: Shop, wallet: str) -> None:
    shop.refund("1", 100)
    first = shop.refund("1", key="rest")
    again = shop.refund("1", key="rest")
    assert (first.json()["amount"], replayed(again)) == (200, True)
    assert first.json() == again.json()


def test_one_key_for_two_orders_is_two_refunds(shop: Shop, wallet: str) -> None:
    shop.pay("2", wallet, 300)
    made = [shop.refund(order, 100, key="one") for order in ("1", "2")]
    assert [replayed(answer) for answer in made] == [False, False]
    assert made[0].json()["id"] != made[1].json()["id"]


def test_refunds_are_listed_newest_first_page_by_page(shop: Shop, wallet: str) -> None:
    made = [shop.refund("1", amount).json() for amount in range(1, 6)]
    path = "/v1/payments/1/refunds"
    found, cursor = [], None
    for _ in range(3):
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = shop.http.get(path, params=query).json()
        found += page["data"]
        cursor = page["next_cursor"]
    assert cursor is None
    assert found == made[::-1]
    assert shop.http.get(path).json() == {"data": made[::-1], "next_cursor": None}
    assert [shop.http.get(f"{path}/{refund['id']}").json() for refund in made] == made


def test_a_payment_without_refunds_has_an_empty_list_and_an_order_without_a_payment_none(
    shop: Shop, wallet: str
) -> None:
    assert shop.http.get("/v1/payments/1/refunds").json() == {"data": [], "next_cursor": None}
    for path in ("/v1/payments/2/refunds", f"/v1/payments/1/refunds/ref_{'a' * 24}"):
        assert problem(shop.http.get(path)) == (404, "not_found")


def test_a_refund_is_found_under_its_own_order_alone(shop: Shop, wallet: str) -> None:
    shop.pay("2", wallet, 300)
    refund = shop.refund("1", 1).json()
    assert problem(shop.http.get(f"/v1/payments/2/refunds/{refund['id']}")) == (404, "not_found")


def test_a_payment_is_refunded_a_hundred_times_at_most(shop: Shop, wallet: str) -> None:
    for number in range(MAX_REFUNDS):
        assert shop.refund("1", 1, key=str(number)).status_code == 201
    assert problem(shop.refund("1", 1)) == CONFLICT
    assert replayed(shop.refund("1", 1, key="0"))
    assert status(shop) == ("partially_refunded", MAX_REFUNDS, 300 - MAX_REFUNDS)
    listed = shop.http.get("/v1/payments/1/refunds", params={"limit": 100}).json()
    assert (len(listed["data"]), listed["next_cursor"]) == (MAX_REFUNDS, None)


def deposited(shop: Shop, wallet: str) -> httpx.Response:
    body = {"amount": 1, "currency": "GBP", "reference": "line 1"}
    return shop.platform.post(f"/v1/wallets/{wallet}/deposits", json=body)


@pytest.mark.parametrize("end", ["freeze", "close"])
def test_a_refund_arrives_whatever_became_of_the_wallet(shop: Shop, end: str) -> None:
    wallet = shop.wallet(300)
    shop.pay("1", wallet, 300)
    ended = shop.become(wallet, end).json()["status"]
    assert deposited(shop, wallet).status_code == (409 if end == "close" else 201)
    before = shop.available(wallet)
    assert replayed(shop.refund("1", 100, key="one")) is False
    assert replayed(shop.refund("1", 100, key="one")) is True
    assert shop.refund("1").json()["amount"] == 200
    assert shop.available(wallet) == before + 300
    assert shop.http.get(f"/v1/wallets/{wallet}").json()["status"] == ended
