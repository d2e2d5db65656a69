"""Where card requests for one order meet, one wins, and what was charged has an owner."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from chassis import clock
from functions.payments import app as payments
from functions.payments import table
from local.system import System
from tests.journeys.reconciling import await_settled, reconcile, statement
from tests.journeys.till import Till, await_until
from tests.journeys.together import codes, together

ROUNDS = 5
TWINS = 20
DONE, BUSY, CONFLICT = (200, None), (409, "in_progress"), (409, "conflict")


@pytest.fixture(autouse=True)
def _no_penny_without_an_owner(till: Till, hasty_engine: System, operator: httpx.Client) -> Any:
    """When the test is over and the workers have found out what was lost."""
    yield
    await_settled()
    reconcile(hasty_engine, operator)


@pytest.fixture
def resolver(till: Till, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Finds out about an order at once: to this process every answer is overdue."""
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(minutes=1))

    def resolve(order: str) -> dict[str, Any]:
        body = f'{{"merchant_id": "{till.shop.id}", "order_id": "{order}"}}'
        answer: dict[str, Any] = payments.resolve({"Records": [{"messageId": "1", "body": body}]}, None)
        return answer

    return resolve


def charges(till: Till, system: System, order: str) -> list[int]:
    """What the acquirer holds of each attempt at an order, the voided ones left out."""
    stored = table.payment(till.shop.id, order)
    assert stored is not None
    lines = statement(system)
    mine = [lines[tried.attempt_id] for tried in stored.attempts if tried.attempt_id in lines]
    return [line["net"] for line in mine if not line["voided"]]


def test_twenty_identical_payments_are_one_charge(till: Till, hasty_engine: System) -> None:
    card = till.card()
    answers = together([partial(till.pay, "1", card, key="key")] * TWINS)
    # Whoever comes while the acquirer is being asked hears that it is being processed.
    assert set(codes(answers)) <= {201, 202}
    assert codes([answer for answer in answers if "Idempotent-Replayed" not in answer.headers]) == {201: 1}
    assert charges(till, hasty_engine, "1") == [1000]
    assert till.pay("1", card, key="key").status_code == 201


def test_one_order_and_two_cards_are_one_charge(till: Till, hasty_engine: System) -> None:
    cards = [till.card(), till.card("5555555555554444")]
    for number in range(ROUNDS):
        order = str(number)
        answers = together([partial(till.pay, order, card, key=f"key {card}") for card in cards])
        won, lost = sorted(map(till.problem, answers))
        assert won == (201, None)
        assert lost in {BUSY, CONFLICT}
        assert charges(till, hasty_engine, order) == [1000]
        source = next(answer.json()["source"] for answer in answers if answer.status_code == 201)
        assert till.shop.payment(order)["source"] == source


def test_a_card_and_a_wallet_for_one_order_are_paid_by_one(till: Till, hasty_engine: System) -> None:
    card, wallet = till.card(), till.shop.wallet(1000 * ROUNDS)
    by_wallet = 0
    for number in range(ROUNDS):
        order = str(number)
        answers = together([partial(till.pay, order, card), partial(till.shop.pay, order, wallet, 1000)])
        won, lost = sorted(map(till.problem, answers))
        assert (won, lost) in {((201, None), BUSY), ((201, None), CONFLICT)}
        by_wallet += answers[1].status_code == 201
        assert charges(till, hasty_engine, order) == ([] if answers[1].status_code == 201 else [1000])
    assert till.shop.available(wallet) == 1000 * (ROUNDS - by_wallet)


def test_of_capture_and_cancel_one_wins(till: Till, hasty_engine: System) -> None:
    card = till.card()
    for number in range(ROUNDS):
        order = str(number)
        assert till.authorize(order, card).status_code == 201
        capture, cancel = partial(till.shop.capture, order, 700), partial(till.shop.cancel, order)
        captured, canceled = map(till.problem, together([capture, cancel]))
        assert {captured, canceled} in ({DONE, BUSY}, {DONE, CONFLICT})
        assert charges(till, hasty_engine, order) == ([700] if captured == DONE else [])
        assert till.shop.payment(order)["status"] == ("captured" if captured == DONE else "canceled")


