"""Every request leaves one line that says who did what, how it ended and what it cost the storage."""

import json
from typing import Any

import httpx

from local.system import System
from tests.conftest import Shop, new_key


def line(system: System, answer: httpx.Response) -> dict[str, Any]:
    """The only log line of the request that was answered so."""
    request_id = answer.headers["X-Request-Id"]
    log = (system.state.logs / "http.jsonl").read_text().splitlines()
    told = (json.loads(text) for text in log if request_id in text)
    (found,) = (parsed for parsed in told if parsed.get("request_id") == request_id)
    assert isinstance(found, dict)
    return found


def cost(system: System, answer: httpx.Response) -> tuple[float, int, int]:
    """Write units, write calls and read calls of the whole request, authentication included."""
    logged = line(system, answer)
    assert logged["WriteUnits"] == [logged["write_units"]]
    return logged["write_units"], logged["write_calls"], logged["read_calls"]


def test_a_line_says_who_did_what_and_how_it_ended(system: System, shop: Shop) -> None:
    wallet = shop.wallet(100)
    paid, refused = shop.pay("1", wallet, 100), shop.pay("2", wallet, 100)
    again = shop.pay("1", wallet, 100)
    expected = {"operation": "POST /v1/payments/{order_id}", "principal": shop.id, "service": "payments"}
    for answer, status, outcome, replayed in (
        (paid, 201, "ok", False),
        (refused, 402, "insufficient_funds", False),
        (again, 201, "ok", True),
    ):
        logged = line(system, answer)
        told = {**expected, "status": status, "outcome": outcome, "replayed": replayed}
        assert {name: logged[name] for name in told} == told
        assert logged["duration_ms"] > 0
        assert answer.headers["Content-Type"] in {"application/json", "application/problem+json"}
    assert refused.json()["request_id"] == refused.headers["X-Request-Id"]


def test_the_whole_request_keeps_the_budget_of_its_flow(system: System, shop: Shop) -> None:
    one, other = shop.wallet(1000), shop.wallet()
    transfer = {"from_wallet": one, "to_wallet": other, "amount": 100, "currency": "GBP"}
    headers = new_key()

    def send() -> httpx.Response:
        return shop.http.post("/v1/transfers", json=transfer, headers=headers)

    assert cost(system, shop.pay("paid", one, 100)) == (7, 1, 0)
    assert cost(system, shop.pay("paid", one, 100)) == (6, 1, 0)
    assert cost(system, shop.pay("refused", one, 5000)) == (8, 2, 0)
    assert cost(system, shop.pay("refused", one, 5000)) == (6, 1, 0)
    assert cost(system, send()) == (11, 1, 0)
    assert cost(system, send()) == (10, 1, 0)


def test_the_first_request_of_a_key_reads_it_once(system: System, shop: Shop) -> None:
    answer = shop.pay("1", f"wal_{'a' * 24}", 100)
    assert (answer.status_code, cost(system, answer)[1:]) == (404, (1, 1))


def test_openings_deposits_and_onboardings_keep_their_budgets(
    system: System, shop: Shop, platform: httpx.Client
) -> None:
    shop.wallet()
    opened = shop.http.post("/v1/wallets", json={"owner": "x", "currency": "GBP"}, headers=new_key())
    assert cost(system, opened) == (5, 1, 0)
    body = {"amount": 100, "currency": "GBP", "reference": "line 1"}
    deposits = [platform.post(f"/v1/wallets/{opened.json()['id']}/deposits", json=body) for _ in range(2)]
    assert [cost(system, deposit) for deposit in deposits] == [(6, 1, 0), (6, 1, 0)]
    fee = {"basis_points": 0, "fixed": 0}
    merchant = {"name": "Shop", "currency": "GBP", "fee": fee, "settlement_delay_days": 0}
    headers = new_key()
    onboarded = [platform.post("/v1/merchants", json=merchant, headers=headers) for _ in range(2)]
    assert [cost(system, answer) for answer in onboarded] == [(6, 1, 0), (4, 1, 0)]


def test_a_request_that_is_refused_at_the_door_costs_nothing(system: System, shop: Shop) -> None:
    shop.wallet()
    assert cost(system, shop.pay("1", "nonsense", 100)) == (0, 0, 0)
    assert cost(system, shop.http.get("/v1/wallets", headers={"Authorization": "Bearer x"})) == (0, 0, 0)
