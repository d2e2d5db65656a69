"""A payment that is authorized first: captured all or in part, canceled, or expired, and then for good."""

from typing import Any

import pytest

from local.system import System
from tests.conftest import Shop, new_key
from tests.functions.inside import Inside, days_later
from tests.journeys.answers import CONFLICT, problem, replayed


def entries(shop: Shop, wallet: str) -> list[tuple[str, int]]:
    """Reason and amount of a wallet's entries, newest first."""
    found = shop.http.get(f"/v1/wallets/{wallet}/entries").json()["data"]
    return [(entry["reason"], entry["amount"]) for entry in found]


def test_an_authorization_holds_the_money_and_moves_none(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    payment = shop.authorize("1", wallet, 300).json()
    shown = {"status": "authorized", "capture": "manual", "captured": 0, "refundable": 0, "fee": 0}
    assert {name: payment[name] for name in shown} == shown
    assert payment["entries"] == []
    assert payment["created_at"] < payment["expires_at"]
    assert shop.balance(wallet) == (700, 300)
    assert entries(shop, wallet) == [("deposit", 1000)]
    assert shop.pending() == 0
    assert problem(shop.pay("2", wallet, 701)) == (402, "insufficient_funds")


@pytest.mark.parametrize(("asked", "captured"), [(None, 300), (300, 300), (299, 299), (1, 1)])
def test_a_capture_takes_what_it_names_and_releases_the_rest(
    shop: Shop, asked: int | None, captured: int
) -> None:
    wallet = shop.wallet(1000)
    authorized = shop.authorize("1", wallet, 300).json()
    payment = shop.capture("1", asked).json()
    assert (payment["status"], payment["captured"], payment["refundable"]) == ("captured", captured, captured)
    assert payment["amount"] == 300
    assert payment["fee"] == (captured * 150 + 5000) // 10000 + 20
    assert payment["expires_at"] == authorized["expires_at"]
    assert shop.balance(wallet) == (1000 - captured, 0)
    assert entries(shop, wallet)[0] == ("payment", captured)
    assert shop.pending() == captured
    assert len(payment["entries"]) == 1


def test_repeating_a_capture_changes_nothing_and_another_amount_is_a_conflict(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    shop.authorize("1", wallet, 300)
    first, again = shop.capture("1", 200), shop.capture("1", 200)
    assert (replayed(first), replayed(again)) == (False, True)
    assert first.json() == again.json()
    for other in (None, 199, 300):
        assert problem(shop.capture("1", other)) == CONFLICT
    assert problem(shop.cancel("1")) == CONFLICT
    assert shop.balance(wallet) == (800, 0)
    shop.refund("1", 50)
    assert shop.capture("1", 200).json() == shop.payment("1")


def test_a_capture_of_more_than_was_authorized_is_pointed_at(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    shop.authorize("1", wallet, 300)
    refused = shop.capture("1", 301)
    assert problem(refused) == (422, "validation_failed")
    assert refused.json()["errors"][0]["pointer"] == "/amount"
    assert shop.balance(wallet) == (700, 300)


def test_an_automatic_payment_is_captured_already(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    paid = shop.pay("1", wallet, 300)
    assert replayed(shop.capture("1"))
    assert shop.capture("1", 300).json() == paid.json()
    assert problem(shop.capture("1", 299)) == CONFLICT
    assert problem(shop.cancel("1")) == CONFLICT


def test_a_canceled_authorization_gives_everything_back_and_is_over(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    shop.authorize("1", wallet, 300, headers={"Idempotency-Key": "one"})
    first, again = shop.cancel("1"), shop.cancel("1")
    assert (replayed(first), replayed(again)) == (False, True)
    assert first.json() == again.json()
    assert (first.json()["status"], first.json()["cancellation_reason"]) == ("canceled", "requested")
    assert shop.balance(wallet) == (1000, 0)
    assert entries(shop, wallet) == [("deposit", 1000)]
    for answer in (shop.capture("1"), shop.refund("1"), shop.authorize("1", wallet, 300, headers=new_key())):
        assert problem(answer) == CONFLICT
    replay = shop.authorize("1", wallet, 300, headers={"Idempotency-Key": "one"})
    assert (replay.status_code, replay.json()["status"], replayed(replay)) == (201, "canceled", True)


def test_an_authorization_is_replayed_as_a_payment_is(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    key = {"Idempotency-Key": "one"}
    first, again = (shop.authorize("1", wallet, 300, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code, replayed(again)) == (201, 201, True)
    same = shop.authorize("1", wallet, 300, headers=new_key())
    assert (same.status_code, replayed(same)) == (200, True)
    assert problem(shop.pay("1", wallet, 300, headers=key)) == (422, "idempotency_mismatch")
    assert problem(shop.pay("1", wallet, 300, headers=new_key())) == CONFLICT
    assert shop.balance(wallet) == (700, 300)


def test_a_refused_authorization_is_stored_and_its_mode_is_fixed(shop: Shop) -> None:
    wallet = shop.wallet(100)
    refused, again = (shop.authorize("1", wallet, 300) for _ in range(2))
    assert problem(refused) == problem(again) == (402, "insufficient_funds")
    payment = shop.payment("1")
    assert (payment["status"], payment["expires_at"]) == ("failed", None)
    for answer in (shop.capture("1"), shop.cancel("1"), shop.refund("1")):
        assert problem(answer) == CONFLICT
    shop.deposit(wallet, 500)
    assert problem(shop.pay("1", wallet, 300, headers=new_key())) == CONFLICT
    assert shop.authorize("1", wallet, 300, headers=new_key()).json()["status"] == "authorized"
    assert shop.balance(wallet) == (300, 300)


@pytest.mark.parametrize("mode", ["manual", "automatic"])
def test_what_was_refused_is_captured_neither_from_anothers_hold_nor_from_new_money(
    shop: Shop, mode: str
) -> None:
    wallet = shop.wallet(300)
    shop.authorize("held", wallet, 300)
    assert problem(shop.pay("refused", wallet, 300, capture=mode)) == (402, "insufficient_funds")
    assert problem(shop.capture("refused")) == CONFLICT
    shop.deposit(wallet, 1000)
    assert problem(shop.capture("refused")) == CONFLICT
    assert shop.balance(wallet) == (1000, 300)
    assert shop.payment("refused")["status"] == "failed"


@pytest.mark.parametrize("call", ["capture", "cancel", "refund"])
def test_an_order_without_a_payment_is_not_found(shop: Shop, call: str) -> None:
    assert problem(getattr(shop, call)("1")) == (404, "not_found")


def test_payments_are_listed_by_each_status(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    for order, verbs in {
        "authorized": (),
        "captured": (shop.capture,),
        "canceled": (shop.cancel,),
        "refunded": (shop.capture, shop.refund),
    }.items():
        shop.authorize(order, wallet, 10)
        for verb in verbs:
            verb(order)
    shop.pay("partially_refunded", wallet, 10)
    shop.refund("partially_refunded", 9)
    shop.pay("failed", wallet, 10_000)
    statuses = [
        "authorized",
        "captured",
        "canceled",
        "refunded",
        "partially_refunded",
        "failed",
    ]
    for status in statuses:
        found = shop.http.get("/v1/payments", params={"status": status}).json()["data"]
        assert [payment["order_id"] for payment in found] == [status]


@pytest.mark.parametrize(
    ("days", "status", "code"), [(6.99, 200, None), (7, 409, "authorization_expired"), (70, 409, None)]
)
def test_an_authorization_is_captured_within_seven_days(
    shop: Shop,
    engine: System,
    monkeypatch: pytest.MonkeyPatch,
    *,
    days: float,
    status: int,
    code: Any,
) -> None:
    wallet = shop.wallet(1000)
    shop.authorize("1", wallet, 300)
    caller = Inside(shop.key)
    days_later(monkeypatch, days)
    captured = caller("POST", "/v1/payments/1/capture")
    assert captured.status == status
    assert code in {None, captured.code}
    assert shop.balance(wallet) == ((700, 0) if status == 200 else (700, 300))
    if status == 409:  # the expiry has not come by yet: what is over can still be canceled
        assert caller("POST", "/v1/payments/1/cancel").body["status"] == "canceled"
        assert shop.balance(wallet) == (1000, 0)
