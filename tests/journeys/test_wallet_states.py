"""A wallet is frozen and unfrozen, and closed for ever once it is empty."""

import pytest

from tests.conftest import Shop, new_key
from tests.journeys.answers import problem, replayed


def sent(shop: Shop, source: str, target: str) -> int:
    body = {"from_wallet": source, "to_wallet": target, "amount": 1, "currency": "GBP"}
    return shop.http.post("/v1/transfers", json=body, headers=new_key()).status_code


def test_a_frozen_wallet_gives_nothing_new_and_still_receives(shop: Shop) -> None:
    wallet, other = shop.wallet(1000), shop.wallet(1000)
    first, again = shop.become(wallet, "freeze"), shop.become(wallet, "freeze")
    assert (replayed(first), replayed(again)) == (False, True)
    assert first.json() == again.json()
    for refused in (shop.pay("1", wallet, 1), shop.authorize("2", wallet, 1), shop.pay("3", wallet, 5000)):
        assert problem(refused) == (409, "wallet_frozen")
    assert (sent(shop, wallet, other), sent(shop, other, wallet)) == (409, 201)
    shop.deposit(wallet, 1)
    assert shop.balance(wallet) == (1002, 0)
    thawed, again = shop.become(wallet, "unfreeze"), shop.become(wallet, "unfreeze")
    assert (replayed(thawed), replayed(again), thawed.json()["status"]) == (False, True, "active")
    # What was refused for the wallet's state was not stored: the same request may succeed now.
    assert shop.pay("1", wallet, 1).status_code == 201


@pytest.mark.parametrize(("verb", "balance"), [("capture", (700, 0)), ("cancel", (1000, 0))])
def test_what_was_held_before_a_freeze_is_captured_or_released_after_it(
    shop: Shop, verb: str, balance: tuple[int, int]
) -> None:
    wallet = shop.wallet(1000)
    shop.authorize("1", wallet, 300)
    shop.become(wallet, "freeze")
    assert getattr(shop, verb)("1").status_code == 200
    assert shop.balance(wallet) == balance
    assert shop.http.get(f"/v1/wallets/{wallet}").json()["status"] == "frozen"


def test_a_part_is_captured_of_a_frozen_wallet_and_the_rest_released(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    shop.authorize("1", wallet, 300)
    shop.become(wallet, "freeze")
    assert shop.capture("1", 100).status_code == 200
    assert shop.balance(wallet) == (900, 0)


def test_a_wallet_with_anything_on_it_is_not_closed(shop: Shop) -> None:
    wallet = shop.wallet(300)
    assert problem(shop.become(wallet, "close")) == (409, "wallet_not_empty")
    shop.authorize("1", wallet, 300)
    assert shop.balance(wallet) == (0, 300)
    assert problem(shop.become(wallet, "close")) == (409, "wallet_not_empty")
    shop.capture("1")
    assert shop.become(wallet, "close").json()["status"] == "closed"


@pytest.mark.parametrize("before", ["active", "frozen"])
def test_a_closed_wallet_takes_nothing_new_for_ever(shop: Shop, before: str) -> None:
    wallet, other = shop.wallet(), shop.wallet(100)
    if before == "frozen":
        shop.become(wallet, "freeze")
    first, again = shop.become(wallet, "close"), shop.become(wallet, "close")
    assert (replayed(first), replayed(again)) == (False, True)
    for change in ("freeze", "unfreeze"):
        assert problem(shop.become(wallet, change)) == (409, "wallet_closed")
    for refused in (shop.pay("1", wallet, 1), shop.authorize("2", wallet, 1)):
        assert problem(refused) == (409, "wallet_closed")
    assert (sent(shop, wallet, other), sent(shop, other, wallet)) == (409, 409)
    assert shop.http.get("/v1/wallets", params={"status": "closed"}).json()["data"] == [first.json()]


@pytest.mark.parametrize("change", ["freeze", "unfreeze", "close"])
def test_no_wallet_becomes_anything_that_is_not_there(shop: Shop, change: str) -> None:
    assert problem(shop.become("wal_" + "a" * 24, change)) == (404, "not_found")
