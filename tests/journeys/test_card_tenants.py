"""A card is its merchant's alone, pays nothing once deleted, and a bad one is refused by field."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from local.system import System
from tests.conftest import connect, new_key
from tests.journeys.reconciling import statement
from tests.journeys.till import Till

UNKNOWN = (404, "not_found")


def test_anothers_card_pays_nothing(new_till: Callable[..., Till], hasty_engine: System) -> None:
    mine, other = new_till(), new_till()
    card, wallet, charged = mine.card(), other.shop.wallet(), len(statement(hasty_engine))
    for capture in ("automatic", "manual"):
        assert other.problem(other.pay("1", card, capture=capture)) == UNKNOWN
    assert other.problem(other.top_up(wallet, card)) == UNKNOWN
    for verb in ("GET", "DELETE"):
        assert other.problem(other.shop.http.request(verb, f"/v1/cards/{card}")) == UNKNOWN
    assert other.shop.http.get("/v1/payments/1").status_code == 404
    assert other.shop.available(wallet) == 0
    assert len(statement(hasty_engine)) == charged
    assert mine.pay("1", card).status_code == 201


def test_anothers_card_payment_is_neither_seen_nor_moved(
    new_till: Callable[..., Till], hasty_engine: System
) -> None:
    mine, other = new_till(), new_till()
    assert mine.authorize("1", mine.card()).status_code == 201
    assert mine.pay("2", mine.card()).status_code == 201
    for act in (other.shop.capture, other.shop.cancel, other.shop.refund):
        for order in ("1", "2"):
            assert other.problem(act(order)) == UNKNOWN
    assert mine.shop.payment("1")["status"] == "authorized"
    assert mine.shop.payment("2")["refunded"] == 0


def test_the_platform_uses_the_cards_of_the_merchant_it_acts_for(
    new_till: Callable[..., Till], operator: httpx.Client
) -> None:
    mine, other = new_till(), new_till()
    body = {"amount": 1000, "currency": "GBP", "source": {"card": mine.card()}}
    for shop, expected in ((other.shop, 404), (mine.shop, 201)):
        answer = operator.post("/v1/payments/1", json=body, headers={"Tael-Merchant": shop.id})
        assert answer.status_code == expected, answer.text


def test_a_deleted_card_pays_nothing_and_is_still_refunded(till: Till, hasty_engine: System) -> None:
    card, wallet = till.card(), till.shop.wallet()
    assert till.pay("paid", card, key="key").status_code == 201
    assert till.authorize("held", card).status_code == 201
    assert till.shop.http.delete(f"/v1/cards/{card}").status_code == 200
    charged = len(statement(hasty_engine))
    assert till.problem(till.pay("1", card)) == UNKNOWN
    assert till.problem(till.top_up(wallet, card)) == UNKNOWN
    assert len(statement(hasty_engine)) == charged
    assert till.shop.refund("paid", 400).json()["status"] == "succeeded"
    assert till.shop.capture("held").json()["status"] == "captured"


@pytest.mark.parametrize("name", ["approves", "do_not_honor"])
def test_a_deleted_card_does_not_change_what_a_request_was_answered(till: Till, name: str) -> None:
    card = till.card(name)
    first = till.pay("1", card, key="key")
    till.shop.http.delete(f"/v1/cards/{card}")
    again = till.pay("1", card, key="key")
    assert again.status_code == first.status_code, again.text
    assert again.headers["Idempotent-Replayed"] == "true"
    assert till.problem(till.pay("1", card, amount=1, key="key")) == (422, "idempotency_mismatch")


def test_no_such_card_pays_nothing_and_stores_nothing(till: Till) -> None:
    assert till.problem(till.pay("1", "card_" + "a" * 24, key="key")) == UNKNOWN
    assert till.pay("1", till.card(), key="key").status_code == 201


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"number": "4242424242424241"}, "/number"),
        ({"number": "424242424242424"}, "/number"),
        ({"number": "42424242424242424242"}, "/number"),
        ({"number": "4242 4242 4242 4242"}, "/number"),
        ({"number": "4242424242424242x"}, "/number"),
        ({"number": "\uff19" * 16}, "/number"),
        ({"number": "9999999999999995"}, "/number"),
        ({"number": ""}, "/number"),
        ({"number": 4242424242424242}, "/number"),
        ({"number": None}, "/number"),
        ({"exp_month": 13}, "/exp_month"),
        ({"exp_month": 0}, "/exp_month"),
        ({"exp_year": 2020}, "/exp_year"),
        ({"exp_year": 2056}, "/exp_year"),
        ({"exp_year": 30}, "/exp_year"),
        ({"cvc": "12"}, "/cvc"),
        ({"cvc": "1234"}, "/cvc"),
        ({"cvc": "12a"}, "/cvc"),
        ({"cvc": None}, "/cvc"),
        ({"holder": "A"}, "/holder"),
    ],
    ids=str,
)
def test_a_bad_card_is_refused_with_the_field_at_fault(
    till: Till, changes: dict[str, Any], field: str
) -> None:
    answer = till.keep(**changes)
    assert till.problem(answer) == (422, "validation_failed"), answer.text
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [field]
    assert "424242" not in answer.text


@pytest.mark.parametrize(
    "source", [{}, {"card": "x"}, {"card": None}, {"card": "card_" + "a" * 24, "wallet": "x"}, "x"]
)
def test_a_bad_source_is_refused(till: Till, source: Any) -> None:
    answer = till.pay("1", "", source=source)
    assert till.problem(answer) == (422, "validation_failed"), answer.text
    assert all(fault["pointer"].startswith("/source") for fault in answer.json()["errors"])


def test_a_suspended_merchant_takes_no_cards(
    new_till: Callable[..., Till], hasty_engine: System, operator: httpx.Client
) -> None:
    till = new_till()
    card, wallet = till.card(), till.shop.wallet()
    assert till.authorize("held", card).status_code == 201
    suspended = operator.patch(f"/v1/merchants/{till.shop.id}", json={"status": "suspended"})
    assert suspended.status_code == 200, suspended.text
    charged = len(statement(hasty_engine))
    # A key of its own that no request had before: what another is remembered as may lag by a moment.
    key = operator.post(f"/v1/merchants/{till.shop.id}/api-keys", headers=new_key()).json()["key"]
    with connect(hasty_engine, key) as http:
        body = {"amount": 1, "currency": "GBP"}
        paid = http.post("/v1/payments/1", json={**body, "source": {"card": card}})
        topped_up = http.post("/v1/topups", json={**body, "card": card, "wallet": wallet}, headers=new_key())
        kept = http.post("/v1/cards", json={"number": "4242424242424242"}, headers=new_key())
        captured = http.post("/v1/payments/held/capture")
        for answer in (paid, topped_up, kept, captured):
            assert till.problem(answer) == (403, "merchant_suspended"), answer.text
        assert http.get(f"/v1/cards/{card}").status_code == 200
    assert len(statement(hasty_engine)) == charged
