"""The demo's look at settlements where one lacks money: it is made up for once, and counted once."""

from typing import Any

import httpx

from local.api import Api
from local.demo.settling import Settled
from local.demo.takings import Line

LINES = (Line("refund", "1", 50, 0), Line("payment", "2", 1000, 35))
HEADING = "type,order_id,net\n"


def settlement(number: int, window: str, net: int, **figures: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("payments", "captured", "refunds", "refunded", "fees", "carried_in"), 0)
    known = {"id": f"stl_{number}", "window": window, "status": "released", "net": net, "entries": []}
    return {**nothing, "carried_out": min(net, 0), **known, **figures}


def settled(second: str, *, pending: int = 0) -> Settled:
    lacking = settlement(1, "2026-01-02", -50, refunds=1, refunded=50)
    figures = {"payments": 1, "captured": 1000, "fees": 35, "carried_in": -50, "entries": ["ent_1"]}
    return Settled(
        "mer_1",
        (lacking, settlement(2, "2026-01-03", 915, **figures)),
        LINES,
        {"stl_1": f"{HEADING}refund,1,-50\n", "stl_2": f"{HEADING}{second}"},
        pending,
        available=915,
    )


def failing(settled: Settled) -> list[str]:
    def answer(request: httpx.Request) -> httpx.Response:
        balance = 35 if request.url.path.endswith("fees:GBP") else 0
        entry = {"amount": 35, "account": "merchant_pending:mer_1:GBP", "counterpart": "fees:GBP"}
        return httpx.Response(200, json={"balance": balance, **entry})

    with Api("http://tael", "key", httpx.MockTransport(answer)) as platform:
        return [check.claim for check in settled.checks(LINES, platform) if not check.holds]


def test_what_was_carried_over_is_counted_once() -> None:
    assert failing(settled("payment,2,965\ncarried_over,,-50\n")) == []


def test_a_file_without_what_was_carried_over_is_noticed() -> None:
    (claim,) = failing(settled("payment,2,965\n"))
    assert "CSV" in claim


def test_a_file_that_makes_up_for_a_line_elsewhere_is_noticed() -> None:
    (claim,) = failing(settled("payment,2,900\ncarried_over,,15\n"))
    assert "CSV" in claim


def test_money_that_stays_pending_is_noticed() -> None:
    (claim,) = failing(settled("payment,2,965\ncarried_over,,-50\n", pending=-50))
    assert "released" in claim