def test_twenty_identical_captures_are_one(till: Till, hasty_engine: System) -> None:
    till.authorize("1", till.card())
    answers = together([partial(till.shop.capture, "1")] * TWINS)
    assert set(map(till.problem, answers)) <= {DONE, BUSY}
    assert charges(till, hasty_engine, "1") == [1000]


def test_a_refund_that_races_the_capture_comes_after_it_or_not_at_all(
    till: Till, hasty_engine: System
) -> None:
    card = till.card()
    for number in range(ROUNDS):
        order = str(number)
        till.authorize(order, card)
        refund, capture = (
            partial(till.shop.refund, order, 400, f"key {order}"),
            partial(till.shop.capture, order),
        )
        refunded, captured = together([refund, capture])
        assert till.problem(captured) in {DONE, BUSY}
        assert till.problem(refunded) in {(201, None), BUSY, CONFLICT}
        await_settled()
        assert till.shop.capture(order).status_code in {200, 409}
        taken_back = 400 if refunded.status_code == 201 else 0
        assert charges(till, hasty_engine, order) == [1000 - taken_back]


def test_refunds_that_together_exceed_the_capture_are_those_that_fit(
    till: Till, hasty_engine: System
) -> None:
    till.pay("1", till.card())
    answers = together([partial(till.shop.refund, "1", 300, f"key {number}") for number in range(8)])
    assert set(map(till.problem, answers)) <= {(201, None), BUSY, (409, "refund_exceeds_capture")}
    made = codes(answers)[201]
    assert 1 <= made <= 3
    assert till.shop.payment("1")["refundable"] == 1000 - 300 * made
    assert charges(till, hasty_engine, "1") == [1000 - 300 * made]


@pytest.mark.parametrize("name", ["charged_silently", "silent", "late"])
def test_who_finds_out_and_who_repeats_the_request_agree(
    till: Till, hasty_engine: System, resolver: Callable[[str], dict[str, Any]], name: str
) -> None:
    card = till.card(name)
    assert till.pay("1", card, key="key").status_code == 202
    finding: list[Callable[[], Any]] = [partial(resolver, "1")] * 4
    repeating: list[Callable[[], Any]] = [partial(till.pay, "1", card, key="key")] * 2
    *_, first, second = together([*finding, *repeating])
    final = (201, None) if name == "charged_silently" else (402, "card_declined")
    assert {till.problem(first), till.problem(second)} <= {(202, None), final}
    await_settled()
    assert till.problem(till.pay("1", card, key="key")) == final
    assert charges(till, hasty_engine, "1") == ([1000] if name == "charged_silently" else [])


@pytest.mark.parametrize("verb", ["capture", "refund"])
def test_of_many_who_find_out_about_a_follow_up_one_commits(
    till: Till, hasty_engine: System, resolver: Callable[[str], dict[str, Any]], verb: str
) -> None:
    till.pay("1", till.card(f"{verb}_silent"), capture="manual" if verb == "capture" else "automatic")
    act = till.shop.capture if verb == "capture" else till.shop.refund
    assert act("1", 600).status_code == 202
    answers = together([partial(resolver, "1")] * 6)
    assert answers == [{"batchItemFailures": []}] * 6
    assert charges(till, hasty_engine, "1") == [600 if verb == "capture" else 400]


def test_a_charge_under_way_loses_to_who_gives_it_up_too_early(
    till: Till, hasty_engine: System, resolver: Callable[[str], dict[str, Any]]
) -> None:
    card = till.card("slow")

    def give_up() -> None:
        await_until(lambda: table.payment(till.shop.id, "1") is not None)
        assert resolver("1") == {"batchItemFailures": []}

    calls: list[Callable[[], Any]] = [partial(till.pay, "1", card, key="key"), give_up]
    paid, _ = together(calls)
    # The acquirer had not booked it when it was asked, so its id was refused before the charge got there.
    assert till.problem(paid) in {(202, None), (402, "card_declined")}
    assert till.problem(till.pay("1", card, key="key")) == (402, "card_declined")
    assert till.shop.payment("1")["status"] == "failed"
    assert charges(till, hasty_engine, "1") == []
