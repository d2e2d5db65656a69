"""A repeated request answers as the first did: one effect for each key, whatever happened in between."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.conftest import Shop, new_key

MAX_ATTEMPTS = 20


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def told(answer: httpx.Response) -> tuple[int, bool, str]:
    """Status, whether it is a replay, and what became of the payment."""
    body = answer.json()
    replayed = answer.headers.get("Idempotent-Replayed") == "true"
    return answer.status_code, replayed, body.get("code") or body["status"]


PAID = (201, False, "captured")
REFUSED = (402, False, "insufficient_funds")
PAID_AGAIN = (201, True, "captured")
REFUSED_AGAIN = (402, True, "insufficient_funds")
PAID_ALREADY = (200, True, "captured")
CONFLICT = (409, False, "conflict")


@pytest.mark.parametrize("headers", [{}, key("one")], ids=["without a key", "with a key"])
def test_a_payment_is_replayed_after_success(shop: Shop, headers: dict[str, str]) -> None:
    wallet = shop.wallet(5000)
    first, again = (shop.pay("1", wallet, 1000, headers=headers) for _ in range(2))
    assert (told(first), told(again)) == (PAID, PAID_AGAIN)
    assert first.json() == again.json()
    assert shop.available(wallet) == 4000


@pytest.mark.parametrize("headers", [{}, key("one")], ids=["without a key", "with a key"])
def test_a_refusal_is_replayed_even_when_the_money_has_come_and_a_new_key_pays(
    shop: Shop, headers: dict[str, str]
) -> None:
    wallet = shop.wallet()
    assert told(shop.pay("1", wallet, 1000, headers=headers)) == REFUSED
    shop.deposit(wallet, 1000)
    assert told(shop.pay("1", wallet, 1000, headers=headers)) == REFUSED_AGAIN
    assert shop.available(wallet) == 1000
    assert shop.http.get("/v1/payments/1").json()["status"] == "failed"

    assert told(shop.pay("1", wallet, 1000, headers=key("two"))) == PAID
    assert shop.available(wallet) == 0
    attempts = shop.http.get("/v1/payments/1").json()["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == ["failed", "captured"]


def test_a_known_key_answers_with_its_own_attempt_whatever_came_later(shop: Shop) -> None:
    empty, full = shop.wallet(), shop.wallet(5000)
    assert told(shop.pay("1", empty, 1000, headers=key("one"))) == REFUSED
    assert told(shop.pay("1", empty, 1000, headers=key("two"))) == REFUSED
    assert told(shop.pay("1", full, 1000, headers=key("three"))) == PAID
    shop.deposit(empty, 5000)
    assert told(shop.pay("1", empty, 1000, headers=key("one"))) == REFUSED_AGAIN
    assert told(shop.pay("1", full, 1000, headers=key("three"))) == PAID_AGAIN
    assert told(shop.pay("1", empty, 1000, headers=key("two"))) == REFUSED_AGAIN
    assert (shop.available(empty), shop.available(full)) == (5000, 4000)


@pytest.mark.parametrize("balance", [5000, 0], ids=["after success", "after refusal"])
@pytest.mark.parametrize(
    "change",
    [{"amount": 1001}, {"metadata": {"basket": "7"}}, {"description": "other"}],
    ids=["amount", "metadata", "description"],
)
def test_the_same_key_with_another_body_is_a_mismatch(
    shop: Shop, balance: int, change: dict[str, Any]
) -> None:
    wallet = shop.wallet(balance)
    shop.pay("1", wallet, 1000, headers=key("one"))
    other = shop.pay("1", wallet, **{"amount": 1000, **change}, headers=key("one"))
    assert told(other) == (422, False, "idempotency_mismatch")
    assert len(shop.http.get("/v1/payments/1").json()["attempts"]) == 1


@pytest.mark.parametrize("balance", [5000, 0], ids=["after success", "after refusal"])
@pytest.mark.parametrize("headers", [{}, key("two")], ids=["without a key", "with a new key"])
def test_the_same_order_with_another_amount_is_a_conflict(
    shop: Shop, balance: int, headers: dict[str, str]
) -> None:
    wallet = shop.wallet(balance)
    shop.pay("1", wallet, 1000)
    assert told(shop.pay("1", wallet, 999, headers=headers)) == CONFLICT
    assert shop.available(wallet) == balance - (1000 if balance else 0)


def test_an_unknown_key_on_a_paid_order_creates_nothing(shop: Shop) -> None:
    wallet, other = shop.wallet(5000), shop.wallet(5000)
    assert told(shop.pay("1", wallet, 1000, headers=key("one"))) == PAID
    assert told(shop.pay("1", wallet, 1000, headers=key("two"))) == PAID_ALREADY
    assert told(shop.pay("1", wallet, 1000)) == PAID_ALREADY
    assert told(shop.pay("1", other, 1000, headers=key("two"))) == CONFLICT
    assert told(shop.pay("1", wallet, 1000, metadata={"basket": "7"})) == CONFLICT
    assert (shop.available(wallet), shop.available(other)) == (4000, 5000)


def test_a_default_that_is_spelt_out_asks_the_same(shop: Shop) -> None:
    wallet = shop.wallet(5000)
    shop.pay("1", wallet, 1000, headers=key("one"))
    spelt = shop.pay(
        "1", wallet, 1000, capture="automatic", description=None, metadata={}, headers=key("one")
    )
    assert told(spelt) == PAID_AGAIN


def test_a_quoted_key_is_the_bare_one(shop: Shop) -> None:
    wallet = shop.wallet(5000)
    assert told(shop.pay("1", wallet, 1000, headers=key("one"))) == PAID
    assert told(shop.pay("1", wallet, 1000, headers=key('"one"'))) == PAID_AGAIN


@pytest.mark.parametrize("bad", ["", '""', "x" * 256, '"' + "x" * 256 + '"', "a\tb"])
def test_a_key_that_cannot_be_one_is_refused(shop: Shop, bad: str) -> None:
    answer = shop.pay("1", shop.wallet(5000), 1000, headers=key(bad))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/Idempotency-Key")


@pytest.mark.parametrize("good", ["x", "x" * 255, '"' + "x" * 255 + '"', "a b", "~!@#$%^&*()"])
def test_a_key_is_any_printable_text(shop: Shop, good: str) -> None:
    assert told(shop.pay("1", shop.wallet(5000), 1000, headers=key(good))) == PAID


def test_an_order_can_be_attempted_twenty_times(shop: Shop) -> None:
    wallet = shop.wallet()
    for number in range(MAX_ATTEMPTS):
        assert told(shop.pay("1", wallet, 1000, headers=key(f"{number}"))) == REFUSED
    shop.deposit(wallet, 1000)
    assert told(shop.pay("1", wallet, 1000, headers=key("one too many"))) == CONFLICT
    assert told(shop.pay("1", wallet, 1000, headers=key("0"))) == REFUSED_AGAIN
    assert shop.available(wallet) == 1000


def test_the_platform_on_behalf_of_a_merchant_shares_its_keys(shop: Shop) -> None:
    wallet = shop.wallet(5000)
    body = {"amount": 1000, "currency": "GBP", "source": {"wallet": wallet}}
    on_behalf = {**key("one"), "Tael-Merchant": shop.id}
    assert told(shop.platform.post("/v1/payments/1", json=body, headers=on_behalf)) == PAID
    assert told(shop.pay("1", wallet, 1000, headers=key("one"))) == PAID_AGAIN
    opening = {"owner": "customer", "currency": "GBP"}
    opened = shop.platform.post("/v1/wallets", json=opening, headers=on_behalf)
    again = shop.http.post("/v1/wallets", json=opening, headers=key("one"))
    assert opened.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"


def test_two_merchants_with_one_order_id_and_one_key_do_not_meet(new_shop: Callable[..., Shop]) -> None:
    for shop in (new_shop(), new_shop()):
        wallet = shop.wallet(5000)
        assert told(shop.pay("1", wallet, 1000, headers=key("one"))) == PAID
        assert shop.available(wallet) == 4000
        opening = {"owner": "customer", "currency": "GBP"}
        opened = shop.http.post("/v1/wallets", json=opening, headers=key("one"))
        assert (opened.status_code, "Idempotent-Replayed" in opened.headers) == (201, False)


def test_one_key_names_one_request_for_each_operation_and_order(shop: Shop) -> None:
    wallet = shop.wallet(5000)
    assert told(shop.pay("1", wallet, 1000, headers=key("one"))) == PAID
    assert told(shop.pay("2", wallet, 1000, headers=key("one"))) == PAID
    assert shop.available(wallet) == 3000


def test_an_onboarding_is_replayed_without_its_key(platform: httpx.Client) -> None:
    body: dict[str, Any] = {
        "name": "Shop",
        "currency": "GBP",
        "fee": {"basis_points": 0, "fixed": 0},
        "settlement_delay_days": 0,
    }
    headers = new_key()
    first = platform.post("/v1/merchants", json=body, headers=headers)
    again = platform.post("/v1/merchants", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["api_key"]["key"].startswith("sk_")
    assert again.json() == {**first.json(), "api_key": {"id": first.json()["api_key"]["id"], "key": None}}
    other = platform.post("/v1/merchants", json={**body, "name": "Other"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_a_wallet_is_opened_once_and_shown_as_it_is_now(shop: Shop) -> None:
    headers = new_key()
    body = {"owner": "customer", "currency": "GBP"}
    first = shop.http.post("/v1/wallets", json=body, headers=headers)
    shop.deposit(first.json()["id"], 700)
    again = shop.http.post("/v1/wallets", json=body, headers=headers)
    assert again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == {**first.json(), "available": 700}
    other = shop.http.post("/v1/wallets", json={**body, "owner": "other"}, headers=headers)
    assert other.json()["code"] == "idempotency_mismatch"


def test_a_transfer_is_replayed_after_success_and_after_refusal(shop: Shop) -> None:
    one, other = shop.wallet(), shop.wallet()

    def send(name: str, amount: int = 100) -> httpx.Response:
        body = {"from_wallet": one, "to_wallet": other, "amount": amount, "currency": "GBP"}
        return shop.http.post("/v1/transfers", json=body, headers=key(name))

    assert told(send("one")) == REFUSED
    shop.deposit(one, 500)
    assert told(send("one")) == REFUSED_AGAIN
    assert told(send("two")) == (201, False, "completed")
    assert told(send("two")) == (201, True, "completed")
    assert told(send("two", 101)) == (422, False, "idempotency_mismatch")
    assert (shop.available(one), shop.available(other)) == (400, 100)
    refused = send("one").json()
    stored = shop.http.get(refused["instance"]).json()
    assert (stored["status"], stored["failure_code"]) == ("failed", "insufficient_funds")
