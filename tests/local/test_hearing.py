"""What the demo says of its webhooks: that it notices what is missing, made up, repeated or tampered with."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from local.api import Api
from local.demo import waiting
from local.demo.ending import Ending
from local.demo.hearing import Ear, Heard, listening
from local.demo.outcome import Outcome
from local.receiver import Delivery
from tests.local.webhook import Registry, body_of, signed

Event = dict[str, Any]
ENDING = Ending(
    payments={
        "1": {"captured": 500},
        "2": {"captured": 700},
        "3": {"captured": 0},
    },
    refunds={"2": [100, 100]},
    wallets={},
    topups=[],
)
OUTCOME = cast(
    "Outcome",
    SimpleNamespace(
        settled=SimpleNamespace(settlements=[{"id": "stl_1", "net": 900}]),
        paid_out=SimpleNamespace(
            trial={"id": "po_1", "status": "returned", "amount": 100},
            whole={"id": "po_2", "status": "paid", "amount": 900},
        ),
    ),
)
LOG: list[Event] = [
    {"id": f"evt_{number}", "type": kind, "data": data}
    for number, (kind, data) in enumerate(
        [
            ("payment.captured", {"order_id": "1", "captured": 500}),
            ("payment.captured", {"order_id": "2", "captured": 700}),
            ("payment.failed", {"order_id": "3", "captured": 0}),
            ("refund.succeeded", {"id": "ref_1", "order_id": "2", "amount": 100}),
            ("refund.succeeded", {"id": "ref_2", "order_id": "2", "amount": 100}),
            ("settlement.open", {"id": "stl_1", "net": 400}),
            ("settlement.closed", {"id": "stl_1", "net": 900}),
            ("settlement.released", {"id": "stl_1", "net": 900}),
            # It was paid before it came back.
            ("payout.paid", {"id": "po_1", "amount": 100}),
            ("payout.returned", {"id": "po_1", "amount": 100}),
            ("payout.paid", {"id": "po_2", "amount": 900}),
        ]
    )
]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0)


def shop_with(log: list[Event]) -> Api:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": log, "next_cursor": None})

    return Api("http://shop", "key", httpx.MockTransport(answer))


def hear(events: list[Event], log: list[Event] = LOG, outcome: Outcome | None = OUTCOME) -> Heard:
    ear = Ear(shop_with(log))
    for event in events:
        ear.hear(Delivery(event["id"], body_of(event)))
    return ear.after(ENDING, outcome)


def test_all_that_happened_was_told() -> None:
    heard = hear([*LOG, LOG[0]])
    assert all(check.holds for check in heard.checks())
    assert (heard.repeated, heard.times.total(), heard.types["payment.captured"]) == (1, 12, 2)
    assert all(check.holds for check in hear(LOG[:5], LOG[:5], outcome=None).checks())


def other(position: int, **changes: Any) -> Event:
    event = LOG[position]
    return event | {"data": event["data"] | changes}


@pytest.mark.parametrize(
    ("tell", "contradiction"),
    [
        (lambda: hear(LOG[1:]), "payment.captured 1 of £5.00"),
        (lambda: hear(LOG[:4] + LOG[5:]), "refund.succeeded 2 of £1.00: 1 instead of 2"),
        (lambda: hear(LOG[:6] + LOG[7:]), "settlement.closed stl_1 of £9.00"),
        (lambda: hear(LOG[:9] + LOG[10:]), "payout.returned po_1 of £1.00"),
        (lambda: hear([other(0, captured=501), *LOG[1:]]), "payment.captured 1 of £5.01"),
        (
            lambda: hear([*LOG, LOG[0] | {"id": "evt_again"}]),
            "payment.captured 1 of £5.00: 2 instead of 1",
        ),
        (lambda: hear(LOG[:2] + LOG[3:]), "evt_2, payment.failed: it never came"),
        (lambda: hear(LOG, LOG[1:]), "evt_0, payment.captured: it is not in the log"),
        (
            lambda: hear([*LOG[:2], other(2, amount=1), *LOG[3:]]),
            "evt_2, payment.failed: it is another in the",
        ),
        (lambda: hear([*LOG, other(2, amount=1)]), "evt_2: it came again, and was another"),
    ],
)
def test_a_fault_is_noticed(tell: Callable[[], Heard], contradiction: str) -> None:
    contradictions = [each for check in tell().checks() for each in check.contradictions]
    assert [each for each in contradictions if contradiction in each], contradictions


def test_a_delivery_that_does_not_verify_is_noticed() -> None:
    ear = Ear(shop_with(LOG))
    ear.hear(Delivery(None, b"", "Missing required headers"))
    assert next(ear.after(ENDING, OUTCOME).checks()).contradictions == (
        "a delivery: Missing required headers",
    )


def test_the_shop_listens_at_an_endpoint_of_its_own() -> None:
    registry = Registry()
    with registry.api() as shop, listening(shop) as ear:
        assert ear
        url = registry.endpoints["we_new"]
        event = LOG[0]
        assert httpx.post(url, content=body_of(event), headers=signed(event)).status_code == 204
        assert ear.heard() == {"evt_0": event}
    assert registry.endpoints == {}


def test_a_system_that_does_not_send_to_here_is_not_listened_to() -> None:
    registry = Registry()
    registry.refusal = 422
    with registry.api() as shop, listening(shop) as ear:
        assert ear is None
