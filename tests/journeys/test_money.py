"""Money goes where it was sent, in the currency that it is in, and nowhere else."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.conftest import Shop, new_key

MAX_AMOUNT = 10**12


def problem(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and the place of the first fault."""
    body = answer.json()
    faults = body.get("errors") or [{"pointer": None}]
    return answer.status_code, body["code"], faults[0]["pointer"]


MISMATCH = (422, "currency_mismatch", "/currency")


def send(shop: Shop, source: str, target: str, amount: int = 10, currency: str = "GBP") -> httpx.Response:
    body = {"from_wallet": source, "to_wallet": target, "amount": amount, "currency": currency}
    return shop.http.post("/v1/transfers", json=body, headers=new_key())


def deposit(shop: Shop, wallet: str, **changes: Any) -> httpx.Response:
    body = {"amount": 100, "currency": "GBP", "reference": "line 1", **changes}
    return shop.platform.post(f"/v1/wallets/{wallet}/deposits", json=body)


def test_a_wallet_pays_in_its_own_currency_alone(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop(fees={"USD": {"basis_points": 0, "fixed": 0}})
    pounds = shop.wallet(1000)
    assert problem(shop.pay("1", pounds, 100, currency="USD")) == MISMATCH
    assert problem(shop.authorize("1", pounds, 100, currency="USD")) == MISMATCH
    assert problem(send(shop, pounds, shop.wallet(), currency="USD")) == MISMATCH
    assert problem(send(shop, pounds, shop.wallet(currency="USD"))) == MISMATCH
    assert problem(deposit(shop, pounds, currency="USD")) == MISMATCH
    assert shop.available(pounds) == 1000
    assert shop.http.get("/v1/payments/1").status_code == 404


def test_a_currency_without_a_fee_plan_cannot_be_paid_in(shop: Shop) -> None:
    answer = shop.pay("1", shop.wallet(1000, currency="EUR"), 100, currency="EUR")
    assert problem(answer) == (422, "validation_failed", "/currency")


def test_each_currency_has_its_own_fee_plan(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop(fees={"JPY": {"basis_points": 300, "fixed": 1}})
    yen, pounds = shop.wallet(500, currency="JPY"), shop.wallet(1000)
    assert shop.pay("yen", yen, 500, currency="JPY").json()["fee"] == 16
    assert shop.pay("pounds", pounds, 1000).json()["fee"] == 35
    for currency, amount in (("JPY", 500), ("GBP", 1000)):
        assert shop.pending(currency) == amount


def test_a_reference_names_one_deposit_of_its_wallet(shop: Shop) -> None:
    wallet, other = shop.wallet(), shop.wallet()
    first, again = deposit(shop, wallet), deposit(shop, wallet)
    assert (first.status_code, again.status_code) == (201, 201)
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert first.json() == again.json()
    assert problem(deposit(shop, wallet, amount=101)) == (409, "conflict", None)
    assert deposit(shop, other).json()["id"] != first.json()["id"]
    assert deposit(shop, wallet, reference="line 2").status_code == 201
    assert (shop.available(wallet), shop.available(other)) == (200, 100)


def test_a_deposit_into_no_wallet_is_not_found(shop: Shop) -> None:
    assert problem(deposit(shop, "wal_" + "a" * 24)) == (404, "not_found", None)


def test_nobody_transfers_to_himself(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    assert problem(send(shop, wallet, wallet)) == (422, "validation_failed", "/to_wallet")
    assert shop.available(wallet) == 1000


def test_a_transfer_shows_in_both_statements_and_says_who_the_other_was(shop: Shop) -> None:
    one, other = shop.wallet(1000), shop.wallet()
    made = send(shop, one, other, 400).json()
    assert shop.http.get(f"/v1/transfers/{made['id']}").json() == made
    for wallet, direction, counterpart in ((one, "debit", other), (other, "credit", one)):
        newest = shop.http.get(f"/v1/wallets/{wallet}/entries").json()["data"][0]
        assert (newest["direction"], newest["counterpart"]) == (direction, f"wallet:{counterpart}")
        assert (newest["amount"], newest["reason"], newest["reference"]) == (400, "transfer", made["id"])
        assert newest["id"] in made["entries"]
    assert (shop.available(one), shop.available(other)) == (600, 400)


def test_a_transfer_to_no_wallet_leaves_the_money_where_it_is(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    assert problem(send(shop, wallet, "wal_" + "a" * 24)) == (404, "not_found", None)
    assert problem(send(shop, "wal_" + "a" * 24, wallet)) == (404, "not_found", None)
    assert shop.available(wallet) == 1000


def test_what_was_not_found_is_not_stored_so_the_same_key_may_succeed_later(shop: Shop) -> None:
    headers = new_key()
    missing = shop.pay("1", "wal_" + "a" * 24, 100, headers=headers)
    assert problem(missing) == (404, "not_found", None)
    assert shop.pay("1", shop.wallet(100), 100, headers=headers).status_code == 201


def test_the_last_penny_can_be_spent_and_no_more(shop: Shop) -> None:
    wallet = shop.wallet(100)
    assert shop.pay("1", wallet, 101).status_code == 402
    assert shop.pay("2", wallet, 100).status_code == 201
    assert shop.pay("3", wallet, 1).status_code == 402
    assert shop.available(wallet) == 0


@pytest.mark.parametrize("amount", [1, MAX_AMOUNT])
def test_the_smallest_and_the_largest_amount_arrive_exactly(shop: Shop, amount: int) -> None:
    wallet, other = shop.wallet(amount), shop.wallet()
    assert send(shop, wallet, other, amount).status_code == 201
    paid = shop.pay("1", other, amount).json()
    assert (paid["amount"], paid["captured"], shop.available(other)) == (amount, amount, 0)
    assert paid["fee"] == (amount * 150 + 5000) // 10000 + 20


def test_what_a_caller_noted_is_shown_as_it_was(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    metadata = {"Größe": "42 ½", "empty": "", "emoji": "🧦", "quote": "\"'`$#"}
    paid = shop.pay("A.b_c:d-1", wallet, 100, description="Zwei Socken, naïve", metadata=metadata)
    assert (paid.status_code, paid.json()["metadata"]) == (201, metadata)
    shown = shop.http.get("/v1/payments/A.b_c:d-1").json()
    assert (shown, shown["description"]) == (paid.json(), "Zwei Socken, naïve")


def test_a_patch_is_shown_and_only_what_it_names_changes(shop: Shop) -> None:
    path = f"/v1/merchants/{shop.id}"
    before = shop.http.get(path).json()
    change = {"name": "Other", "cut_off": "17:30", "fees": {"JPY": {"basis_points": 1, "fixed": 2}}}
    changed = shop.platform.patch(path, json=change)
    assert (changed.status_code, changed.json()) == (200, {**before, **change})
    assert shop.http.get(path).json() == changed.json()
    assert shop.platform.patch(path, json=change).json() == changed.json()
    own = shop.platform.patch(path, json={"fees": {"GBP": {"basis_points": 1, "fixed": 2}}})
    assert problem(own) == (422, "validation_failed", "/fees")
    for nothing in ({}, {"name": None}, {"currency": "USD"}):
        assert shop.platform.patch(path, json=nothing).status_code == 422
    assert shop.platform.patch(f"/v1/merchants/mer_{'a' * 24}", json={"name": "x"}).status_code == 404
    assert shop.http.get(path).json() == changed.json()
