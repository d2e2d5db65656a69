"""What was told to callers before a restart is true after it."""

from pathlib import Path

import httpx

from local.system import System, running
from tests.conftest import Shop, connect, new_key

MERCHANT = {
    "name": "Shop",
    "currency": "GBP",
    "fee": {"basis_points": 150, "fixed": 20},
    "settlement_delay_days": 2,
}


def onboard(system: System, platform: httpx.Client) -> Shop:
    merchant = platform.post("/v1/merchants", json=MERCHANT, headers=new_key()).json()
    key = merchant["api_key"]["key"]
    return Shop(merchant["id"], key, connect(system, key), platform)


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
            before = [shop.http.get(path).json() for path in paths]
            total = platform.get("/v1/ledger/trial-balance").json()

    with (
        running(tmp_path / "state") as system,
        connect(system, system.platform_key) as platform,
        connect(system, shop.key) as http,
    ):
        again = Shop(shop.id, shop.key, http, platform)
        assert [http.get(path).json() for path in paths] == before
        assert platform.get("/v1/ledger/trial-balance").json() == total
        assert total["balanced"]
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
