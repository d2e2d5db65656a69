"""Whom the payments are between: merchants, their customers' wallets, and what was sold so far."""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import repeat
from uuid import uuid4

from local.api import Api
from local.bench.arithmetic import chance
from local.bench.plan import Outcome, Request
from local.demo import hands
from local.errors import LocalError

CURRENCY = "GBP"
FEE_BASIS_POINTS, FEE_FIXED = 150, 20
DEPOSIT = 10**9
"""Of every wallet, in pence: more than anybody spends here."""
SMALLEST, LARGEST = 100, 10_000
"""What an order costs, in pence."""
BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Traffic:
    """How payments are spread."""

    name: str
    merchants: int
    wallets: int


SPREAD = Traffic("spread", merchants=10, wallets=100)
SINGLE = Traffic("single merchant", merchants=1, wallets=100)


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant, and the way it calls."""

    id: str
    key: str
    api: Api


@dataclass(frozen=True, slots=True)
class Sale:
    """An order, who pays it and how much, in minor units."""

    merchant: int
    wallet: str
    order_id: str
    amount: int

    @property
    def fee(self) -> int:
        """What the merchant is charged for it; half a penny is rounded up."""
        return (self.amount * FEE_BASIS_POINTS + BASIS_POINTS // 2) // BASIS_POINTS + FEE_FIXED


@dataclass(slots=True)
class Market:
    """The merchants, each wallet's merchant by number, and every sale that the system accepted."""

    traffic: Traffic
    platform: Api
    merchants: Sequence[Merchant]
    wallets: dict[str, int]
    chooser: random.Random
    sales: list[Sale] = field(default_factory=list)
    offered: int = 0

    def orders(self, count: int) -> list[Sale]:
        """So many new orders of customers in random turn."""
        customers = list(self.wallets.items())
        chosen = self.chooser.choices(customers, k=count)
        first = self.offered
        self.offered += count
        return [
            Sale(merchant, wallet, f"order-{number:06}", self.chooser.randint(SMALLEST, LARGEST))
            for number, (wallet, merchant) in enumerate(chosen, first)
        ]

    def requests(self, orders: Sequence[Sale], moments: Sequence[float] | None = None) -> list[Request]:
        """What pays them, each at its moment where these are given."""
        return [
            Request(f"/v1/payments/{sale.order_id}", self.merchants[sale.merchant].key, _body(sale), due)
            for sale, due in zip(orders, moments or repeat(None, len(orders)), strict=True)
        ]

    def accept(self, orders: Sequence[Sale], outcome: Outcome) -> None:
        """Take them for sold. Raises LocalError where any was not answered with 201."""
        for sale, answer in zip(orders, outcome.answers, strict=True):
            if answer.status != HTTPStatus.CREATED:
                said = answer.said[:300]
                raise LocalError(f"{sale.order_id} was answered {answer.status} instead of 201: {said}.")
        self.sales.extend(orders)

    def sold_by(self, merchant: int) -> list[Sale]:
        """Its sales."""
        return [sale for sale in self.sales if sale.merchant == merchant]


def _body(sale: Sale) -> str:
    return json.dumps({"amount": sale.amount, "currency": CURRENCY, "source": {"wallet": sale.wallet}})


@contextmanager
def opened(traffic: Traffic, url: str, platform_key: str, seed: int) -> Iterator[Market]:
    """Onboard the merchants, and open wallets with money in them."""
    with ExitStack() as stack:
        platform = stack.enter_context(Api(url, platform_key))
        onboarded = hands.each(lambda _: _onboard(platform, url), range(traffic.merchants))
        merchants = [Merchant(each.id, each.key, stack.enter_context(each.api)) for each in onboarded]
        numbers = [number % traffic.merchants for number in range(traffic.wallets)]
        wallets = list(hands.each(lambda number: _open_wallet(platform, merchants[number]), numbers))
        yield Market(traffic, platform, merchants, dict(zip(wallets, numbers, strict=True)), chance(seed))


def _onboard(platform: Api, url: str) -> Merchant:
    body = {
        "name": "A shop of the benchmark",
        "currency": CURRENCY,
        "fee": {"basis_points": FEE_BASIS_POINTS, "fixed": FEE_FIXED},
        "settlement_delay_days": 2,
    }
    made = platform.post("/v1/merchants", body, key=str(uuid4())).body
    key = made["api_key"]["key"]
    return Merchant(made["id"], key, Api(url, key))


def _open_wallet(platform: Api, merchant: Merchant) -> str:
    body = {"owner": "customer", "currency": CURRENCY}
    wallet: str = merchant.api.post("/v1/wallets", body, key=str(uuid4())).body["id"]
    deposit = {"amount": DEPOSIT, "currency": CURRENCY, "reference": "benchmark"}
    platform.post(f"/v1/wallets/{wallet}/deposits", deposit)
    return wallet
