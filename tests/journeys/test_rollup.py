"""The sums that follow the ledger become what the ledger is, whatever was done to it at once."""

from functools import partial

import httpx
import pytest

from tests.conftest import Shop, new_key
from tests.journeys.together import together
from tests.rollup import PATH, await_rolled_up

CUSTOMERS = 6

pytestmark = pytest.mark.usefixtures("money_is_neither_made_nor_lost")


def test_after_a_burst_of_everything_the_sums_are_the_journals_and_balance(
    shop: Shop, platform: httpx.Client
) -> None:
    wallets = [shop.wallet(10_000) for _ in range(CUSTOMERS)]

    def custom(number: int) -> None:
        wallet, friend = wallets[number], wallets[number - 1]
        assert shop.pay(f"{number}-paid", wallet, 1000 + number).status_code == 201
        assert shop.refund(f"{number}-paid", 100 + number).status_code == 201
        assert shop.pay(f"{number}-refused", wallet, 10**6).status_code == 402
        for name in ("captured", "canceled", "held"):
            assert shop.authorize(f"{number}-{name}", wallet, 500).status_code == 201
        assert shop.capture(f"{number}-captured", 300).status_code == 200
        assert shop.cancel(f"{number}-canceled").status_code == 200
        sent = {"from_wallet": wallet, "to_wallet": friend, "amount": 70 + number, "currency": "GBP"}
        assert shop.http.post("/v1/transfers", json=sent, headers=new_key()).status_code == 201
        shop.deposit(wallet, 5 + number)

    together([partial(custom, number) for number in range(CUSTOMERS)])
    await_rolled_up(platform)
    total = platform.get(PATH).json()
    assert (total["source"], total["balanced"]) == ("rollup", True)
    pending = shop.http.get(f"/v1/ledger/accounts/merchant_pending:{shop.id}:GBP").json()["balance"]
    assert pending == shop.pending() == CUSTOMERS * (1000 - 100 + 300)
