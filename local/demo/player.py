"""Plays a plan through the HTTP API, as a shop's own software would."""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from local.api import Answer, Api
from local.demo.plan import Plan
from local.demo.steps import Cancellation, Capture, Loan, Payment, Refund, Step

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
    """Every wallet and deposit, then every step, in order; `advance` is called after each."""
    played = Played()
    for customer, amount in plan.deposits.items():
        played.wallets[customer] = _open_wallet(platform, shop, customer, amount)
        played.requests += 2
        advance()
    for step in plan.steps:
        _judge(step, perform(shop, step, played.wallets), played)
        played.requests += 1
        advance()
    return played


def perform(shop: Api, step: Step, wallets: dict[str, str]) -> Answer:
    """Send the request of one step; performing it again sends exactly the same request."""
    match step:
        case Payment():
            return _pay(shop, step, wallets)
        case Loan():
            return _lend(shop, step, wallets)
        case Capture():
            body = {"amount": step.amount} if step.left_out else {}
            return shop.post(f"/v1/payments/{step.row.order_id}/capture", body)
        case Cancellation():
            return shop.post(f"/v1/payments/{step.row.order_id}/cancel")
        case Refund():
            asked = {"amount": step.row.amount, "reason": "articles returned"}
            path = f"/v1/payments/{step.row.refund_of}/refunds"
            return shop.post(path, asked, key=f"refund-{step.row.order_id}")


def expected_status(step: Step) -> HTTPStatus:
    """The status of the answer that the plan expects."""
    if isinstance(step, Payment) and not step.is_covered:
        return HTTPStatus.PAYMENT_REQUIRED
    return HTTPStatus.OK if isinstance(step, Capture | Cancellation) else HTTPStatus.CREATED


def _pay(shop: Api, payment: Payment, wallets: dict[str, str]) -> Answer:
    row = payment.row
    body: dict[str, Any] = {
        "amount": row.amount,
        "currency": CURRENCY,
        "source": {"wallet": wallets[row.customer_id]},
        "capture": "manual" if payment.is_held else "automatic",
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


def _lend(shop: Api, loan: Loan, wallets: dict[str, str]) -> Answer:
    body = {
        "from_wallet": wallets[loan.lender],
        "to_wallet": wallets[loan.borrower],
        "amount": loan.amount,
        "currency": CURRENCY,
    }
    return shop.post("/v1/transfers", body, key=f"loan-for-{loan.order_id}")


def _judge(step: Step, answer: Answer, played: Played) -> None:
    """Note an answer that the plan did not expect; a refusal that no plan expects has raised already."""
    expected = expected_status(step)
    code = answer.body.get("code", "")
    is_refused = expected == HTTPStatus.PAYMENT_REQUIRED
    if answer.status != expected or (is_refused and code != "insufficient_funds"):
        order_id = step.order_id if isinstance(step, Loan) else step.row.order_id
        said = f"{answer.status} {code}".strip()
        played.surprises.append(f"order {order_id}: {said} instead of {expected.value}")
