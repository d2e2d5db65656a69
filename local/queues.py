"""Brings the declared queues into being, each with its dead-letter queue."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from chassis import aws
from chassis.config import Engine, queue_name, settings
from infra.declaration import Queue, Stream
from local.errors import LocalError

RETENTION_SECONDS = 14 * 24 * 60 * 60
"""The longest that SQS keeps a message: time to look at what failed."""
MESSAGE_BYTES = 256 * 1024

Attributes = dict[str, str]


def provision(queues: Iterable[Queue], streams: Iterable[Stream]) -> None:
    """Create what is missing and set right what differs; in the cloud only check."""
    sqs = aws.client("sqs")
    dead = [queue.dead_letter for queue in queues] + sorted({stream.failures for stream in streams})
    if settings().engine is Engine.AWS:
        _require_all(sqs, [*dead, *(queue.name for queue in queues)])
        return
    kept = {"MessageRetentionPeriod": str(RETENTION_SECONDS), "MaximumMessageSize": str(MESSAGE_BYTES)}
    for name in dead:
        _ensure(sqs, name, kept)
    for queue in queues:
        redrive = {"deadLetterTargetArn": _arn(sqs, queue.dead_letter), "maxReceiveCount": queue.max_receives}
        visibility = {"VisibilityTimeout": str(queue.visibility_seconds)}
        _ensure(sqs, queue.name, {**kept, **visibility, "RedrivePolicy": json.dumps(redrive)})


def find(sqs: Any, name: str) -> str | None:
    """The URL of a declared queue, or None when there is none."""
    try:
        return str(sqs.get_queue_url(QueueName=queue_name(name))["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist:
        return None


def _ensure(sqs: Any, name: str, attributes: Attributes) -> None:
    # Not by creating it again: of an existing queue SQS refuses any attribute that has changed meanwhile.
    url = find(sqs, name)
    if url is None:
        sqs.create_queue(QueueName=queue_name(name), Attributes=attributes)
    else:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


def _arn(sqs: Any, name: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=find(sqs, name), AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def _require_all(sqs: Any, names: Sequence[str]) -> None:
    missing = ", ".join(queue_name(name) for name in names if find(sqs, name) is None)
    if missing:
        raise LocalError(f"Deploy the stack first: {settings().region} has no queues {missing}.")
