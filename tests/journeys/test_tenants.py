"""A merchant can neither see nor touch what is another's: to it, that does not exist."""

from collections.abc import Callable

import httpx
import pytest

from local.system import System
from tests.conftest import Shop, new_key
from tests.functions.inside import everything

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def other(new_shop: Callable[..., Shop]) -> Shop:
    """A merchant that has nothing to do with `shop`."""
    return new_shop()


def send(shop: Shop, source: str, target: str) -> httpx.Response:
    body = {"from_wallet": source, "to_wallet": target, "amount": 10, "currency": "GBP"}
    return shop.http.post("/v1/transfers", json=body, headers=new_key())


def test_nothing_of_another_merchant_can_be_read(shop: Shop, other: Shop) -> None:
    wallet = shop.wallet(1000)
    transfer = send(shop, wallet, shop.wallet()).json()
    payment = shop.pay("1", wallet, 100).json()
    paths = [
        f"/v1/wallets/{wallet}",
        f"/v1/wallets/{wallet}/entries",
        f"/v1/transfers/{transfer['id']}",
        "/v1/payments/1",
        f"/v1/merchants/{shop.id}",
        f"/v1/merchants/{shop.id}/api-keys",
        f"/v1/ledger/accounts/wallet:{wallet}",
        f"/v1/ledger/accounts/wallet:{wallet}/entries",
        f"/v1/ledger/accounts/merchant_pending:{shop.id}:GBP",
        f"/v1/ledger/accounts/merchant_pending:{shop.id}:GBP/entries",
        *(f"/v1/ledger/entries/{entry}" for entry in transfer["entries"] + payment["entries"]),
    ]
    assert [shop.http.get(path).status_code for path in paths] == [200] * len(paths)
    assert [other.http.get(path).status_code for path in paths] == [404] * len(paths)
    for path in ("/v1/wallets", "/v1/transfers", "/v1/payments", "/v1/topups", "/v1/payouts"):
        assert other.http.get(path).json() == {"data": [], "next_cursor": None}


def test_what_is_anothers_answers_as_what_does_not_exist(shop: Shop, other: Shop) -> None:
    wallet = shop.wallet()
    found = other.http.get(f"/v1/wallets/{wallet}").json()
    nothing = other.http.get(f"/v1/wallets/wal_{'a' * 24}").json()
    for answer in (found, nothing):
        del answer["request_id"], answer["detail"]
    assert found == nothing


def test_nothing_of_another_merchant_can_be_changed(shop: Shop, other: Shop) -> None:
    theirs, mine = shop.wallet(1000), other.wallet(1000)
    (key,) = shop.http.get(f"/v1/merchants/{shop.id}/api-keys").json()["data"]
    before = everything()
    answers = [
        send(other, theirs, mine),
        send(other, mine, theirs),
        other.pay("1", theirs, 100),
        other.http.post(f"/v1/merchants/{shop.id}/api-keys", headers=new_key()),
        other.http.delete(f"/v1/merchants/{shop.id}/api-keys/{key['id']}"),
    ]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(404, "not_found")] * len(answers)
    assert everything() == before


def test_an_order_id_is_each_merchants_own(shop: Shop, other: Shop) -> None:
    before = shop.authorize("1", shop.wallet(100), 100).json()
    answer = other.pay("1", other.wallet(100), 10)
    assert answer.status_code == 201
    assert (shop.payment("1"), other.payment("1")) == (before, answer.json())


@pytest.mark.parametrize("amount", [100, 5000], ids=["covered", "not covered"])
def test_a_charge_of_another_merchants_wallet_tells_nothing_of_its_balance(
    shop: Shop, other: Shop, amount: int
) -> None:
    answer = other.pay("1", shop.wallet(1000), amount)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert other.http.get("/v1/payments/1").status_code == 404


def test_the_platform_may_charge_any_wallet_for_a_merchant(shop: Shop, other: Shop) -> None:
    wallet = shop.wallet(1000)
    body = {"amount": 100, "currency": "GBP", "source": {"wallet": wallet}}
    paid = shop.platform.post("/v1/payments/1", json=body, headers={"Tael-Merchant": other.id})
    assert (paid.status_code, paid.json()["status"]) == (201, "captured")
    assert other.http.get("/v1/payments/1").json() == paid.json()
    assert shop.http.get("/v1/payments/1").status_code == 404
    assert shop.available(wallet) == 900
    assert other.pending() == 100


def test_the_platform_sees_everything_and_moves_money_between_any_wallets(shop: Shop, other: Shop) -> None:
    one, two = shop.wallet(1000), other.wallet()
    body = {"from_wallet": one, "to_wallet": two, "amount": 10, "currency": "GBP"}
    made = shop.platform.post("/v1/transfers", json=body, headers=new_key()).json()
    for path in (f"/v1/wallets/{one}", f"/v1/wallets/{two}", f"/v1/transfers/{made['id']}"):
        assert shop.platform.get(path).status_code == 200
    assert (shop.available(one), other.available(two)) == (990, 10)
    # It is the platform's transfer: neither merchant made it, though each sees it in its statement.
    assert shop.http.get(f"/v1/transfers/{made['id']}").status_code == 404
    assert shop.http.get(f"/v1/wallets/{one}/entries").json()["data"][0]["reference"] == made["id"]


@pytest.mark.parametrize("named", ["own", "other"])
def test_a_merchant_may_not_say_for_whom_it_acts(shop: Shop, other: Shop, named: str) -> None:
    name = {"own": shop.id, "other": other.id}[named]
    answer = shop.http.get("/v1/wallets", headers={"Tael-Merchant": name})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_lists_cursor_leads_nowhere_else(shop: Shop, other: Shop) -> None:
    for _ in range(2):
        shop.wallet()
    cursor = shop.http.get("/v1/wallets", params={"limit": 1}).json()["next_cursor"]
    for client, path in ((other.http, "/v1/wallets"), (shop.http, "/v1/payments")):
        answer = client.get(path, params={"cursor": cursor})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/cursor")


def test_no_log_line_holds_a_key_or_what_was_sent(shop: Shop, system: System) -> None:
    wallet = shop.wallet(1000)
    metadata = {"note": "a very private remark"}
    shop.pay("1", wallet, 100, metadata=metadata, headers={"Idempotency-Key": "a-key-of-the-caller"})
    shop.pay("2", wallet, 100, metadata={"note": ["a very private remark"]})
    logs = "".join(path.read_text() for path in system.state.logs.glob("http.*"))
    assert shop.id in logs
    for secret in (shop.key.rpartition("_")[2], system.platform_key, "private remark", "a-key-of-the-caller"):
        assert secret not in logs
