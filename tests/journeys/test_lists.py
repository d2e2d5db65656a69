"""Lists are newest first, page by page, and a filter never hides what it should show."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.conftest import Shop, new_key


def pages(client: httpx.Client, path: str, **query: Any) -> list[list[dict[str, Any]]]:
    """The list to its end."""
    found = []
    while True:
        answer = client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert set(page) == {"data", "next_cursor"}
        found.append(page["data"])
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def pay_many(shop: Shop) -> list[str]:
    """Seven orders, of which the fourth and the last are refused; returns their ids, newest first."""
    wallet = shop.wallet(1000)
    for number in range(7):
        amount = 5000 if number in {3, 6} else 10
        assert shop.pay(f"order-{number}", wallet, amount).status_code in {201, 402}
    return [f"order-{number}" for number in (6, 5, 4, 3, 2, 1, 0)]


def send_many(shop: Shop) -> list[str]:
    one, other = shop.wallet(50), shop.wallet()
    for amount in range(1, 8):
        body = {"from_wallet": one, "to_wallet": other, "amount": amount, "currency": "GBP"}
        assert shop.http.post("/v1/transfers", json=body, headers=new_key()).status_code == 201
    return ["7", "6", "5", "4", "3", "2", "1"]


def open_many(shop: Shop) -> list[str]:
    return [shop.wallet() for _ in range(7)][::-1]


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
@pytest.mark.parametrize(
    ("path", "member", "make"),
    [
        ("/v1/payments", "order_id", pay_many),
        ("/v1/transfers", "amount", send_many),
        ("/v1/wallets", "id", open_many),
    ],
)
def test_a_list_shows_everything_once_newest_first(
    shop: Shop, path: str, member: str, make: Callable[[Shop], list[str]], limit: int
) -> None:
    expected = make(shop)
    found = pages(shop.http, path, limit=limit)
    assert {len(page) for page in found[:-1]} <= {limit}
    assert [str(item[member]) for page in found for item in page] == expected
    times = [item["created_at"] for page in found for item in page]
    assert times == sorted(times, reverse=True)
    assert len(found) == -(-7 // limit)


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_payments_are_filtered_by_status(shop: Shop, limit: int) -> None:
    pay_many(shop)
    for status, numbers in (("failed", (6, 3)), ("captured", (5, 4, 2, 1, 0))):
        found = [
            item for page in pages(shop.http, "/v1/payments", limit=limit, status=status) for item in page
        ]
        assert [item["order_id"] for item in found] == [f"order-{number}" for number in numbers]
        assert {item["status"] for item in found} == {status}


def test_a_payment_that_failed_and_was_paid_is_listed_where_it_began_as_it_is_now(shop: Shop) -> None:
    poor, rich = shop.wallet(), shop.wallet(1000)
    shop.pay("first", poor, 10)
    shop.pay("second", rich, 10)
    shop.pay("first", rich, 10, headers=new_key())
    (found,) = pages(shop.http, "/v1/payments")
    assert [(item["order_id"], item["status"]) for item in found] == [
        ("second", "captured"),
        ("first", "captured"),
    ]
    assert pages(shop.http, "/v1/payments", status="failed") == [[]]
    assert found[1] == shop.http.get("/v1/payments/first").json()


def test_wallets_are_filtered_by_owner_and_status(shop: Shop) -> None:
    for owner in ("ann", "bob", "ann", "ann smith"):
        body = {"owner": owner, "currency": "GBP"}
        assert shop.http.post("/v1/wallets", json=body, headers=new_key()).status_code == 201
    for query, owners in (
        ({"owner": "ann"}, ["ann", "ann"]),
        ({"owner": "nobody"}, []),
        ({"owner": "bob", "status": "active"}, ["bob"]),
        ({"status": "active"}, ["ann smith", "ann", "bob", "ann"]),
        ({"status": "frozen"}, []),
    ):
        found = [item for page in pages(shop.http, "/v1/wallets", limit=1, **query) for item in page]
        assert [item["owner"] for item in found] == owners


def test_a_filter_that_finds_little_in_much_still_finds_it(shop: Shop) -> None:
    opened = shop.http.post("/v1/wallets", json={"owner": "rare", "currency": "GBP"}, headers=new_key())
    for _ in range(15):
        shop.wallet()
    # Each page looks through a bounded number of wallets, and says by its cursor that there may be more.
    found = pages(shop.http, "/v1/wallets", limit=1, owner="rare")
    assert [item["id"] for page in found for item in page] == [opened.json()["id"]]
    assert len(found) > 1


@pytest.mark.parametrize("path", ["/v1/wallets/{}/entries", "/v1/ledger/accounts/wallet:{}/entries"])
def test_a_statement_shows_every_movement_once_newest_first(shop: Shop, path: str) -> None:
    wallet = shop.wallet()
    for amount in range(1, 6):
        shop.deposit(wallet, amount)
    found = pages(shop.http, path.format(wallet), limit=2)
    assert [[item["amount"] for item in page] for page in found] == [[5, 4], [3, 2], [1]]
    assert {item["direction"] for page in found for item in page} == {"credit"}


def test_keys_and_merchants_are_listed_newest_first(shop: Shop, new_shop: Callable[..., Shop]) -> None:
    path = f"/v1/merchants/{shop.id}/api-keys"
    second = shop.http.post(path, headers=new_key()).json()["id"]
    keys = [item for page in pages(shop.http, path, limit=1) for item in page]
    assert (keys[0]["id"], len(keys)) == (second, 2)
    newer = new_shop()
    newest = shop.platform.get("/v1/merchants", params={"limit": 2}).json()["data"]
    assert [merchant["id"] for merchant in newest] == [newer.id, shop.id]
    assert all(item["key"] is None for item in keys)
    assert all(merchant["api_key"] is None for merchant in newest)


def test_what_comes_while_a_list_is_read_does_not_move_its_pages(shop: Shop) -> None:
    old = open_many(shop)
    first = shop.http.get("/v1/wallets", params={"limit": 3}).json()
    shop.wallet()
    rest = shop.http.get("/v1/wallets", params={"limit": 100, "cursor": first["next_cursor"]}).json()
    assert [item["id"] for item in first["data"] + rest["data"]] == old
