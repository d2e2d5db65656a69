"""What each flow asks of the storage, and what a payment causes after it was answered."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from local.acquirer.deck import APPROVING
from local.bank.accounts import PAYING
from local.bench.load import Load
from local.bench.market import CURRENCY, DEPOSIT, Market
from local.bench.metering import Line, Mark, Use
from local.bench.quiet import await_quiet
from local.demo.nights import pass_time
from local.demo.waiting import wait_until
from local.errors import LocalError
from local.receiver import Delivery, receiving
from local.system import System

TIMES = 20
"""Each flow, one after the other."""
AMOUNT = 1000
MOST_SHARING = 500
"""Payments whose events, settlement and sums are measured together."""
UNTIL_RELEASED = timedelta(days=4)
BANK_FEED = ("payouts", "schedule reconcile")
"""The service and the operation that follow what the bank says."""

SHARES = {
    "its event": {("payments", "stream publish"), ("webhooks", "queue record")},
    "its delivery": {("webhooks", "queue deliver"), ("webhooks", "queue deliver_slowly")},
    "settlement": {("settlement", "queue collect"), ("settlement", "stream publish")},
    "ledger roll-up": {("accounts", "stream roll_up")},
}
"""What happens after a payment was answered -> the services and operations that do it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What something takes on average, each time."""

    name: str
    use: Use
    is_request: bool
    """Whether it is one request to the API; otherwise a share of what batches take."""
    batch: float = 0.0
    """Messages or changes in one batch on average; 0 for a request."""


class Flows:
    """Does each thing so many times, and reads what the functions say of it."""

    def __init__(self, system: System, market: Market) -> None:
        self._logs = system.state.logs
        self._platform = market.platform
        self._merchant = market.merchants[0]
        self._api = self._merchant.api
        self._wallets = [wallet for wallet, owner in market.wallets.items() if owner == 0][:2]
        self._name = uuid4().hex[:8]

    def costs(self) -> Iterator[Cost]:
        """Every flow but payouts, which need money that is settled."""
        post, (payer, other) = self._api.post, self._wallets
        money = {"amount": AMOUNT, "currency": CURRENCY}
        card = {"card": self._card()}
        pay, order = "POST /v1/payments/{order_id}", self._order
        wallet = money | {"source": {"wallet": payer}}
        held = wallet | {"capture": "manual"}
        too_much = wallet | {"amount": 2 * DEPOSIT}
        yield self._cost("wallet payment", pay, lambda n: post(order("wallet", n), wallet))
        yield self._cost("replay of it", pay, lambda n: post(order("wallet", n), wallet))
        yield self._cost(
            "refused payment",
            pay,
            lambda n: post(order("poor", n), too_much, refusal=HTTPStatus.PAYMENT_REQUIRED),
        )
        yield self._cost("card payment", pay, lambda n: post(order("card", n), money | {"source": card}))
        yield self._cost("authorization", pay, lambda n: post(order("held", n), held))
        yield self._cost(
            "its capture", f"{pay}/capture", lambda n: post(f"{order('held', n)}/capture", {"amount": AMOUNT})
        )
        yield self._cost(
            "refund",
            f"{pay}/refunds",
            lambda n: post(f"{order('wallet', n)}/refunds", {"amount": AMOUNT}, key=str(uuid4())),
        )
        topup = money | card | {"wallet": payer}
        yield self._cost("top-up", "POST /v1/topups", lambda _: post("/v1/topups", topup, key=str(uuid4())))
        transfer = money | {"from_wallet": payer, "to_wallet": other}
        yield self._cost(
            "transfer", "POST /v1/transfers", lambda _: post("/v1/transfers", transfer, key=str(uuid4()))
        )

    def payouts(self) -> Iterator[Cost]:
        """Payouts of what was sold and is settled, for which the system's clock is moved ahead."""
        pass_time(self._platform, UNTIL_RELEASED)
        if not wait_until(lambda: self._available() >= TIMES * AMOUNT):
            raise LocalError("No settlement was released, so there is nothing to pay out.")
        account = self._platform.post(
            f"/v1/merchants/{self._merchant.id}/bank-accounts",
            {"holder_name": "A shop of the benchmark", "iban": PAYING.iban, "currency": CURRENCY},
            key=str(uuid4()),
        ).body["id"]
        body = {"amount": AMOUNT, "currency": CURRENCY, "bank_account": account}
        path = "/v1/payouts"
        mark = Mark.now(self._logs)
        yield self._cost("payout", "POST /v1/payouts", lambda _: self._api.post(path, body, key=str(uuid4())))
        if not wait_until(self._all_paid):
            raise LocalError("The bank did not pay every payout.")
        lines = [line for line in mark.since() if (line.service, line.operation) == BANK_FEED]
        yield Cost("its end by the bank", Use.of(lines, TIMES), is_request=False)

    def _available(self) -> int:
        positions = self._api.get("/v1/balance")["data"]
        return sum(row["available"] for row in positions if row["currency"] == CURRENCY)

    def _all_paid(self) -> bool:
        self._platform.post("/local/runs", {"schedule": "payouts.reconcile"})
        return all(payout["status"] == "paid" for payout in self._api.pages("/v1/payouts"))

    def _card(self) -> str:
        year = datetime.now(UTC).year + 3
        card: dict[str, Any] = {"number": APPROVING.number, "exp_month": 12, "exp_year": year, "cvc": "123"}
        kept: str = self._api.post("/v1/cards", card, key=str(uuid4())).body["id"]
        return kept

    def _order(self, kind: str, number: int) -> str:
        return f"/v1/payments/{self._name}-{kind}-{number}"

    def _cost(self, name: str, operation: str, do: Callable[[int], object]) -> Cost:
        mark = Mark.now(self._logs)
        for number in range(TIMES):
            do(number)
        lines = [line for line in mark.since() if line.operation == operation]
        if len(lines) != TIMES:
            raise LocalError(f"{TIMES} times {operation} left {len(lines)} lines in {self._logs}.")
        return Cost(name, Use.of(lines, TIMES), is_request=True)


def shares(system: System, market: Market, load: Load, payments: int) -> Iterator[Cost]:
    """What payments of one merchant cause when they come together, until all is settled and delivered."""
    count = min(payments, MOST_SHARING)
    heard: list[Delivery] = []
    orders = market.orders(count)
    with receiving(market.merchants[0].api, ["payment.captured"], heard.append):
        await_quiet(system)
        mark = Mark.now(system.state.logs)
        outcome = load.send(urlsplit(system.url).port or 0, market.requests(orders))
        market.accept(orders, outcome)
        if not wait_until(lambda: len({delivery.webhook_id for delivery in heard}) >= count):
            raise LocalError(f"Of {count} events {len(heard)} arrived.")
        await_quiet(system)
        lines = list(mark.since())
    if faults := [delivery.fault for delivery in heard if delivery.fault]:
        raise LocalError(f"A webhook could not be verified: {faults[0]}.")
    yield from (_share(name, lines, sources, count) for name, sources in SHARES.items())


def _share(name: str, lines: list[Line], sources: set[tuple[str, str]], count: int) -> Cost:
    own = [line for line in lines if (line.service, line.operation) in sources]
    received = sum(line.received for line in own)
    return Cost(name, Use.of(own, count), is_request=False, batch=received / len(own) if own else 0.0)
