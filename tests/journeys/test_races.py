"""Where requests for a payment or a wallet exclude each other, one wins and the books are right."""

from collections import Counter
from functools import partial
from typing import Any

import httpx
import pytest

from functions.payments import app as payments
from local.system import System
from runtime.schedules import scheduled_event
from tests.conftest import Shop, new_key
from tests.functions.inside import days_later
from tests.journeys.together import codes, everything, together

pytestmark = pytest.mark.usefixtures("money_is_neither_made_nor_lost")

ROUNDS = 8
TWINS = 20


def outcome(answer: httpx.Response) -> tuple[int, str | None]:
    """Status, and a problem's code."""
    return answer.status_code, answer.json().get("code")


def replays(answers: list[httpx.Response]) -> Counter[bool]:
    return Counter("Idempotent-Replayed" in answer.headers for answer in answers)


DONE, CONFLICT = (200, None), (409, "conflict")


def test_of_capture_and_cancel_one_wins(shop: Shop) -> None:
    wallet = shop.wallet(100 * ROUNDS)
    taken = 0
    for number in range(ROUNDS):
        order = str(number)
        shop.authorize(order, wallet, 100)
        captured, canceled = together([partial(shop.capture, order), partial(shop.cancel, order)])
        assert sorted([outcome(captured), outcome(canceled)], key=str) == [DONE, CONFLICT]
        won = "captured" if captured.status_code == 200 else "canceled"
        assert shop.payment(order)["status"] == won
        taken += shop.payment(order)["captured"]
        assert taken == 100 * sum(p["status"] == "captured" for p in everything(shop, "/v1/payments"))
        assert shop.balance(wallet) == (100 * ROUNDS - taken, 0)


def test_of_partial_captures_of_different_amounts_one_wins(shop: Shop) -> None:
    wallet = shop.wallet(100)
    left = 100
    for number in range(ROUNDS):
        order = str(number)
        shop.authorize(order, wallet, left)
        amounts = (1, 2, 3, 4)
        answers = together([partial(shop.capture, order, amount) for amount in amounts])
        assert Counter(map(outcome, answers)) == {DONE: 1, CONFLICT: 3}
        (captured,) = (answer.json()["captured"] for answer in answers if answer.status_code == 200)
        left -= captured
        assert shop.balance(wallet) == (left, 0)


