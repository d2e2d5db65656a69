"""The system's own account of the story, read back from the API."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

from local.api import Api
from local.demo.steps import Balance, Status


@dataclass(frozen=True, slots=True)
class Ending:
    """Every payment and wallet of the shop."""

    payments: dict[str, dict[str, Any]]
    """Order -> payment."""
    refunds: dict[str, list[int]]
    """Order -> the amounts of its refunds, newest first; only orders that say they have some."""
    wallets: dict[str, dict[str, Any]]
    """Wallet id -> wallet."""

    @classmethod
    def read(cls, shop: Api) -> Self:
        """Read it all, page by page."""
        payments = {payment["order_id"]: payment for payment in shop.pages("/v1/payments")}
        return cls(
            payments,
            refunds={
                order_id: [refund["amount"] for refund in shop.pages(f"/v1/payments/{order_id}/refunds")]
                for order_id, payment in payments.items()
                if payment["refunded"]
            },
            wallets={wallet["id"]: wallet for wallet in shop.pages("/v1/wallets")},
        )

    @property
    def amounts(self) -> list[int]:
        """What each order costs."""
        return [payment["amount"] for payment in self.payments.values()]

    @property
    def captured(self) -> list[int]:
        """What each order that was paid has brought, before refunds."""
        return [payment["captured"] for payment in self.payments.values() if payment["captured"]]

    @property
    def refunded(self) -> list[int]:
        """The amount of each refund."""
        return [amount for amounts in self.refunds.values() for amount in amounts]

    @property
    def balances(self) -> dict[str, Balance]:
        """Wallet id -> its money."""
        return {wallet: Balance(body["available"], body["held"]) for wallet, body in self.wallets.items()}

    def costs(self, statuses: Collection[Status], capture: str | None = None) -> list[int]:
        """What each order costs that stands like this, of one way to be captured or of any."""
        return [
            payment["amount"]
            for payment in self.payments.values()
            if payment["status"] in statuses and capture in {None, payment["capture"]}
        ]
