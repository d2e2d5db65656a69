"""A worker gets SIGTERM in the middle of a batch: each message is finished or goes back, and counted once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from chassis import aws, events, ids
from chassis.config import settings
from functions.settlement import table
from functions.settlement.model import settlement_id
from infra.declaration import QUEUES, TABLES
from local.provision import provision
from local.system import System
from tests.conftest import _reconnect
from tests.functions.settlement.deliveries import TODAY, captured
from tests.journeys.interposed import gate

STAGE = "drain"
COMMAND = ("-m", "runtime.queues", "functions.settlement.app", "--only", "collect", "--wait-seconds", "1")
MERCHANTS = 3
PAYMENTS = 4
VISIBILITY_SECONDS = 2
DEADLINE_SECONDS = 30
(QUEUE,) = (queue for queue in QUEUES if queue.consumer == "functions.settlement.app.collect")


@pytest.fixture(scope="module")
def engine(system: System) -> Iterator[System]:
    """Tables and a queue of these tests' own on the shared engine, which no other worker knows."""
    before = dict(os.environ)
    os.environ.update(system.environment)
    os.environ["TAEL_STAGE"] = STAGE
    _reconnect()
    tables = [declared for declared in TABLES if declared.name in {"settlements", "ledger"}]
    provision(tables, [replace(QUEUE, visibility_seconds=VISIBILITY_SECONDS)], streams=())
    yield system
    os.environ.clear()
    os.environ.update(before)
    _reconnect()


class Worker:
    """`python -m runtime.queues` as a pod runs it, which finds its engine as the local overlay says."""

    def __init__(self, engine_url: str | None) -> None:
        mine = {name: value for name, value in os.environ.items() if not name.startswith("TAEL_")}
        key = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
        environment = {**mine, **key, "TAEL_STAGE": STAGE, "AWS_ENDPOINT_URL": engine_url or ""}
        self.process = subprocess.Popen(
            [sys.executable, *COMMAND], env=environment, stdout=subprocess.DEVNULL
        )

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        return self.process.wait(DEADLINE_SECONDS)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start(engine: System) -> Iterator[Callable[[str | None], Worker]]:
    """Starts workers, and leaves none behind."""
    started: list[Worker] = []

    def one(engine_url: str | None) -> Worker:
        started.append(Worker(engine_url))
        return started[-1]

    yield one
    for worker in started:
        worker.kill()


@pytest.fixture
def merchants(engine: System) -> list[str]:
    """New merchants, of whose payments the queue tells."""
    made = [ids.random("mer") for _ in range(MERCHANTS)]
    told = [captured(merchant, str(number)) for number in range(PAYMENTS) for merchant in made]
    sqs, url = aws.client("sqs"), events.queue_url(QUEUE.name)
    for start in range(0, len(told), 10):
        entries = [{"Id": str(at), "MessageBody": json.dumps(event)} for at, event in enumerate(told)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries[start : start + 10])
    return made


def waiting() -> Mapping[str, int]:
    """Messages that could be received now, and those that somebody has in hand."""
    kinds = {"visible": "ApproximateNumberOfMessages", "in flight": "ApproximateNumberOfMessagesNotVisible"}
    found = aws.client("sqs").get_queue_attributes(
        QueueUrl=events.queue_url(QUEUE.name), AttributeNames=list(kinds.values())
    )
    return {kind: int(found["Attributes"][name]) for kind, name in kinds.items()}


def counted(merchants: list[str]) -> list[int]:
    """How many payments the settlement of each merchant counts."""
    found = (table.settlement(settlement_id(merchant, "GBP", TODAY)) for merchant in merchants)
    return [settlement.payments if settlement else 0 for settlement in found]


def is_empty() -> bool:
    return not any(waiting().values())


def await_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition never came"
        time.sleep(0.05)


def finish(start: Callable[[str | None], Worker], engine: System, merchants: list[str]) -> None:
    """Let the next worker do what is left, and hold that each payment was counted once."""
    assert settings().stage == STAGE
    successor = start(engine.engine_url)
    await_until(is_empty)
    successor.terminate()
    assert successor.exit_code() == 0
    assert counted(merchants) == [PAYMENTS] * MERCHANTS
    for merchant in merchants:
        lines = table.all_lines(settlement_id(merchant, "GBP", TODAY))
        assert sorted(line.order_id for line in lines) == [str(number) for number in range(PAYMENTS)]


@pytest.mark.parametrize(
    ("call", "done_by_then"), [("TransactWriteItems", 1), ("DeleteMessageBatch", MERCHANTS)]
)
def test_a_batch_that_was_begun_is_finished(
    engine: System,
    start: Callable[[str | None], Worker],
    merchants: list[str],
    call: str,
    done_by_then: int,
) -> None:
    with gate(engine.engine_url or "", call) as held:
        worker = start(held.url)
        held.wait()
        assert sum(counted(merchants)) == done_by_then * PAYMENTS
        worker.terminate()
        held.open()
        assert worker.exit_code() == 0
    assert counted(merchants) == [PAYMENTS] * MERCHANTS
    assert is_empty()


def test_a_batch_that_was_only_gathered_goes_back_at_once(
    engine: System, start: Callable[[str | None], Worker], merchants: list[str]
) -> None:
    with gate(engine.engine_url or "", "ReceiveMessage") as held:
        worker = start(held.url)
        held.wait()
        assert waiting()["in flight"] > 0
        worker.terminate()
        held.open()
        assert worker.exit_code() == 0
    assert counted(merchants) == [0] * MERCHANTS
    assert waiting() == {"visible": MERCHANTS * PAYMENTS, "in flight": 0}
    finish(start, engine, merchants)


def test_a_batch_whose_worker_is_killed_when_patience_is_over_comes_again(
    engine: System, start: Callable[[str | None], Worker], merchants: list[str]
) -> None:
    with gate(engine.engine_url or "", "TransactWriteItems") as held:
        worker = start(held.url)
        held.wait()
        worker.terminate()
        worker.kill()
    assert sum(counted(merchants)) == PAYMENTS
    finish(start, engine, merchants)
