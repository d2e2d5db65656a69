"""How a shop takes bank cards: test cards by name, and what is asked with them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from local.acquirer.deck import BY_NAME
from tests.conftest import Shop, new_key

TRY_SECONDS, TOTAL_SECONDS, RESOLVE_SECONDS = 0.5, 1.2, 2
HASTE = {
    "TAEL_ACQUIRER_TRY_SECONDS": str(TRY_SECONDS),
    "TAEL_ACQUIRER_TOTAL_SECONDS": str(TOTAL_SECONDS),
    "TAEL_BANK_TRY_SECONDS": str(TRY_SECONDS),
    "TAEL_BANK_TOTAL_SECONDS": str(TOTAL_SECONDS),
    "TAEL_RESOLVE_SECONDS": str(RESOLVE_SECONDS),
}
POLL_SECONDS = 0.05


def headers(key: str | None) -> dict[str, str]:
    """A header with that key, or with one that no request had before."""
    return {"Idempotency-Key": key} if key else new_key()


def await_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for what others bring about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come about within {seconds:g} s"
        time.sleep(POLL_SECONDS)


@dataclass(frozen=True)
class Till:
    """A shop that takes cards."""

    shop: Shop
    kept: dict[str, str] = field(default_factory=dict)

    def keep(self, name: str = "approves", **changes: Any) -> httpx.Response:
        """Have the vault keep the test card of that name."""
        number = BY_NAME[name].number if name in BY_NAME else name
        body = {"number": number, "exp_month": 12, "exp_year": 2030, "cvc": "123", **changes}
        return self.shop.http.post("/v1/cards", json=body, headers=new_key())

    def card(self, name: str = "approves") -> str:
        """The id of a test card in the vault, where it is kept once."""
        if name not in self.kept:
            kept = self.keep(name)
            assert kept.status_code == 201, kept.text
            self.kept[name] = kept.json()["id"]
        return self.kept[name]

    def pay(
        self, order: str, card: str, amount: int = 1000, key: str | None = None, **more: Any
    ) -> httpx.Response:
        """Pay an order by card; without a key the body stands for it."""
        body = {"amount": amount, "currency": "GBP", "source": {"card": card}, **more}
        given = {"Idempotency-Key": key} if key else None
        return self.shop.http.post(f"/v1/payments/{order}", json=body, headers=given)

    def authorize(self, order: str, card: str, amount: int = 1000, **more: Any) -> httpx.Response:
        """Have the money of an order reserved."""
        return self.pay(order, card, amount, capture="manual", **more)

    def top_up(self, wallet: str, card: str, amount: int = 1000, key: str | None = None) -> httpx.Response:
        """Fund a wallet."""
        body = {"wallet": wallet, "card": card, "amount": amount, "currency": "GBP"}
        return self.shop.http.post("/v1/topups", json=body, headers=headers(key))

    def topup(self, topup_id: str) -> dict[str, Any]:
        """A top-up, as it is now."""
        found: dict[str, Any] = self.shop.http.get(f"/v1/topups/{topup_id}").json()
        return found

    def refund_status(self, order: str, refund_id: str) -> str:
        """Where a refund stands now."""
        found = self.shop.http.get(f"/v1/payments/{order}/refunds/{refund_id}").json()
        return str(found["status"])

    def problem(self, answer: httpx.Response) -> tuple[int, str | None]:
        """Status, and the code of a problem."""
        return answer.status_code, answer.json().get("code")
