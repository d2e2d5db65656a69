"""The system's own account of the story, read back from the API."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, Self

from local.api import Api
from local.demo.steps import Balance, Status

Source = Literal["wallet", "card"]


@dataclass(frozen=True, slots=True)
class Ending:
    """Every payment, wallet and top-up of the shop."""

    payments: dict[str, dict[str, Any]]
    """Order -> payment."""
    refunds: dict[str, list[int]]
    """Order -> the amounts of its refunds, newest first; only orders that say they have some."""
    wallets: dict[str, dict[str, Any]]
    """Wallet id -> wallet."""
    topups: list[dict[str, Any]]

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
            topups=list(shop.pages("/v1/topups")),
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
        return self.refunded_to("wallet") + self.refunded_to("card")

    def refunded_to(self, source: Source) -> list[int]:
        """The amount of each refund that went back there."""
        return [
            amount
            for order_id, amounts in self.refunds.items()
            for amount in amounts
            if source in self.payments[order_id]["source"]
        ]

    @property
    def balances(self) -> dict[str, Balance]:
        """Wallet id -> its money."""
        return {wallet: Balance(body["available"], body["held"]) for wallet, body in self.wallets.items()}

    @property
    def topped_up(self) -> list[int]:
        """The amount of each top-up that succeeded."""
        return [topup["amount"] for topup in self.topups if topup["status"] == "succeeded"]

    @property
    def charges(self) -> dict[str, tuple[int, int, int, bool]]:
        """Attempt id -> what its payment says that the card was charged: see `statement.Figures`."""
        return {
            attempt["attempt_id"]: (
                payment["amount"],
                payment["captured"],
                payment["refunded"],
                payment["status"] == "canceled",
            )
            for payment in self.payments.values()
            for attempt in payment["attempts"]
            if "card" in attempt["source"] and attempt["outcome"] != "failed"
        }

    def costs(
        self, statuses: Collection[Status], capture: str | None = None, source: Source | None = None
    ) -> list[int]:
        """What each order costs that stands like this, of one way to be captured and paid or of any."""
        return [
            payment["amount"]
            for payment in self.payments.values()
            if payment["status"] in statuses
            and capture in {None, payment["capture"]}
            and (source is None or source in payment["source"])
        ]
