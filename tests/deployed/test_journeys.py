"""A shop's journeys through the gateway, functions and event source mappings of the deployed template."""

from collections.abc import Callable

import httpx
import pytest

from tests.conftest import Shop, connect, new_key
from tests.deployed.conftest import PATIENCE_SECONDS, Place
from tests.journeys.test_settlement import await_balance, settlements
from tests.journeys.till import Till, await_until
from tests.payee import Payee
from tests.receiver import receiving
from tests.rollup import await_rolled_up

JSON = {"Content-Type": "application/json"}


def test_an_order_is_paid_once_and_refunded(shop: Shop) -> None:
    wallet = shop.wallet(5000)
    paid = shop.pay("1", wallet, 1250)
    assert (paid.status_code, paid.json()["status"]) == (201, "captured")
    again = shop.pay("1", wallet, 1250)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert shop.available(wallet) == 3750
    assert shop.refund("1", 250).status_code == 201
    assert (shop.payment("1")["status"], shop.available(wallet)) == ("partially_refunded", 4000)
    assert shop.authorize("2", wallet, 900).json()["status"] == "authorized"
    assert shop.balance(wallet) == (3100, 900)
    assert shop.capture("2", 600).json()["captured"] == 600
    assert shop.balance(wallet) == (3400, 0)
    (latest, *_) = shop.http.get(f"/v1/wallets/{wallet}/entries").json()["data"]
    assert (latest["amount"], latest["reason"]) == (600, "payment")


def test_cards_are_kept_charged_and_declined(till: Till, place: Place) -> None:
    card = till.card()
    paid = till.pay("1", card, 4711, key="once")
    assert (paid.status_code, paid.json()["status"]) == (201, "captured")
    assert till.pay("1", card, 4711, key="once").headers["Idempotent-Replayed"] == "true"
    assert till.problem(till.pay("2", till.card("do_not_honor"))) == (402, "card_declined")
    wallet = till.shop.wallet()
    assert till.top_up(wallet, card, 4712).json()["status"] == "succeeded"
    assert till.shop.available(wallet) == 4712
    book = httpx.get(f"{place.acquirer_url}/statement", params={"limit": 500, "cursor": 0}, trust_env=False)
    nets = [line["net"] for line in book.json()["data"]]
    assert (nets.count(4711), nets.count(4712)) == (1, 1)


def test_what_is_wrong_is_refused(shop: Shop, open_shop: Callable[..., Shop], place: Place) -> None:
    wallet, other = shop.wallet(100), open_shop()
    assert shop.pay("1", wallet, 50).status_code == 201
    refusals = [
        (shop.pay("2", wallet, -5), 422, "validation_failed"),
        (shop.pay("2", wallet, 500), 402, "insufficient_funds"),
        (shop.pay("1", wallet, 60), 409, "conflict"),
        (shop.http.post("/v1/wallets", json={"owner": "a", "currency": "GBP"}), 400, "malformed_request"),
        (shop.http.post("/v1/payments/3", content=b"{", headers=JSON), 400, "malformed_request"),
        (shop.http.post("/v1/payments/3", content=b"{"), 415, "unsupported_media_type"),
        (other.http.get("/v1/payments/1"), 404, "not_found"),
        (other.http.get(f"/v1/wallets/{wallet}"), 404, "not_found"),
        (shop.http.get("/v1/ledger/trial-balance"), 403, "forbidden"),
    ]
    with connect(place, "sk_unknown_unknown") as stranger:
        refusals.append((stranger.get("/v1/wallets"), 401, "unauthorized"))
    for answer, status, code in refusals:
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.request.url
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    for path in ("/v1/nothing", "/v1/payments/1/nothing"):
        assert shop.http.get(path).status_code == 404
    assert shop.available(wallet) == 50


def test_a_captured_payment_reaches_its_settlement(shop: Shop) -> None:
    """Table, stream, publish, queue, collect: each by a mapping of the template."""
    wallet = shop.wallet(5000)
    shop.pay("1", wallet, 2000)
    shop.refund("1", 500)
    net = 2000 - 500 - (30 + 20)
    await_until(lambda: bool(shop.http.get("/v1/balance").json()["data"]), PATIENCE_SECONDS)
    await_balance(shop, net, 0)
    (settlement,) = settlements(shop)
    assert (settlement["status"], settlement["net"]) == ("open", net)
    lines = shop.http.get(f"/v1/settlements/{settlement['id']}/payments").json()["data"]
    assert sorted((line["type"], line["net"]) for line in lines) == [("payment", 1950), ("refund", -500)]


def test_events_are_kept_and_delivered_signed(shop: Shop) -> None:
    with receiving() as receiver:
        body = {"url": f"{receiver.url}/hook", "events": ["payment.captured"]}
        endpoint = shop.http.post("/v1/webhook-endpoints", json=body, headers=new_key())
        assert endpoint.status_code == 201, endpoint.text
        shop.pay("1", shop.wallet(100), 100)
        assert receiver.has("/hook", 1, PATIENCE_SECONDS)
    (delivered,) = receiver.at("/hook")
    delivered.verify(endpoint.json()["secret"])
    event = shop.http.get(f"/v1/events/{delivered.id}").json()
    assert (event["type"], event["data"]["order_id"]) == ("payment.captured", "1")
    types = {each["type"] for each in shop.http.get("/v1/events").json()["data"]}
    assert types >= {"wallet.opened", "deposit.completed", "payment.captured"}


def test_a_payout_is_paid_when_its_schedule_asks_the_bank(shop: Shop, place: Place) -> None:
    wallet, payee = shop.wallet(1000), Payee(shop)
    body = {"amount": 700, "currency": "GBP", "source": {"wallet": wallet}, "bank_account": payee.account()}
    # Only the platform withdraws from wallets.
    headers = {"Tael-Merchant": shop.id, **new_key()}
    asked = shop.platform.post("/v1/payouts", json=body, headers=headers)
    assert (asked.status_code, asked.json()["status"]) == (201, "in_transit"), asked.text
    assert shop.balance(wallet) == (300, 0)

    def is_paid() -> bool:
        place.run("payouts.reconcile")
        return bool(payee.payout(asked.json()["id"])["status"] == "paid")

    await_until(is_paid, PATIENCE_SECONDS)


def test_the_books_are_balanced(operator: httpx.Client) -> None:
    await_rolled_up(operator)
    total = operator.get("/v1/ledger/trial-balance").json()
    assert total["balanced"], total
    assert all(currency["total"] == 0 for currency in total["data"])


@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/docs", "/docs/start.js"])
def test_pages_need_no_key(place: Place, path: str) -> None:
    with connect(place, "") as nobody:
        del nobody.headers["Authorization"]
        answer = nobody.get(path, timeout=PATIENCE_SECONDS)
    assert answer.status_code == 200
    if path == "/openapi.json":
        assert {"/v1/payments/{order_id}", "/v1/payouts"} <= answer.json()["paths"].keys()
