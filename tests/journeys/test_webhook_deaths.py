"""Workers that deliver are killed again and again: every event arrives, and what comes twice has one id."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from chassis import clock, events, ids, store
from chassis.events import Message
from chassis.operations import Intent
from functions.webhooks import model, table
from functions.webhooks.records import StoredEndpoint
from functions.webhooks.shapes import DeliveryQuery, DeliveryStatus, NewEndpoint
from infra.declaration import QUEUES, TABLES
from local.provision import provision
from local.system import System
from tests.conftest import _reconnect
from tests.functions.webhooks.telling import an_event
from tests.journeys.till import await_until
from tests.receiver import answers, receiving

STAGE = "killed"
EVENTS = 80
DEATHS = 4
COMMAND = ("-m", "runtime.queues", "functions.webhooks.app", "--wait-seconds", "1")


@pytest.fixture(scope="module")
def engine(system: System) -> Iterator[System]:
    """A table and queues of this test's own on the shared engine, which no other worker knows."""
    before = dict(os.environ)
    os.environ.update(system.environment)
    os.environ["TAEL_STAGE"] = STAGE
    _reconnect()
    tables = [declared for declared in TABLES if declared.writer == "functions.webhooks"]
    queues = [
        # What a killed worker had in hand comes again soon, and as often as one is killed.
        replace(queue, visibility_seconds=1, max_receives=10 * DEATHS)
        for queue in QUEUES
        if queue.consumer.startswith("functions.webhooks.")
    ]
    provision(tables, queues, streams=())
    yield system
    os.environ.clear()
    os.environ.update(before)
    _reconnect()


def endpoint_at(url: str) -> StoredEndpoint:
    principal = ids.random("mer")
    intent = Intent(principal, "POST /v1/webhook-endpoints", key="one", fingerprint="f")
    made = model.new_endpoint(principal, intent, NewEndpoint(url=url, events=["*"]), clock.now())
    store.commit(table.save_endpoint(made))
    return made


@contextmanager
def worker() -> Iterator[None]:
    """A process that records and delivers, and is killed in the end."""
    with subprocess.Popen([sys.executable, *COMMAND], stdout=subprocess.DEVNULL) as process:
        yield
        process.kill()


def is_delivered(endpoint: StoredEndpoint) -> bool:
    """Whether every event has been delivered, and that is known."""
    done = DeliveryQuery(limit=100, status=DeliveryStatus.SUCCEEDED)
    return len(table.deliveries_to(endpoint.id, done).data) == EVENTS


def test_no_event_is_lost_by_killing(engine: System) -> None:
    with receiving() as receiver:
        receiver.act("/hooks", answers(after_seconds=0.02))
        endpoint = endpoint_at(f"{receiver.url}/hooks")
        told = [an_event(endpoint.principal) for _ in range(EVENTS)]
        events.send(Message("webhook-events", event) for event in told)
        for _ in range(DEATHS):
            number = len(receiver.received) + random.randint(1, EVENTS // DEATHS)
            with worker():
                assert receiver.has("/hooks", number, seconds=30)
        with worker():
            await_until(lambda: is_delivered(endpoint), seconds=30)

    assert {received.id for received in receiver.received} == {event.id for event in told}
    for received in receiver.received:
        received.verify(model.secret_of(endpoint, endpoint.secret_id))
