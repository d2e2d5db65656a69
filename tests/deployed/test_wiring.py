"""What no journey shows: roles that hold, schedules, a message that makes no sense."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from chassis import aws
from infra.declaration import QUEUES
from infra.functions import ScheduleFeed, functions
from local import dead_letters
from local.connection import connected
from local.deployed import Deployed
from tests.deployed.conftest import PATIENCE_SECONDS, STAGE, invoke
from tests.journeys.till import await_until

SCHEDULES = [
    function.name
    for function in functions()
    if isinstance(function.feed, ScheduleFeed) and not function.feed.is_sweep
]
"""Those of each minute; the daily sweeps would cost this suite as many processes again."""
LOGS = f"/aws/lambda/tael-{STAGE}-"


@pytest.fixture(scope="module")
def here(deployed: Deployed) -> Iterator[Deployed]:
    """This process's own `chassis`, connected to the engine that the template was deployed on."""
    with connected(deployed.environment):
        yield deployed


def logged() -> Iterator[tuple[str, str]]:
    """Function -> a line of its log."""
    logs = aws.administrator("logs")
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=LOGS):
        for group in page["logGroups"]:
            name = group["logGroupName"]
            for lines in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
                for line in lines["events"]:
                    yield name.removeprefix(LOGS), line["message"]


def test_what_has_no_role_may_do_nothing(deployed: Deployed) -> None:
    """So whatever a journey brought about, the role of each function on its way allowed."""
    assert httpx.get(f"{deployed.engine_url}/_ministack/health", trust_env=False).json()["auth"] == "enabled"


def test_what_runs_each_minute_runs_as_the_function_that_its_rule_invokes(deployed: Deployed) -> None:
    with ThreadPoolExecutor(len(SCHEDULES)) as threads:
        ran = dict(zip(SCHEDULES, threads.map(lambda name: invoke(deployed, name), SCHEDULES), strict=True))
    assert all(isinstance(said["done"], int) for said in ran.values()), ran


def test_a_message_that_makes_no_sense_ends_in_its_dead_letter_queue(here: Deployed) -> None:
    (queue,) = (each for each in QUEUES if each.name == "settlement-lines")
    sqs = aws.administrator("sqs")
    url = sqs.get_queue_url(QueueName=f"tael-{STAGE}-{queue.name}")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    sqs.send_message(QueueUrl=url, MessageBody="nonsense")
    await_until(lambda: dead_letters.counts()[queue.name] == 1, PATIENCE_SECONDS)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(queue.visibility_seconds)})
    (letter,) = dead_letters.letters(queue.name)
    assert letter.body == "nonsense"
    others = dead_letters.counts()
    assert others.pop(queue.name) == 1
    assert not any(others.values()), others


def test_nothing_failed_unseen(here: Deployed) -> None:
    """No function was refused by its role, or raised, in all that the tests before have made it do."""
    signs = ("not authorized", "AccessDenied", "Traceback", '"level":"ERROR"')
    failed = {f"{function}: {line}" for function, line in logged() if any(sign in line for sign in signs)}
    assert not failed, "\n".join(sorted(failed))
