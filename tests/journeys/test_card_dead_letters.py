"""What nobody can find out ends in the dead-letter queue, is counted, and can be asked again."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from acquiring.acquirer import Approved
from chassis import aws, events
from functions.payments import app as payments
from functions.payments import resolution, table
from functions.topups import app as topups
from functions.topups import resolution as topup_resolution
from functions.topups import table as topup_table
from infra.declaration import FUNCTION_TIMEOUT_SECONDS, QUEUES
from local import dead_letters
from local.system import System
from runtime.schedules import scheduled_event
from tests.functions.inside import SERVICES
from tests.journeys.reconciling import reconcile, waiting
from tests.journeys.till import Till, await_until

ASKING = [queue for queue in QUEUES if queue.name in {"payment-resolutions", "topup-resolutions"}]
NAMES = [queue.name for queue in ASKING]


@pytest.fixture
def short_visibility(hasty_engine: System) -> Iterator[None]:
    """What failed is delivered again after a second, not after minutes."""
    sqs = aws.client("sqs")
    for seconds in (1, None):
        for queue in QUEUES:
            visible = {"VisibilityTimeout": str(seconds or queue.visibility_seconds)}
            sqs.set_queue_attributes(QueueUrl=events.queue_url(queue.name), Attributes=visible)
        if seconds:
            yield


def failures(system: System, operation: str) -> list[int]:
    """How many messages each batch of that operation failed with: the metric, out of the log lines."""
    lines = (system.state.logs / "queues.jsonl").read_text().splitlines()
    told: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [
        int(line["Failed"][0]) for line in told if line.get("operation") == operation and line["Failed"][0]
    ]


@pytest.mark.usefixtures("short_visibility")
def test_an_unresolvable_charge_becomes_a_dead_letter_and_is_asked_again(
    till: Till, hasty_engine: System, operator: httpx.Client
) -> None:
    wallet, card = till.shop.wallet(), till.card("unresolvable")
    before = dead_letters.counts()
    assert till.pay("1", card).status_code == 202
    topup_id = till.top_up(wallet, card).json()["id"]
    await_until(lambda: all(dead_letters.counts()[name] == before[name] + 1 for name in NAMES), 40)
    assert sorted(waiting()) == sorted(["1", topup_id])
    assert till.shop.payment("1")["status"] == "processing"
    assert till.topup(topup_id)["status"] == "processing"
    assert till.shop.available(wallet) == 0
    for name, said in zip(
        NAMES, ({"order_id": "1", "merchant_id": till.shop.id}, {"topup_id": topup_id}), strict=True
    ):
        assert said in [json.loads(letter.body) for letter in dead_letters.letters(name)]
    # `resolve` of both services has one name; the metric's other dimension is the service.
    assert sum(failures(hasty_engine, "queue resolve")) >= sum(queue.max_receives for queue in ASKING)

    # A sweep asks once more; meanwhile an operator has asked the acquirer on the telephone.
    asked = sum(failures(hasty_engine, "queue resolve"))
    payments.republish(scheduled_event(), None)
    topups.republish(scheduled_event(), None)
    await_until(lambda: sum(failures(hasty_engine, "queue resolve")) >= asked + 2)
    payment, topup = table.payment(till.shop.id, "1"), topup_table.topup(topup_id)
    assert payment is not None
    assert topup is not None
    resolution.concluded(payment, Approved())
    topup_resolution.concluded(topup, Approved())
    assert till.shop.payment("1")["status"] == "captured"
    assert till.shop.available(wallet) == 1000
    reconcile(hasty_engine, operator)


def test_a_batch_of_questions_that_nobody_answers_ends_before_the_function_is_stopped() -> None:
    """Else those it shares a batch with are delivered again with it, and end in the dead-letter queue too."""
    acquirer_seconds, calls, commit_seconds = 5.0, 2, 5.0
    for service in SERVICES:
        for source in (each for each in service.queues if each.name == "resolve"):
            longest = source.batch_size * (calls * acquirer_seconds + commit_seconds)
            assert longest <= FUNCTION_TIMEOUT_SECONDS, (service.name, source.name, longest)
