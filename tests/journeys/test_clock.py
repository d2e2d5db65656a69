"""A clock that is moved: days pass in seconds for the whole system, and money moves when it is due."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from local.main import app
from local.system import System
from tests.conftest import Shop, connect, onboard

DAY_SECONDS = 24 * 60 * 60
PATIENCE_SECONDS = 20.0


@pytest.fixture(scope="module")
def operator(moved: System) -> Iterator[httpx.Client]:
    with connect(moved, moved.platform_key) as client:
        yield client


def tael(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--state", str(state)])


def ahead(operator: httpx.Client) -> int:
    seconds: int = operator.get("/local/system").json()["clock_ahead_seconds"]
    return seconds


def await_status(shop: Shop, order_id: str, status: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while shop.payment(order_id)["status"] != status:
        assert time.monotonic() < deadline, shop.payment(order_id)
        time.sleep(0.05)


def test_an_authorization_expires_in_seconds(moved: System, operator: httpx.Client) -> None:
    shop = onboard(moved, operator)
    with shop.http:
        wallet = shop.wallet(1000)
        held = shop.authorize("1", wallet, 400).json()
        assert shop.balance(wallet) == (600, 400)

        before = ahead(operator)
        advanced = tael(moved.state.path, "clock", "advance", "8d")
        assert (advanced.exit_code, advanced.stderr) == (0, "")
        assert advanced.stdout.endswith(" ahead)\n")
        assert ahead(operator) == before + 8 * DAY_SECONDS

        await_status(shop, "1", "canceled")
        expired = shop.payment("1")
        assert expired["cancellation_reason"] == "expired"
        assert expired["updated_at"] > held["expires_at"]
        assert shop.balance(wallet) == (1000, 0)

        # The days have passed for those who come later too, and nothing is left to be done.
        assert shop.pay("2", wallet, 100).json()["created_at"] > held["expires_at"]
        assert tael(moved.state.path, "run", "payments.expire").stdout == "payments.expire: 0 done\n"


def test_who_moves_it_at_once_moves_it_by_all_of_that(moved: System, operator: httpx.Client) -> None:
    before = ahead(operator)
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda _: operator.post("/local/clock", json={"advance_seconds": 7}), range(24))
        )
    assert [answer.status_code for answer in answers] == [200] * 24
    seen = [answer.json()["clock_ahead_seconds"] for answer in answers]
    assert max(seen) == ahead(operator) == before + 24 * 7
    assert tael(moved.state.path, "clock", "show").stdout.endswith(" ahead)\n")
