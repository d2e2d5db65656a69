"""When a system has nothing left to do: its queues are empty, and no new line was left for a while."""

import time

from chassis import aws
from infra.declaration import QUEUES
from local import queues
from local.connection import connected
from local.errors import LocalError
from local.system import System

QUIET_SECONDS = 1.5
"""Longer than any stream gathers a batch."""
PATIENCE_SECONDS = 180.0
POLL_SECONDS = 0.1
LOGS = ("streams.jsonl", "queues.jsonl")
WAITING = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
"""Delayed ones are reminders of what has ended meanwhile."""


def await_quiet(system: System) -> None:
    """Wait until what was done before is told and counted. Raises LocalError where that takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    known, since = _sizes(system), time.monotonic()
    with connected(system.environment):
        while time.monotonic() - since < QUIET_SECONDS or _waiting():
            if time.monotonic() > deadline:
                raise LocalError(f"The system did not come to rest in {PATIENCE_SECONDS:g} s.")
            time.sleep(POLL_SECONDS)
            now = _sizes(system)
            if now != known:
                known, since = now, time.monotonic()


def _sizes(system: System) -> list[int]:
    return [(system.state.logs / name).stat().st_size for name in LOGS]


def _waiting() -> int:
    """Messages in queues, and in workers' hands: of a long queue, which is read slowly, no line may tell."""
    sqs = aws.client("sqs")
    urls = (queues.find(sqs, queue.name) for queue in QUEUES)
    told = (
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(WAITING))["Attributes"] for url in urls
    )
    return sum(int(attributes[name]) for attributes in told for name in WAITING)
