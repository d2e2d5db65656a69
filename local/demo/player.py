"""Plays a plan through the HTTP API, as a shop's own software would."""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from local.api import Answer, Api
from local.demo.plan import Loan, Payment, Plan

CURRENCY = "GBP"
SHOP = {
    "name": "A gift shop",
    "currency": CURRENCY,
    "fee": {"basis_points": 150, "fixed": 20},
    "settlement_delay_days": 2,
}


@dataclass(frozen=True, slots=True)
class Shop:
    """The merchant of one telling of the story, and its key."""

    id: str
    key: str


@dataclass(slots=True)
class Played:
    """What was done, and what came back that the plan did not expect."""

    wallets: dict[str, str] = field(default_factory=dict)
    """Customer -> wallet id."""
    requests: int = 0
    surprises: list[str] = field(default_factory=list)


def open_shop(platform: Api) -> Shop:
    """Onboard a merchant of its own for each telling, so that the demo can be repeated on one system."""
    created = platform.post("/v1/merchants", SHOP, key=f"demo-{uuid4()}").body
    return Shop(created["id"], created["api_key"]["key"])


def play(plan: Plan, platform: Api, shop: Api, advance: Callable[[], None]) -> Played:
    """Every wallet, deposit, payment and loan, in order; `advance` is called after each step."""
    played = Played()
    for customer, amount in plan.deposits.items():
        played.wallets[customer] = _open_wallet(platform, shop, customer, amount)
        played.requests += 2
        advance()
    for step in plan.steps:
        if isinstance(step, Payment):
            _judge(step, pay(shop, step, played.wallets), played)
        else:
            _lend(shop, step, played.wallets)
        played.requests += 1
        advance()
    return played


def pay(shop: Api, payment: Payment, wallets: dict[str, str]) -> Answer:
    """Send one attempt; sending it again sends exactly the same request."""
    row = payment.row
    body: dict[str, Any] = {
        "amount": row.amount,
        "currency": CURRENCY,
        "source": {"wallet": wallets[row.customer_id]},
        "metadata": {"placed_at": row.placed_at, "country": row.country, "lines": str(row.lines)},
    }
    return shop.post(
        f"/v1/payments/{row.order_id}",
        body,
        key=f"order-{row.order_id}-attempt-{payment.attempt}",
        refusal=HTTPStatus.PAYMENT_REQUIRED,
    )


def _open_wallet(platform: Api, shop: Api, customer: str, amount: int) -> str:
    owner = f"customer-{customer}"
    wallet: str = shop.post("/v1/wallets", {"owner": owner, "currency": CURRENCY}, key=owner).body["id"]
    money = {"amount": amount, "currency": CURRENCY, "reference": f"bank-transfer-{customer}"}
    platform.post(f"/v1/wallets/{wallet}/deposits", money)
    return wallet


def _lend(shop: Api, loan: Loan, wallets: dict[str, str]) -> None:
    body = {
        "from_wallet": wallets[loan.lender],
        "to_wallet": wallets[loan.borrower],
        "amount": loan.amount,
        "currency": CURRENCY,
    }
    shop.post("/v1/transfers", body, key=f"loan-for-{loan.order_id}")


def _judge(payment: Payment, answer: Answer, played: Played) -> None:
    expected = HTTPStatus.CREATED if payment.is_covered else HTTPStatus.PAYMENT_REQUIRED
    code = answer.body.get("code", "")
    if answer.status != expected or (not payment.is_covered and code != "insufficient_funds"):
        said = f"{answer.status} {code}".strip()
        played.surprises.append(f"order {payment.row.order_id}: {said} instead of {expected.value}")
