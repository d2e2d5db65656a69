"""Payments as Lambda answers them, as the principal behind them changes over time."""

import pytest

from chassis.auth import CACHE_SECONDS
from tests.conftest import Shop
from tests.functions.inside import Inside, Time

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def patch(shop: Shop, **changes: object) -> None:
    answer = shop.platform.patch(f"/v1/merchants/{shop.id}", json=changes)
    assert answer.status_code == 200, answer.text


def test_a_suspended_merchant_may_read_but_not_act(shop: Shop, time: Time) -> None:
    wallet = shop.wallet(5000)
    caller = Inside(shop.key)
    assert caller.pay("1", wallet, 1000).status == 201
    patch(shop, status="suspended")
    time.seconds += CACHE_SECONDS + 1
    for body in ({"owner": "x", "currency": "GBP"}, {}):
        answer = caller("POST", "/v1/wallets", body, idempotency_key="key")
        assert (answer.status, answer.code) == (403, "merchant_suspended")
    assert caller.pay("2", wallet, 1000).code == "merchant_suspended"
    for path in ("/v1/payments/1", "/v1/payments", f"/v1/wallets/{wallet}", f"/v1/merchants/{shop.id}"):
        assert caller("GET", path).status == 200

    patch(shop, status="active")
    time.seconds += CACHE_SECONDS + 1
    assert caller.pay("2", wallet, 1000).status == 201


def test_new_fees_apply_to_payments_from_then_on(shop: Shop, time: Time) -> None:
    wallet = shop.wallet(5000)
    caller = Inside(shop.key)
    assert caller.pay("1", wallet, 1000).body["fee"] == 35
    patch(shop, fee={"basis_points": 0, "fixed": 7})
    time.seconds += CACHE_SECONDS + 1
    assert caller.pay("2", wallet, 1000).body["fee"] == 7
    assert caller("GET", "/v1/payments/1").body["fee"] == 35


def test_a_payment_is_replayed_even_when_its_fee_plan_is_gone(shop: Shop, time: Time) -> None:
    patch(shop, fees={"JPY": {"basis_points": 300, "fixed": 0}})
    wallet = shop.wallet(500, currency="JPY")
    caller = Inside(shop.key)
    body = {"amount": 500, "currency": "JPY", "source": {"wallet": wallet}}
    paid = caller("POST", "/v1/payments/1", body, idempotency_key="key")
    assert (paid.status, paid.body["fee"]) == (201, 15)
    patch(shop, fees={})
    time.seconds += CACHE_SECONDS + 1
    again = caller("POST", "/v1/payments/1", body, idempotency_key="key")
    assert (again.status, again.is_replay, again.body) == (201, True, paid.body)


def test_a_revoked_key_is_refused_within_a_minute(shop: Shop, time: Time) -> None:
    caller = Inside(shop.key)
    assert caller("GET", "/v1/payments").status == 200
    (key,) = shop.http.get(f"/v1/merchants/{shop.id}/api-keys").json()["data"]
    assert shop.platform.delete(f"/v1/merchants/{shop.id}/api-keys/{key['id']}").status_code == 200
    time.seconds += 60
    answer = caller("GET", "/v1/payments")
    assert (answer.status, answer.code) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_platform_needs_a_merchant_to_act_for(shop: Shop) -> None:
    platform = Inside(shop.platform.headers["Authorization"].removeprefix("Bearer "))
    assert platform("GET", "/v1/payments").code == "malformed_request"
    unknown = platform("GET", "/v1/payments", tael_merchant="mer_" + "a" * 24)
    assert (unknown.status, unknown.body["errors"][0]["pointer"]) == (422, "/Tael-Merchant")
    assert platform("GET", "/v1/payments", tael_merchant=shop.id).status == 200
    assert Inside(shop.key)("GET", "/v1/payments", tael_merchant=shop.id).code == "forbidden"
