"""What was told to callers before a restart is true after it."""

import subprocess
import sys
from pathlib import Path

import httpx

from local.system import System, running
from tests.conftest import Shop, connect, new_key
from tests.rollup import await_rolled_up

PLAIN, AMEX = "4929123456789015", "378734493671000"
REVEAL = """
import sys
from acquiring import vault
for card_id in sys.argv[2:]:
    card = vault.reveal(sys.argv[1], card_id)
    print(card.number if card else "gone")
"""
MERCHANT = {
    "name": "Shop",
    "currency": "GBP",
    "fee": {"basis_points": 150, "fixed": 20},
    "settlement_delay_days": 30,  # nothing is settled while the clock is moved
}


def onboard(system: System, platform: httpx.Client) -> Shop:
    merchant = platform.post("/v1/merchants", json=MERCHANT, headers=new_key()).json()
    key = merchant["api_key"]["key"]
    return Shop(merchant["id"], key, connect(system, key), platform)


def keep(shop: Shop, number: str) -> str:
    body = {"number": number, "exp_month": 12, "exp_year": 2035, "cvc": "7391" if number == AMEX else "739"}
    kept = shop.http.post("/v1/cards", json=body, headers=new_key())
    assert kept.status_code == 201, kept.text
    card_id: str = kept.json()["id"]
    return card_id


def revealed(system: System, *merchant_and_cards: str) -> list[str]:
    """The numbers of cards, as whoever charges them reads them from the vault."""
    command = [sys.executable, "-c", REVEAL, *merchant_and_cards]
    environment = dict(system.environment)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


def test_a_restart_keeps_every_balance_payment_and_key(tmp_path: Path) -> None:
    with running(tmp_path / "state") as system, connect(system, system.platform_key) as platform:
        shop = onboard(system, platform)
        with shop.http:
            one, other = shop.wallet(1000), shop.wallet(50)
            shop.pay("paid", one, 300, headers={"Idempotency-Key": "paid"})
            shop.pay("refused", other, 300, headers={"Idempotency-Key": "refused"})
            body = {"from_wallet": one, "to_wallet": other, "amount": 70, "currency": "GBP"}
            shop.http.post("/v1/transfers", json=body, headers={"Idempotency-Key": "sent"})
            paths = [
                *(f"/v1/wallets/{wallet}{more}" for wallet in (one, other) for more in ("", "/entries")),
                *("/v1/wallets", "/v1/payments", "/v1/transfers"),
                f"/v1/merchants/{shop.id}/api-keys",
                f"/v1/ledger/accounts/merchant_pending:{shop.id}:GBP",
            ]
            await_rolled_up(platform)
            before = [shop.http.get(path).json() for path in paths]
            total = platform.get("/v1/ledger/trial-balance").json()
            sealed, deleted = (keep(shop, number) for number in (PLAIN, AMEX))
            shop.http.delete(f"/v1/cards/{deleted}")
            moved = platform.post("/local/clock", json={"advance_seconds": 3 * 24 * 60 * 60}).json()

    with (
        running(tmp_path / "state") as system,
        connect(system, system.platform_key) as platform,
        connect(system, shop.key) as http,
    ):
        again = Shop(shop.id, shop.key, http, platform)
        assert [http.get(path).json() for path in paths] == before
        assert platform.get("/v1/ledger/trial-balance").json() == total
        assert total["balanced"]
        resumed = platform.get("/local/system").json()
        assert resumed["clock_ahead_seconds"] == moved["clock_ahead_seconds"] == 3 * 24 * 60 * 60
        assert resumed["now"] > moved["now"]
        assert revealed(system, shop.id, sealed, deleted) == [PLAIN, "gone"]
        assert again.available(one) == 1000 - 300 - 70

        paid = again.pay("paid", one, 300, headers={"Idempotency-Key": "paid"})
        assert (paid.status_code, paid.headers["Idempotent-Replayed"]) == (201, "true")
        again.deposit(other, 1000)
        refused = again.pay("refused", other, 300, headers={"Idempotency-Key": "refused"})
        assert (refused.status_code, refused.headers["Idempotent-Replayed"]) == (402, "true")
        sent = http.post("/v1/transfers", json=body, headers={"Idempotency-Key": "sent"})
        assert (sent.status_code, sent.headers["Idempotent-Replayed"]) == (201, "true")
        assert again.available(one) == 1000 - 300 - 70
        assert again.pay("new", one, 100).status_code == 201
