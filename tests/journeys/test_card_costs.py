"""What card business costs: write units and calls, as DynamoDB counts them, and no call to KMS."""

import json
from typing import Any

import pytest

from functions.payments import app as payments
from local.system import System
from tests.functions.inside import Answer, Inside
from tests.journeys.till import Till

pytestmark = pytest.mark.usefixtures("hasty_engine")

Cost = tuple[float, int, int, int]
"""Write units, write calls, read calls, KMS calls."""


class Counter:
    """A caller inside this process who reads the bill off the log line."""

    def __init__(self, till: Till, output: pytest.CaptureFixture[str]) -> None:
        self.caller = Inside(till.shop.key)
        self.output = output
        self.wallet = till.shop.wallet()
        self.card = till.card()
        self.declined = till.card("do_not_honor")
        # Nothing is counted until principal and data key are at hand.
        assert self.pay("warm")[0].status == 201

    def __call__(self, path: str, body: Any = None, key: str | None = None) -> tuple[Answer, Cost]:
        headers = {"idempotency_key": key} if key else {}
        answer = self.caller("POST", path, body, **headers)
        return answer, self.bill()

    def bill(self) -> Cost:
        logged = json.loads(self.output.readouterr().out.splitlines()[-1])
        return logged["write_units"], logged["write_calls"], logged["read_calls"], logged["key_calls"]

    def pay(self, order: str, **more: Any) -> tuple[Answer, Cost]:
        body = {"amount": 1000, "currency": "GBP", "source": {"card": self.card}, **more}
        return self(f"/v1/payments/{order}", body, key=f"pay {order}")

    def top_up(self, key: str, card: str | None = None) -> tuple[Answer, Cost]:
        body = {"wallet": self.wallet, "card": card or self.card, "amount": 1000, "currency": "GBP"}
        return self("/v1/topups", body, key=key)


@pytest.fixture
def ask(till: Till, capsys: pytest.CaptureFixture[str]) -> Counter:
    return Counter(till, capsys)


def test_a_card_payment(ask: Counter) -> None:
    # The payment and its list entry; then, as a transaction, the payment and the entry of the journal.
    assert ask.pay("1")[1] == (6, 2, 1, 0)
    # The refused put; the card is read before it.
    answer, cost = ask.pay("1")
    assert answer.is_replay
    assert cost == (1, 1, 1, 0)


def test_a_top_up(ask: Counter) -> None:
    assert ask.top_up("key")[1] == (8, 2, 2, 0)
    answer, cost = ask.top_up("key")
    assert answer.is_replay
    assert cost == (0, 0, 1, 0)


def test_a_declined_payment_and_a_declined_top_up(ask: Counter) -> None:
    declined = {"card": ask.declined}
    answer, cost = ask.pay("1", source=declined)
    assert (answer.status, cost) == (402, (3, 2, 1, 0))
    answer, cost = ask.pay("1", source=declined)
    assert (answer.status, answer.is_replay, cost) == (402, True, (1, 1, 1, 0))
    answer, cost = ask.top_up("key", ask.declined)
    assert (answer.status, cost) == (402, (3, 2, 2, 0))


def test_what_follows_an_authorization(ask: Counter) -> None:
    # One more than a payment's first write: it enters the index of those that expire.
    assert ask.pay("1", capture="manual")[1] == (4, 2, 1, 0)
    assert ask("/v1/payments/1/capture")[1] == (6, 2, 1, 0)
    assert ask("/v1/payments/1/capture")[1] == (0, 0, 1, 0)
    ask.pay("2", capture="manual")
    assert ask("/v1/payments/2/cancel")[1] == (3, 2, 1, 0)
    assert ask("/v1/payments/2/cancel")[1] == (0, 0, 1, 0)


def test_a_refund_by_card(ask: Counter) -> None:
    ask.pay("1")
    body = {"amount": 100}
    assert ask("/v1/payments/1/refunds", body, key="a")[1] == (10, 2, 3, 0)
    answer, cost = ask("/v1/payments/1/refunds", body, key="a")
    assert answer.is_replay
    assert cost[1:] == (1, 1, 0)


def test_who_finds_out(till: Till, ask: Counter, hasty_engine: System) -> None:
    assert ask.pay("1", source={"card": till.card("charged_silently")})[0].status == 202
    body = json.dumps({"merchant_id": till.shop.id, "order_id": "1"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("functions.payments.resolution._seconds_until_due", lambda _: 0)
        payments.resolve({"Records": [{"messageId": "1", "body": body}]}, None)
    assert ask.bill() == (4, 1, 1, 0)
