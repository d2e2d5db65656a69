"""What all tests share: one system on the embedded engine, and merchants and wallets to begin with."""

import os
import random
import ssl
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import hypothesis
import pytest

from chassis import aws
from chassis.config import settings
from local.system import System, running
from tests.lending import take_back
from tests.scheduling import LENT, Together, group, turn

SEED = 20101201
"""Of everything random in the tests; hypothesis is derandomized, so its examples are always the same."""


hypothesis.settings.register_profile("tael", derandomize=True, deadline=None)
hypothesis.settings.load_profile("tael")


@pytest.hookimpl(optionalhook=True)  # there is none under `-p no:xdist`
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Share the tests out by the systems that they need."""
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; a system of their own has only who belongs to its group."""
    for item in items:
        for name in LENT & set(getattr(item, "fixturenames", ())):
            if group(item.nodeid) != name:
                raise pytest.UsageError(f"{item.nodeid} needs `{name}`: put its file there in scheduling.py")
    items.sort(key=lambda item: turn(item.nodeid))


@pytest.hookimpl(trylast=True)  # after the fixtures of the module that is over
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Stop the systems that no test to come needs."""
    if nextitem:
        take_back(nextitem.nodeid)


def pytest_report_header() -> str:
    """Say the seed, so that a failure can be repeated."""
    return f"seed: {SEED}"


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(SEED)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system, serving HTTP; every test brings its own merchants and wallets."""
    with running(tmp_path_factory.mktemp("system") / "state") as started:
        yield started


@pytest.fixture(scope="module")
def engine(system: System) -> Iterator[System]:
    """The same system, with this process's own `chassis` connected to its engine while a module runs."""
    before = dict(os.environ)
    os.environ.update(system.environment)
    _reconnect()
    yield system
    os.environ.clear()
    os.environ.update(before)
    _reconnect()


def _reconnect() -> None:
    settings.cache_clear()
    aws.client.cache_clear()


def new_key() -> dict[str, str]:
    """A header that no request had before."""
    return {"Idempotency-Key": str(uuid.uuid4())}


class Served(Protocol):
    """Whatever answers HTTP somewhere."""

    @property
    def url(self) -> str:
        """Where."""


def connect(system: Served, key: str) -> httpx.Client:
    """An HTTP client with that bearer key."""
    return httpx.Client(
        base_url=system.url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=30,
        limits=httpx.Limits(max_connections=64),
        # Nothing here is encrypted; the certificates that each client would read cost it a tenth of a second.
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        trust_env=False,
    )


@pytest.fixture(scope="session")
def platform(system: System) -> Iterator[httpx.Client]:
    """The platform, calling."""
    with connect(system, system.platform_key) as client:
        yield client


@dataclass(frozen=True)
class Shop:
    """A merchant of a test's own, and the way it calls."""

    id: str
    key: str
    http: httpx.Client
    platform: httpx.Client

    def wallet(self, balance: int = 0, currency: str = "GBP") -> str:
        """Open a wallet with money on it; returns its id."""
        opened = self.http.post(
            "/v1/wallets", json={"owner": "customer", "currency": currency}, headers=new_key()
        )
        assert opened.status_code == 201, opened.text
        wallet_id: str = opened.json()["id"]
        if balance:
            self.deposit(wallet_id, balance, currency)
        return wallet_id

    def deposit(self, wallet_id: str, amount: int, currency: str = "GBP") -> None:
        """Credit a wallet."""
        body = {"amount": amount, "currency": currency, "reference": str(uuid.uuid4())}
        answer = self.platform.post(f"/v1/wallets/{wallet_id}/deposits", json=body)
        assert answer.status_code == 201, answer.text

    def available(self, wallet_id: str) -> int:
        """What the wallet can spend."""
        return self.balance(wallet_id)[0]

    def balance(self, wallet_id: str) -> tuple[int, int]:
        """What the wallet can spend, and what is held of it."""
        wallet = self.http.get(f"/v1/wallets/{wallet_id}").json()
        return wallet["available"], wallet["held"]

    def pending(self, currency: str = "GBP") -> int:
        """What was captured for the shop and is not settled: the sum of its entries, true as of now."""
        path, total = f"/v1/ledger/accounts/merchant_pending:{self.id}:{currency}/entries", 0
        cursor: str | None = ""
        while cursor is not None:
            page = self.http.get(path, params={"limit": 100, **({"cursor": cursor} if cursor else {})}).json()
            total += sum(
                entry["amount"] * (1 if entry["direction"] == "credit" else -1) for entry in page["data"]
            )
            cursor = page["next_cursor"]
        return total

    def become(self, wallet_id: str, change: str) -> httpx.Response:
        """Freeze, unfreeze or close a wallet."""
        return self.http.post(f"/v1/wallets/{wallet_id}/{change}")

    def pay(self, order_id: str, wallet_id: str, amount: int, **more: Any) -> httpx.Response:
        """Pay an order from a wallet; `headers` and further members of the body as given."""
        headers = more.pop("headers", None)
        body = {"amount": amount, "currency": "GBP", "source": {"wallet": wallet_id}, **more}
        return self.http.post(f"/v1/payments/{order_id}", json=body, headers=headers)

    def authorize(self, order_id: str, wallet_id: str, amount: int, **more: Any) -> httpx.Response:
        """Hold the money of an order."""
        return self.pay(order_id, wallet_id, amount, capture="manual", **more)

    def capture(self, order_id: str, amount: int | None = None) -> httpx.Response:
        """Capture what is held for an order, all of it or so much."""
        body = None if amount is None else {"amount": amount}
        return self.http.post(f"/v1/payments/{order_id}/capture", json=body)

    def cancel(self, order_id: str) -> httpx.Response:
        """Cancel an order whose money is held."""
        return self.http.post(f"/v1/payments/{order_id}/cancel")

    def refund(self, order_id: str, amount: int | None = None, key: str | None = None) -> httpx.Response:
        """Refund an order, all that is left or so much."""
        headers = {"Idempotency-Key": key} if key else new_key()
        body = None if amount is None else {"amount": amount}
        return self.http.post(f"/v1/payments/{order_id}/refunds", json=body, headers=headers)

    def payment(self, order_id: str) -> dict[str, Any]:
        """The payment of an order, as it is now."""
        answer = self.http.get(f"/v1/payments/{order_id}")
        assert answer.status_code == 200, answer.text
        payment: dict[str, Any] = answer.json()
        return payment


def onboard(system: Served, platform: httpx.Client, **changes: Any) -> Shop:
    """A new merchant, with a connection of its own."""
    body = {
        "name": "Shop",
        "currency": "GBP",
        "fee": {"basis_points": 150, "fixed": 20},
        "settlement_delay_days": 2,
        **changes,
    }
    answer = platform.post("/v1/merchants", json=body, headers=new_key())
    assert answer.status_code == 201, answer.text
    merchant = answer.json()
    key = merchant["api_key"]["key"]
    return Shop(merchant["id"], key, connect(system, key), platform)


@pytest.fixture
def new_shop(system: System, platform: httpx.Client) -> Iterator[Callable[..., Shop]]:
    """Onboards merchants: `new_shop(currency="EUR")`."""
    with ExitStack() as connections:

        def onboard_one(**changes: Any) -> Shop:
            shop = onboard(system, platform, **changes)
            connections.enter_context(shop.http)
            return shop

        yield onboard_one


@pytest.fixture
def shop(new_shop: Callable[..., Shop]) -> Shop:
    """A merchant of this test's own."""
    return new_shop()