def test_of_capture_and_expiry_one_wins(shop: Shop, engine: System, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [str(number) for number in range(ROUNDS)]
    wallet = shop.wallet(100 * len(orders))
    for order in orders:
        shop.authorize(order, wallet, 100)
    # This process is eight days ahead: to its expiry the holds are over, to the server they are not.
    days_later(monkeypatch, 8)
    calls: list[Any] = [partial(shop.capture, order) for order in orders]
    *answers, _ = together([*calls, lambda: payments.expire(scheduled_event(), None)])
    for order, answer in zip(orders, answers, strict=True):
        payment = shop.payment(order)
        if payment["status"] == "captured":
            assert outcome(answer) == DONE
        else:
            assert outcome(answer) == CONFLICT
            assert (payment["status"], payment["cancellation_reason"]) == ("canceled", "expired")
    taken = 100 * codes(answers)[200]
    assert shop.balance(wallet) == (100 * len(orders) - taken, 0)


def test_two_refunds_that_together_exceed_the_capture_are_one(shop: Shop) -> None:
    wallet = shop.wallet(100 * ROUNDS)
    for number in range(ROUNDS):
        order = str(number)
        shop.pay(order, wallet, 100)
        answers = together([partial(shop.refund, order, 60) for _ in range(2)])
        expected = {(201, None): 1, (409, "refund_exceeds_capture"): 1}
        assert Counter(map(outcome, answers)) == expected
        payment = shop.payment(order)
        assert (payment["status"], payment["refunded"]) == ("partially_refunded", 60)
    assert shop.balance(wallet) == (60 * ROUNDS, 0)


@pytest.mark.parametrize("amount", [60, None], ids=["a part", "all of it"])
def test_two_refunds_with_one_key_are_one_refund(shop: Shop, amount: int | None) -> None:
    wallet = shop.wallet(100 * ROUNDS)
    for number in range(ROUNDS):
        order = str(number)
        shop.pay(order, wallet, 100)
        answers = together([partial(shop.refund, order, amount, "key") for _ in range(2)])
        assert codes(answers) == {201: 2}
        assert answers[0].json() == answers[1].json()
        assert replays(answers) == {False: 1, True: 1}
        assert shop.payment(order)["refunded"] == (amount or 100)
    assert shop.balance(wallet) == ((amount or 100) * ROUNDS, 0)


@pytest.mark.parametrize("order", ["1", "2"])
def test_twenty_refunds_of_a_twentieth_are_all_made(shop: Shop, order: str) -> None:
    wallet = shop.wallet(1000)
    shop.pay(order, wallet, 1000)

    def refund(key: str) -> httpx.Response:
        while True:
            answer = shop.refund(order, 50, key)
            if outcome(answer) != (409, "in_progress"):
                return answer

    answers = together([partial(refund, f"key {number}") for number in range(TWINS)])
    assert codes(answers) == {201: TWINS}
    payment = shop.payment(order)
    assert (payment["status"], payment["refunded"], payment["refundable"]) == ("refunded", 1000, 0)
    refunds = list(everything(shop, f"/v1/payments/{order}/refunds"))
    assert sorted(r["id"] for r in refunds) == sorted(answer.json()["id"] for answer in answers)
    assert shop.balance(wallet) == (1000, 0)


def test_a_freeze_lets_a_payment_through_whole_or_not_at_all(shop: Shop) -> None:
    wallet = shop.wallet(100 * 4 * ROUNDS)
    left = 100 * 4 * ROUNDS
    for number in range(ROUNDS):
        orders = [f"{number}-{payment}" for payment in range(4)]
        pays: list[Any] = [partial(shop.pay, order, wallet, 100) for order in orders]
        *answers, frozen = together([*pays, partial(shop.become, wallet, "freeze")])
        assert outcome(frozen) == DONE
        assert {outcome(answer) for answer in answers} <= {(201, None), (409, "wallet_frozen")}
        left -= 100 * codes(answers)[201]
        assert shop.balance(wallet) == (left, 0)
        assert outcome(shop.pay(f"{number}-late", wallet, 100)) == (409, "wallet_frozen")
        assert shop.become(wallet, "unfreeze").json()["status"] == "active"


def test_of_closing_and_money_coming_in_one_wins(shop: Shop) -> None:
    source = shop.wallet(10 * ROUNDS)
    for _ in range(ROUNDS):
        wallet = shop.wallet()
        body = {"from_wallet": source, "to_wallet": wallet, "amount": 10, "currency": "GBP"}
        closed, sent = together(
            [
                partial(shop.become, wallet, "close"),
                partial(shop.http.post, "/v1/transfers", json=body, headers=new_key()),
            ]
        )
        won = (outcome(closed), outcome(sent))
        assert won in {(DONE, (409, "wallet_closed")), ((409, "wallet_not_empty"), (201, None))}
        assert shop.available(wallet) == (0 if closed.status_code == 200 else 10)


@pytest.mark.parametrize("verb", ["capture", "cancel"])
def test_twenty_identical_captures_or_cancellations_are_one(shop: Shop, verb: str) -> None:
    wallet = shop.wallet(100)
    shop.authorize("1", wallet, 100)
    answers = together([partial(getattr(shop, verb), "1")] * TWINS)
    assert codes(answers) == {200: TWINS}
    assert len({answer.text for answer in answers}) == 1
    assert replays(answers) == {False: 1, True: TWINS - 1}
    assert shop.balance(wallet) == ((0 if verb == "capture" else 100), 0)


@pytest.mark.parametrize("change", ["freeze", "close"])
def test_twenty_identical_changes_of_a_wallet_are_one(shop: Shop, change: str) -> None:
    wallet = shop.wallet()
    answers = together([partial(shop.become, wallet, change)] * TWINS)
    assert codes(answers) == {200: TWINS}
    assert replays(answers) == {False: 1, True: TWINS - 1}


def test_authorizations_never_hold_more_than_there_is(shop: Shop) -> None:
    wallet = shop.wallet(5 * 100)
    answers = together([partial(shop.authorize, str(order), wallet, 100) for order in range(TWINS)])
    assert codes(answers) == {201: 5, 402: TWINS - 5}
    assert shop.balance(wallet) == (0, 500)
