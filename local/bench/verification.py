"""Whether everything that was paid is there once, and adds up to the penny: what makes a payment verified."""

import time
from collections.abc import Iterator
from typing import Any

from local.api import Api
from local.bench.market import CURRENCY, DEPOSIT, Market, Sale
from local.demo.claims import Check, differences

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 120.0

SETTLED = ("payments", "captured", "fees")


def await_settled(market: Market) -> bool:
    """Wait until settlements have counted every sale; False where patience ends first."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    waiting = set(range(len(market.merchants)))
    expected = {number: len(market.sold_by(number)) for number in waiting}
    while waiting:
        waiting = {number for number in waiting if _counted(market, number)["payments"] < expected[number]}
        if waiting:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
    return True


def checks(market: Market) -> Iterator[Check]:
    """Each claim, with what contradicts it."""
    numbers = range(len(market.merchants))
    sold = {number: market.sold_by(number) for number in numbers}
    yield Check(
        f"{len(market.sales):,} orders are paid, each once, with its amount and its fee",
        tuple(
            line
            for number in numbers
            for line in differences("order", _due(sold[number]), _paid(market.merchants[number].api))
        ),
    )
    yield Check(
        f"{len(market.wallets)} wallets hold what was brought, less what was spent",
        differences("wallet", _left(market), _held(market)),
    )
    yield Check(
        f"{len(numbers)} merchants' balance is what they sold, less fees",
        differences(
            "merchant",
            {number: sum(sale.amount - sale.fee for sale in sold[number]) for number in numbers},
            {number: _pending(market.merchants[number].api) for number in numbers},
        ),
    )
    yield Check(
        "settlements counted every payment once",
        differences(
            "merchant",
            {number: _sums(sold[number]) for number in numbers},
            {number: _counted(market, number) for number in numbers},
        ),
    )
    total = market.platform.get("/v1/ledger/trial-balance", source="journal")
    apart = "" if total["balanced"] else str(total["data"])
    yield Check("the trial balance, from the journal, is zero", (apart,) if apart else ())


def _due(sales: list[Sale]) -> dict[str, tuple[str, int, int]]:
    return {sale.order_id: ("captured", sale.amount, sale.fee) for sale in sales}


def _paid(api: Api) -> dict[str, tuple[str, int, int]]:
    payments = api.pages("/v1/payments")
    return {paid["order_id"]: (paid["status"], paid["captured"], paid["fee"]) for paid in payments}


def _left(market: Market) -> dict[str, int]:
    left = dict.fromkeys(market.wallets, DEPOSIT)
    for sale in market.sales:
        left[sale.wallet] -= sale.amount
    return left


def _held(market: Market) -> dict[str, int]:
    return {
        wallet["id"]: wallet["available"]
        for merchant in market.merchants
        for wallet in merchant.api.pages("/v1/wallets")
    }


def _pending(api: Api) -> int:
    positions = {row["currency"]: row["pending"] for row in api.get("/v1/balance")["data"]}
    pending: int = positions.get(CURRENCY, 0)
    return pending


def _sums(sales: list[Sale]) -> dict[str, int]:
    figures = (len(sales), sum(sale.amount for sale in sales), sum(sale.fee for sale in sales))
    return dict(zip(SETTLED, figures, strict=True))


def _counted(market: Market, number: int) -> dict[str, int]:
    settlements: list[dict[str, Any]] = list(market.merchants[number].api.pages("/v1/settlements"))
    return {name: sum(settlement[name] for settlement in settlements) for name in SETTLED}
