"""Whatever a bad day at the acquirer makes of an answer, the caller hears in time, and it ends right."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from acquiring.acquirer import Approved, Card, DeclineCode, Declined, connector
from functions.payments import resolution
from functions.payments import table as payments
from local.acquirer.deck import BY_NAME
from local.system import System
from tests.conftest import new_key
from tests.journeys.reconciling import await_settled, reconcile, statement, stored_payments
from tests.journeys.till import TOTAL_SECONDS, Till
from tests.journeys.together import together

SMALL_SECONDS = 1.8
"""What a busy machine of two cores may need beside the acquirer's time, for thirty requests at once."""

CHARGED, LOST, FAILED = (202, "captured"), (202, "failed"), (402, "failed")
EXPECTED = {
    "approves": (201, "captured"),
    "do_not_honor": FAILED,
    "insufficient_funds": FAILED,
    "lost_card": FAILED,
    "stolen_card": FAILED,
    "expired_card": FAILED,
    "suspected_fraud": FAILED,
    "processing_error": FAILED,
    "charged_silently": CHARGED,
    "silent": LOST,
    "connection_cut": (201, "captured"),
    "slow": CHARGED,
    "errors_twice": (201, "captured"),
    "errors": LOST,
    "late": LOST,
}
"""Test card -> what the first answer's status is, and how a payment ends."""
TOPUP_ENDS = {"captured": "succeeded", "failed": "failed"}


class Timed:
    """A call, and how long it took."""

    def __init__(self, call: Callable[[], httpx.Response]) -> None:
        started = time.monotonic()
        self.answer = call()
        self.seconds = time.monotonic() - started


def all_at_once(calls: list[Callable[[], httpx.Response]]) -> list[httpx.Response]:
    """The answers, each of which came in time."""
    timed = together([partial(Timed, call) for call in calls])
    assert max(one.seconds for one in timed) <= TOTAL_SECONDS + SMALL_SECONDS
    return [one.answer for one in timed]


def test_each_test_card_ends_as_it_is_documented(
    till: Till, hasty_engine: System, operator: httpx.Client
) -> None:
    cards = {name: till.card(name) for name in EXPECTED}
    wallets = {name: till.shop.wallet() for name in EXPECTED}
    pays = [partial(till.pay, name, card, key="pay") for name, card in cards.items()]
    top_ups = [partial(till.top_up, wallets[name], card, key=f"t {name}") for name, card in cards.items()]
    answers = all_at_once([*pays, *top_ups])
    await_settled()
    for name, paid, topped_up in zip(EXPECTED, answers, answers[len(EXPECTED) :], strict=False):
        expected, ends = EXPECTED[name]
        assert (paid.status_code, topped_up.status_code) == (expected, expected), (name, paid.text)
        if expected == 202:
            assert (paid.json()["status"], topped_up.json()["status"]) == ("processing", "processing")
            assert till.topup(topped_up.json()["id"])["status"] == TOPUP_ENDS[ends]
        if expected == 402:
            assert (paid.json()["decline_code"], topped_up.json()["decline_code"]) == (name, name)
        assert till.shop.payment(name)["status"] == ends, name
        assert till.shop.available(wallets[name]) == (1000 if ends == "captured" else 0)
        # Whoever repeats it hears how it ended.
        paid_again = till.pay(name, cards[name], key="pay")
        for again in (paid_again, till.top_up(wallets[name], cards[name], key=f"t {name}")):
            assert again.status_code == (201 if ends == "captured" else 402), (name, again.text)
            assert again.headers["Idempotent-Replayed"] == "true"
    reconcile(hasty_engine, operator)
    late_failures(till)


def late_failures(till: Till) -> None:
    """What failed because its answer was lost is refused, should it arrive after all."""
    mine = {p.order_id: p for p in stored_payments() if p.merchant_id == till.shop.id}
    for name in ("silent", "errors", "late"):
        attempt, number = mine[name].latest.attempt_id, BY_NAME["approves"].number
        card = Card(number, exp_month=12, exp_year=2030, brand="visa", last4=number[-4:])
        refused = connector().authorize(attempt, card, 1000, "GBP", capture=True)
        assert refused == Declined(DeclineCode.PROCESSING_ERROR)


