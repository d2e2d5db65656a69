"""The queues: each with its dead-letter queue, and those for what streams and schedules have given up."""

from infra.declaration import QUEUES, STREAMS, Queue
from infra.template.words import Resources, Value, arn, attribute, logical, resource, staged

RETENTION_SECONDS = 14 * 24 * 60 * 60
"""The most that SQS keeps a message; what is dead must not die a second time while nobody looks."""
SCHEDULE_FAILURES = "schedule-failures"
"""The queue for ticks that have failed."""


def queue_id(name: str) -> str:
    """A queue's logical id."""
    return logical(name, "Queue")


def last_resorts() -> tuple[str, ...]:
    """The queues for what was given up; each of their messages is for people."""
    streams = dict.fromkeys(stream.failures for stream in STREAMS)
    return (*(queue.dead_letter for queue in QUEUES), *streams, SCHEDULE_FAILURES)


def queues() -> Resources:
    """Every declared queue, and where what they, the streams and the schedules give up ends."""
    found: Resources = {}
    for queue in QUEUES:
        found[queue_id(queue.name)] = resource("SQS::Queue", _queue(queue))
    for name in last_resorts():
        found[queue_id(name)] = resource("SQS::Queue", _last_resort(name))
    return found


def _queue(queue: Queue) -> dict[str, Value]:
    return {
        **_any(queue.name),
        "VisibilityTimeout": queue.visibility_seconds,
        "RedrivePolicy": {
            "deadLetterTargetArn": attribute(queue_id(queue.dead_letter)),
            "maxReceiveCount": queue.max_receives,
        },
        "RedriveAllowPolicy": {"redrivePermission": "denyAll"},
    }


def _last_resort(name: str) -> dict[str, Value]:
    feeding = [queue.name for queue in QUEUES if queue.dead_letter == name]
    # By name, not by reference: the queue refers to this one already.
    allowed: dict[str, Value] = (
        {"redrivePermission": "byQueue", "sourceQueueArns": [arn("sqs", f"tael-${{Stage}}-{feeding[0]}")]}
        if feeding
        else {"redrivePermission": "denyAll"}
    )
    return {**_any(name), "RedriveAllowPolicy": allowed}


def _any(name: str) -> dict[str, Value]:
    return {
        "QueueName": staged(name),
        "MessageRetentionPeriod": RETENTION_SECONDS,
        "SqsManagedSseEnabled": True,
    }
