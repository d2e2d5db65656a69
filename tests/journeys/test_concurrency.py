"""What many clients do at the same moment has the effect that it would have one after the other."""

from collections import Counter
from functools import partial

import httpx
import pytest

from tests.conftest import Shop, new_key
from tests.journeys.together import CLIENTS, codes, everything, together

pytestmark = pytest.mark.usefixtures("money_is_neither_made_nor_lost")


def test_a_wallet_that_covers_fifty_of_two_hundred_payments_pays_exactly_fifty(shop: Shop) -> None:
    wallet = shop.wallet(50 * 100)

    answers = together([partial(shop.pay, f"{order}", wallet, 100) for order in range(200)], CLIENTS)

    assert codes(answers) == {201: 50, 402: 150}
    assert {a.json()["code"] for a in answers if a.status_code == 402} == {"insufficient_funds"}
    assert shop.available(wallet) == 0
    assert len(list(everything(shop, "/v1/payments", status="captured"))) == 50
    assert len(list(everything(shop, "/v1/payments", status="failed"))) == 150
    assert len(list(everything(shop, f"/v1/wallets/{wallet}/entries"))) == 51


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "one"}], ids=["without a key", "with a key"])
def test_sixty_four_identical_payments_have_one_effect_and_one_answer(
    shop: Shop, headers: dict[str, str]
) -> None:
    wallet = shop.wallet(10_000)

    answers = together([lambda: shop.pay("1", wallet, 100, headers=headers)] * 64)

    assert codes(answers) == {201: 64}
    assert len({answer.text for answer in answers}) == 1
    assert Counter("Idempotent-Replayed" in answer.headers for answer in answers) == {False: 1, True: 63}
    assert shop.available(wallet) == 9_900
    assert [entry["reason"] for entry in everything(shop, f"/v1/wallets/{wallet}/entries")] == [
        "payment",
        "deposit",
    ]


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "one"}], ids=["without a key", "with a key"])
def test_sixty_four_identical_payments_without_the_money_are_one_refusal(
    shop: Shop, headers: dict[str, str]
) -> None:
    wallet = shop.wallet(99)
    answers = together([lambda: shop.pay("1", wallet, 100, headers=headers)] * 64)
    assert codes(answers) == {402: 64}
    assert len(shop.http.get("/v1/payments/1").json()["attempts"]) == 1


def test_an_order_that_is_paid_with_many_keys_at_once_is_paid_once(shop: Shop) -> None:
    wallet = shop.wallet(10_000)
    answers = together([lambda: shop.pay("1", wallet, 100, headers=new_key())] * CLIENTS)
    assert codes(answers) == {201: 1, 200: CLIENTS - 1}
    assert shop.available(wallet) == 9_900


def test_an_order_that_is_paid_from_many_wallets_at_once_is_paid_once(shop: Shop) -> None:
    wallets = [shop.wallet(100) for _ in range(8)]
    answers = together([partial(shop.pay, "1", w, 100, headers=new_key()) for w in wallets * 4])
    assert codes(answers).keys() <= {201, 200, 409}
    assert codes(answers)[201] == 1
    assert sorted(shop.available(wallet) for wallet in wallets) == [0] + [100] * 7


def transfer(shop: Shop, source: str, target: str, amount: int, headers: dict[str, str]) -> httpx.Response:
    body = {"from_wallet": source, "to_wallet": target, "amount": amount, "currency": "GBP"}
    return shop.http.post("/v1/transfers", json=body, headers=headers)


def test_three_hundred_crossing_transfers_conserve_the_sum(shop: Shop) -> None:
    one, other = shop.wallet(1_000), shop.wallet(1_000)
    ways = [(one, other, 7), (other, one, 11)]

    answers = together([partial(transfer, shop, *ways[n % 2], new_key()) for n in range(300)], CLIENTS)

    assert codes(answers).keys() <= {201, 402}
    made = [answer.json() for answer in answers if answer.status_code == 201]
    moved = sum(each["amount"] * (1 if each["from_wallet"] == one else -1) for each in made)
    assert {each["from_wallet"] for each in made} == {one, other}
    assert (shop.available(one), shop.available(other)) == (1_000 - moved, 1_000 + moved)
    for wallet in (one, other):
        entries = list(everything(shop, f"/v1/wallets/{wallet}/entries"))
        assert len(entries) == len(made) + 1
        signed = [e["amount"] * (1 if e["direction"] == "credit" else -1) for e in entries]
        assert sum(signed) == shop.available(wallet)


TWINS = 20


def test_twenty_identical_transfers_move_the_money_once(shop: Shop) -> None:
    one, other = shop.wallet(1_000), shop.wallet()
    headers = new_key()
    answers = together([lambda: transfer(shop, one, other, 100, headers)] * TWINS)
    assert codes(answers) == {201: TWINS}
    assert len({answer.text for answer in answers}) == 1
    assert (shop.available(one), shop.available(other)) == (900, 100)
    assert len(list(everything(shop, "/v1/transfers"))) == 1


def test_twenty_identical_openings_open_one_wallet(shop: Shop) -> None:
    headers = new_key()
    body = {"owner": "customer", "currency": "GBP"}
    answers = together([lambda: shop.http.post("/v1/wallets", json=body, headers=headers)] * TWINS)
    assert codes(answers) == {201: TWINS}
    assert len({answer.text for answer in answers}) == 1
    assert len(list(everything(shop, "/v1/wallets"))) == 1


def test_twenty_identical_deposits_credit_once(shop: Shop) -> None:
    wallet = shop.wallet()
    body = {"amount": 100, "currency": "GBP", "reference": "line 1"}
    path = f"/v1/wallets/{wallet}/deposits"
    answers = together([lambda: shop.platform.post(path, json=body)] * TWINS)
    assert codes(answers) == {201: TWINS}
    assert shop.available(wallet) == 100


def test_twenty_identical_onboardings_make_one_merchant_whose_key_is_shown_once(
    platform: httpx.Client,
) -> None:
    headers = new_key()
    body = {
        "name": "Twins",
        "currency": "GBP",
        "fee": {"basis_points": 0, "fixed": 0},
        "settlement_delay_days": 0,
    }
    answers = together([lambda: platform.post("/v1/merchants", json=body, headers=headers)] * TWINS)
    assert codes(answers) == {201: TWINS}
    assert len({answer.json()["id"] for answer in answers}) == 1
    shown = [answer.json()["api_key"]["key"] for answer in answers]
    assert shown.count(None) == TWINS - 1


def test_many_new_api_keys_at_once_leave_two_live_ones(shop: Shop) -> None:
    path = f"/v1/merchants/{shop.id}/api-keys"
    answers = together([lambda: shop.http.post(path, headers=new_key())] * TWINS)
    assert codes(answers) == {201: 1, 409: TWINS - 1}
    assert len(list(everything(shop, path))) == 2
