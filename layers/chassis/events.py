"""Owns events on their way out: what they say, who is told, and the packing and sending to queues."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, SerializeAsAny

from chassis import aws, clock, ids, observe
from chassis.config import ConfigurationError, queue_name, settings
from chassis.errors import Unavailable
from chassis.store import BACKOFF_BASE_SECONDS, BACKOFF_CAP_SECONDS, DEADLINE_SECONDS

# Amazon SQS API Reference, SendMessageBatch: ten entries, and 1 MiB for one message as for all of a call
# (256 KiB until August 2025). Ours are about a kilobyte, and 256 KiB is what every engine takes.
BATCH_MESSAGES: Final = 10
BATCH_BYTES: Final = 256 * 1024
MAX_DELAY_SECONDS: Final = 900
SENT_AT_ONCE: Final = 100
REPEATED_DAYS: Final = 2
"""How far back what was told is told again each day: a stream forgets after one."""

_Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """A message for a declared queue, delivered no sooner than its delay; a value until it is sent."""

    queue: str
    body: BaseModel
    delay_seconds: int = 0

    def __post_init__(self) -> None:
        """Refuse what SQS would refuse, and the embedded engine would not."""
        if not 0 <= self.delay_seconds <= MAX_DELAY_SECONDS:
            raise ValueError(f"a delay is 0 to {MAX_DELAY_SECONDS} seconds, not {self.delay_seconds}")


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event that a capability tells, declared so that it is documented."""

    name: str
    """What it is about and what that did, such as `payment.captured`."""
    resource: type[BaseModel]
    """What its data is."""
    summary: str


class Event(BaseModel):
    """What happened to a record: told at least once, in no promised order, always under the same id."""

    model_config = ConfigDict(frozen=True)

    id: str
    type: str
    """Such as `payment.captured`."""
    created_at: str
    """When it happened."""
    principal: str
    """Whose record it is: a merchant's id, or `platform`."""
    sequence: int
    """The record's version: of two events of one record the greater one is the later."""
    data: SerializeAsAny[BaseModel]
    """The record's resource, as the API shows it."""


def told(event: Event) -> list[Message]:
    """The event for each queue that subscribes to its type; whoever sends it knows none of them.

    Raises ConfigurationError where nobody has said who does: an event that is told to none is lost.
    """
    subscriptions = settings().subscriptions
    if subscriptions is None:
        raise ConfigurationError("TAEL_SUBSCRIPTIONS is not set, and this function has events to tell")
    queues = {
        queue: None
        for pattern, subscribed in subscriptions.items()
        if fnmatchcase(event.type, pattern)
        for queue in subscribed
    }
    return [Message(queue, event) for queue in queues]


def event_id(table: str, key: Mapping[str, str], version: int, kind: str) -> str:
    """The id of what one version of a record tells: the same however often it is told."""
    return ids.derive(
        "evt", table, *(part for name in sorted(key) for part in (name, key[name])), str(version), kind
    )


def repeated_since() -> str:
    """The moment from which on whoever looks for what was lost tells everything once more."""
    return clock.timestamp(clock.now() - timedelta(days=REPEATED_DAYS))


def send(messages: Iterable[Message]) -> None:
    """Hand over every message at least once, in no promised order.

    Raises Unavailable when a queue has not taken all of them in time: some may have arrived, and sending
    the same ones again is what the consumers expect. A message that no queue would take is a ValueError.
    """
    entries: dict[str, list[_Entry]] = {}
    for message in messages:
        mine = entries.setdefault(message.queue, [])
        mine.append(_entry(message, len(mine)))
    for queue, waiting in entries.items():
        for batch in _packed(waiting):
            _send_until_deadline(queue, batch)


def send_as_found(messages: Iterable[Message]) -> int:
    """Hand over what a long search finds, some at a time; returns how many.

    Should it be cut short, what was found until then has been sent.
    """
    sent = 0
    found = iter(messages)
    while some := list(islice(found, SENT_AT_ONCE)):
        send(some)
        sent += len(some)
    return sent


def _entry(message: Message, number: int) -> _Entry:
    body = message.body.model_dump_json()
    if len(body.encode()) > BATCH_BYTES:
        raise ValueError(f"a message for {message.queue} has more than {BATCH_BYTES} bytes")
    return {"Id": str(number), "MessageBody": body, "DelaySeconds": message.delay_seconds}


def _packed(entries: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    batch: list[_Entry] = []
    total = 0
    for entry in entries:
        size = len(entry["MessageBody"].encode())
        if batch and (len(batch) == BATCH_MESSAGES or total + size > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(entry)
        total += size
    if batch:
        yield batch


def _send_until_deadline(queue: str, batch: list[_Entry]) -> None:
    """Send one batch, and again with full jitter what of it the queue did not take."""
    started = clock.monotonic()
    tries = 0
    while batch := _refused(queue, batch):
        ceiling = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2**tries)
        pause = random.uniform(0, ceiling)  # noqa: S311 - jitter, not a secret
        if clock.monotonic() + pause - started > DEADLINE_SECONDS:
            raise Unavailable
        tries += 1
        observe.meter().retries += 1
        clock.sleep(pause)


def _refused(queue: str, batch: list[_Entry]) -> list[_Entry]:
    """Send a batch; returns the entries that are to be sent again."""
    try:
        answer = aws.client("sqs").send_message_batch(QueueUrl=queue_url(queue), Entries=batch)
    except aws.FAILURES as error:
        if not aws.is_transient(error):
            raise
        return batch
    failed = {entry["Id"]: entry for entry in answer.get("Failed", ())}
    for entry in failed.values():
        if entry.get("SenderFault"):  # the message itself is at fault: no repetition would help
            raise ValueError(f"a queue refuses a message: {entry['Code']}")
    return [entry for entry in batch if entry["Id"] in failed]


def queue_url(queue: str) -> str:
    """The address of a declared queue, asked for once."""
    return _url(aws.client("sqs"), queue_name(queue))


@lru_cache(maxsize=64)
def _url(sqs: Any, name: str) -> str:
    return str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
