"""Plays a plan through the HTTP API, as a shop's own software would."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from local.api import Answer, Api
from local.demo import hands
from local.demo.cards import Card
from local.demo.plan import Day, Plan
from local.demo.steps import Cancellation, Capture, Loan, Payment, Refund, Resolution, Step, TopUp
from local.demo.takings import FEE_BASIS_POINTS, FEE_FIXED
from local.demo.waiting import wait_until

CURRENCY = "GBP"
DELAY_DAYS = 2
"""From the end of a settlement day until its money can be paid out."""
SHOP = {
    "name": "A gift shop",
    "currency": CURRENCY,
    "fee": {"basis_points": FEE_BASIS_POINTS, "fixed": FEE_FIXED},
    "settlement_delay_days": DELAY_DAYS,
}
YEARS_VALID = 3
"""How far ahead the cards expire."""


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
    cards: dict[Card, str] = field(default_factory=dict)
    """Card -> its id in the vault."""
    requests: int = 0
    surprises: list[str] = field(default_factory=list)


def open_shop(platform: Api) -> Shop:
    """Onboard a merchant of its own for each telling, so that the demo can be repeated on one system."""
    created = platform.post("/v1/merchants", SHOP, key=f"demo-{uuid4()}").body
    return Shop(created["id"], created["api_key"]["key"])


def length(plan: Plan) -> int:
    """How many times `play` advances."""
    return len(plan.deposits) + len(plan.cards) + len(plan.steps)


def play(
    plan: Plan, platform: Api, shop: Api, advance: Callable[[], None], end: Callable[[Day], None]
) -> Played:
    """Every wallet, deposit and card, then every step, in order; `advance` is called after each.

    `end` is called after each day.
    """
    played = Played()
    wallets = hands.each(lambda brought: _open_wallet(platform, shop, *brought), plan.deposits.items())
    for customer, wallet in zip(plan.deposits, wallets, strict=True):
        played.wallets[customer] = wallet
        played.requests += 2
        advance()
    for card, card_id in zip(plan.cards, hands.each(partial(_keep_card, shop), plan.cards), strict=True):
        played.cards[card] = card_id
        played.requests += 1
        advance()
    for day in plan.days:
        for step in day.steps:
            _judge(step, perform(shop, step, played), played)
            played.requests += 1
            advance()
        end(day)
    return played


def perform(shop: Api, step: Step, played: Played) -> Answer:
    """Send the request of one step; performing it again sends exactly the same request."""
    match step:
        case Payment():
            return _pay(shop, step, played)
        case Loan():
            return _lend(shop, step, played)
        case TopUp():
            return _top_up(shop, step, played)
        case Capture() | Cancellation() | Refund() | Resolution():
            return _follow_up(shop, step)


def expected_status(step: Step) -> HTTPStatus:
    """The status of the answer that the plan expects."""
    match step:
        case Payment() | TopUp() if step.refusal:
            return HTTPStatus.PAYMENT_REQUIRED
        case Payment() if step.loses_the_answer:
            return HTTPStatus.ACCEPTED
        case Capture() | Cancellation() | Resolution():
            return HTTPStatus.OK
    return HTTPStatus.CREATED


def _pay(shop: Api, payment: Payment, played: Played) -> Answer:
    row = payment.row
    source = (
        {"card": played.cards[payment.card]} if payment.card else {"wallet": played.wallets[row.customer_id]}
    )
    body: dict[str, Any] = {
        "amount": row.amount,
        "currency": CURRENCY,
        "source": source,
        "capture": "manual" if payment.is_held else "automatic",
        "metadata": {"placed_at": row.placed_at, "country": row.country, "lines": str(row.lines)},
    }
    return shop.post(
        f"/v1/payments/{row.order_id}",
        body,
        key=f"order-{row.order_id}-attempt-{payment.attempt}",
        refusal=HTTPStatus.PAYMENT_REQUIRED,
    )


def _follow_up(shop: Api, step: Capture | Cancellation | Refund | Resolution) -> Answer:
    match step:
        case Capture(row):
            body = {"amount": step.amount} if step.left_out else {}
            return shop.post(f"/v1/payments/{row.order_id}/capture", body)
        case Cancellation(row):
            return shop.post(f"/v1/payments/{row.order_id}/cancel")
        case Refund(row):
            asked = {"amount": row.amount, "reason": "articles returned"}
            return shop.post(f"/v1/payments/{row.refund_of}/refunds", asked, key=f"refund-{row.order_id}")
        case Resolution(row):
            return _await_end(shop, f"/v1/payments/{row.order_id}")


def _open_wallet(platform: Api, shop: Api, customer: str, amount: int) -> str:
    owner = f"customer-{customer}"
    wallet: str = shop.post("/v1/wallets", {"owner": owner, "currency": CURRENCY}, key=owner).body["id"]
    money = {"amount": amount, "currency": CURRENCY, "reference": f"bank-transfer-{customer}"}
    platform.post(f"/v1/wallets/{wallet}/deposits", money)
    return wallet


def _keep_card(shop: Api, card: Card) -> str:
    body = {
        "number": card.number,
        "exp_month": 12,
        "exp_year": datetime.now(UTC).year + YEARS_VALID,
        "cvc": "123",
    }
    kept: str = shop.post("/v1/cards", body, key=f"card-{card.payer}-{card.name}").body["id"]
    return kept


def _lend(shop: Api, loan: Loan, played: Played) -> Answer:
    body = {
        "from_wallet": played.wallets[loan.lender],
        "to_wallet": played.wallets[loan.borrower],
        "amount": loan.amount,
        "currency": CURRENCY,
    }
    return shop.post("/v1/transfers", body, key=f"loan-for-{loan.order_id}")


def _top_up(shop: Api, topup: TopUp, played: Played) -> Answer:
    body = {
        "wallet": played.wallets[topup.card.payer],
        "card": played.cards[topup.card],
        "amount": topup.amount,
        "currency": CURRENCY,
    }
    key = f"top-up-for-{topup.order_id}"
    return shop.post("/v1/topups", body, key=key, refusal=HTTPStatus.PAYMENT_REQUIRED)


def _await_end(shop: Api, path: str) -> Answer:
    """The payment once it is known how it ended, or as it stands when patience is over."""
    wait_until(lambda: shop.get(path)["status"] != "processing")
    return Answer(HTTPStatus.OK, shop.get(path), replayed=False)


def _judge(step: Step, answer: Answer, played: Played) -> None:
    """Note an answer that the plan did not expect; a refusal that no plan expects has raised already."""
    expected = expected_status(step)
    code = answer.body.get("decline_code") or answer.body.get("code", "")
    refusal = step.refusal if isinstance(step, Payment | TopUp) else None
    if answer.status != expected or (refusal and code != refusal):
        order_id = step.order_id if isinstance(step, Loan | TopUp) else step.row.order_id
        said = f"{answer.status} {code}".strip()
        played.surprises.append(f"order {order_id}: {said} instead of {expected.value}")