def test_after_a_failure_nobody_knows_of_another_card_pays(
    till: Till, hasty_engine: System, operator: httpx.Client
) -> None:
    assert till.pay("1", till.card("late"), key="first").status_code == 202
    busy = till.pay("1", till.card(), key="second")
    assert till.problem(busy) == (409, "in_progress")
    await_settled()
    paid = till.pay("1", till.card(), key="second")
    assert (paid.status_code, paid.json()["status"]) == (201, "captured")
    assert [attempt["outcome"] for attempt in paid.json()["attempts"]] == ["failed", "captured"]
    assert till.problem(till.pay("1", till.card("late"), key="first")) == (402, "card_declined")
    reconcile(hasty_engine, operator)


def ended(till: Till, order: str) -> dict[str, Any]:
    payment = till.shop.payment(order)
    return {name: payment[name] for name in ("status", "captured", "refunded", "failure_code")}


def test_what_follows_an_authorization_ends_right_too(
    till: Till, hasty_engine: System, operator: httpx.Client
) -> None:
    for name in ("capture_silent", "capture_declined"):
        assert till.authorize(name, till.card(name)).status_code == 201
    for name in ("refund_silent", "refund_declined"):
        assert till.pay(name, till.card(name)).status_code == 201
    assert till.authorize("part", till.card("capture_silent")).status_code == 201
    key = new_key()["Idempotency-Key"]
    captured, part, declined, refunded, unrefunded = all_at_once(
        [
            partial(till.shop.capture, "capture_silent"),
            partial(till.shop.capture, "part", 1),
            partial(till.shop.capture, "capture_declined"),
            partial(till.shop.refund, "refund_silent", 300, key),
            partial(till.shop.refund, "refund_declined", 300),
        ]
    )
    for unknown in (captured, part, refunded):
        assert unknown.status_code == 202, unknown.text
    assert till.problem(declined) == (402, "card_declined")
    assert (unrefunded.status_code, unrefunded.json()["status"]) == (201, "failed")
    for busy in (till.shop.capture("capture_silent"), till.shop.cancel("part")):
        assert till.problem(busy) == (409, "in_progress")
    assert till.shop.payment("refund_silent")["refundable"] == 700

    await_settled()
    done = {"status": "captured", "captured": 1000, "refunded": 0, "failure_code": None}
    assert ended(till, "capture_silent") == done
    assert (ended(till, "part")["status"], ended(till, "part")["captured"]) == ("captured", 1)
    assert ended(till, "capture_declined")["failure_code"] == "processing_error"
    assert till.refund_status("refund_silent", refunded.json()["id"]) == "succeeded"
    assert ended(till, "refund_silent")["refunded"] == 300
    assert till.shop.payment("refund_declined")["refundable"] == 1000
    again = till.shop.refund("refund_silent", 300, key)
    assert (again.status_code, again.json()["status"]) == (201, "succeeded")
    # A capture that was declined may be tried again, or given up.
    assert till.shop.cancel("capture_declined").json()["status"] == "canceled"
    reconcile(hasty_engine, operator)


def test_a_void_whose_answer_is_lost_again_and_again_is_found_in_the_book(
    till: Till, hasty_engine: System, operator: httpx.Client
) -> None:
    assert till.authorize("1", till.card("void_silent")).status_code == 201
    (canceled,) = all_at_once([partial(till.shop.cancel, "1")])
    assert (canceled.status_code, canceled.json()["status"]) == (202, "authorized")
    assert till.problem(till.shop.cancel("1")) == (409, "in_progress")
    try:
        await_settled(8)
    finally:  # the others in this system are not to wait for it
        stored = payments.payment(till.shop.id, "1")
        assert stored is not None
        resolution.concluded(stored, Approved())
    assert till.shop.payment("1")["status"] == "canceled"
    assert till.shop.cancel("1").status_code == 200
    reconcile(hasty_engine, operator)


def test_a_card_that_cannot_be_verified_is_kept_by_nobody(till: Till) -> None:
    silent, wrong, third = (
        Timed(partial(till.keep, name)) for name in ("verify_silent", "incorrect_cvc", "verify_errors_twice")
    )
    assert till.problem(silent.answer) == (503, "unavailable")
    assert silent.seconds <= TOTAL_SECONDS + SMALL_SECONDS
    assert till.problem(wrong.answer) == (402, "card_declined")
    assert wrong.answer.json()["decline_code"] == "incorrect_cvc"
    assert third.answer.status_code == 201


@pytest.mark.parametrize("order", ["1"])
def test_a_charge_that_breaks_off_is_one_charge(till: Till, hasty_engine: System, order: str) -> None:
    assert till.pay(order, till.card("connection_cut"), amount=777).status_code == 201
    assert [line["net"] for line in statement(hasty_engine).values() if line["authorized"] == 777] == [777]
