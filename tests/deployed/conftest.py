"""The system as it is deployed: the template on the embedded engine, and Tael's own on LocalStack."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from chassis import aws
from chassis.config import Engine
from local import deployed as deployment
from local.connection import connected
from local.deployed import Deployed
from local.system import System, running
from runtime.schedules import scheduled_event
from tests.conftest import Shop, connect, onboard
from tests.journeys.till import Till
from tests.lending import kept

VARIABLE = "TAEL_TEST_LOCALSTACK_URL"
LOCALSTACK = os.environ.get(VARIABLE, "")
STAGE = "dev"
PATIENCE_SECONDS = 90.0
"""Functions start when they are first called, one after the other, on a machine that may be busy."""


@dataclass(frozen=True)
class Place:
    """Where the journeys are made."""

    url: str
    platform_key: str
    acquirer_url: str
    run: Callable[[str], int]
    """Runs a schedule, such as `payouts.reconcile`; returns how much it did."""


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The template, deployed on an engine of its own that holds every function to its role."""
    folder = tmp_path_factory.mktemp("deployed") / "state"
    with kept("deployed", deployment.deployed(folder, STAGE, 0, lambda _: None)) as started:
        yield started


@pytest.fixture(scope="session")
def on_localstack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Tael's own processes on a LocalStack that somebody has started."""
    folder, settings = tmp_path_factory.mktemp("localstack") / "state", {"AWS_ENDPOINT_URL": LOCALSTACK}
    with running(folder, engine=Engine.LOCALSTACK, settings=settings) as started:
        yield started


@pytest.fixture(scope="session", params=["embedded", "localstack"] if LOCALSTACK else ["embedded"])
def place(request: pytest.FixtureRequest) -> Place:
    """Each of them in turn."""
    if request.param == "embedded":
        here: Deployed = request.getfixturevalue("deployed")
        return Place(here.url, here.platform_key, here.acquirer_url, lambda name: invoke(here, name)["done"])
    system: System = request.getfixturevalue("on_localstack")
    return Place(system.url, system.platform_key, str(system.acquirer_url), lambda name: ask(system, name))


def invoke(deployed: Deployed, schedule: str) -> dict[str, Any]:
    """Give a schedule's function the event that its rule would."""
    name = f"tael-{STAGE}-{schedule.replace('.', '-').replace('_', '-')}"
    with connected(deployed.environment):
        answer = aws.administrator("lambda").invoke(
            FunctionName=name, Payload=json.dumps(scheduled_event()).encode()
        )
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, (schedule, said)
    assert isinstance(said, dict)
    return said


def ask(system: System, schedule: str) -> int:
    """Have a schedule run where there are no functions."""
    with connect(system, system.platform_key) as operator:
        answer = operator.post("/local/runs", json={"schedule": schedule})
    assert answer.status_code == 200, answer.text
    done: int = answer.json()["done"]
    return done


@pytest.fixture(scope="session")
def operator(place: Place) -> Iterator[httpx.Client]:
    """The platform, calling."""
    with connect(place, place.platform_key) as client:
        client.timeout = httpx.Timeout(PATIENCE_SECONDS)
        yield client


@pytest.fixture
def open_shop(place: Place, operator: httpx.Client) -> Iterator[Callable[..., Shop]]:
    """Onboards merchants: `open_shop(currency="EUR")`."""
    with ExitStack() as connections:

        def onboard_one(**changes: Any) -> Shop:
            shop = onboard(place, operator, **changes)
            shop.http.timeout = httpx.Timeout(PATIENCE_SECONDS)
            connections.enter_context(shop.http)
            return shop

        yield onboard_one


@pytest.fixture
def shop(open_shop: Callable[..., Shop]) -> Shop:
    """A merchant of this test's own."""
    return open_shop()


@pytest.fixture
def till(shop: Shop) -> Till:
    """That merchant, who takes cards."""
    return Till(shop)
