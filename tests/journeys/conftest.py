"""What journeys have in common: in the end the books are right."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx
import pytest

from ledger import journal
from local.system import System
from tests.conftest import Shop, _reconnect, connect, onboard
from tests.journeys.reconciling import reconcile
from tests.journeys.till import HASTE, Till
from tests.lending import lent


@pytest.fixture
def money_is_neither_made_nor_lost(platform: httpx.Client, engine: System) -> Iterator[None]:
    """I1 and I2 when the test is over: everything adds up to zero, and nothing guarded is negative."""
    yield
    total = platform.get("/v1/ledger/trial-balance?source=journal").json()
    assert total["balanced"], total
    assert all(currency["total"] == 0 for currency in total["data"])
    for item in journal.whole_ledger():
        if not journal.is_entry(item):
            assert item["available"] >= 0, item
            assert item["held"] >= 0, item


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A second system, which loses patience with its acquirer early: what was lost is found out soon."""
    with lent("hasty", tmp_path_factory.mktemp("hasty") / "state", settings=HASTE) as started:
        yield started


@pytest.fixture(scope="session")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A third one, whose clock is moved: nobody else relies on it."""
    with lent("moved", tmp_path_factory.mktemp("moved") / "state") as started:
        yield started


@pytest.fixture(scope="module")
def hasty_engine(hasty: System) -> Iterator[System]:
    """The hasty system, with this process's own `chassis` connected to its engine while a module runs."""
    before = dict(os.environ)
    os.environ.update(hasty.environment)
    _reconnect()
    yield hasty
    os.environ.clear()
    os.environ.update(before)
    _reconnect()


@pytest.fixture(scope="module")
def operator(hasty: System) -> Iterator[httpx.Client]:
    """The platform of the hasty system, calling."""
    with connect(hasty, hasty.platform_key) as client:
        yield client


@pytest.fixture(scope="module")
def new_till(hasty_engine: System, operator: httpx.Client) -> Iterator[Callable[..., Till]]:
    """Onboards merchants of the hasty system: `new_till(currency="EUR")`."""
    with ExitStack() as connections:

        def onboard_one(**changes: Any) -> Till:
            shop: Shop = onboard(hasty_engine, operator, **changes)
            connections.enter_context(shop.http)
            return Till(shop)

        yield onboard_one


@pytest.fixture
def till(new_till: Callable[..., Till]) -> Till:
    """A merchant of the hasty system, this test's own."""
    return new_till()


@pytest.fixture
def books(hasty_engine: System, operator: httpx.Client) -> Callable[[], None]:
    """Holds the acquirer's statement against the records and the ledger."""
    return partial(reconcile, hasty_engine, operator)
