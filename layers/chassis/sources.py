"""Owns what a service does without being asked over HTTP: its schedules, its queues, its streams."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalice.app import Chalice, CloudWatchEvent, DynamoDBEvent, Rate, SQSEvent
from pydantic import BaseModel

from chassis import attributes, events, ids, messages, observe
from chassis.attributes import Item
from chassis.events import EventType, Message
from chassis.observe import BatchRecord, Casualty
from chassis.proxy import Event

Invoke = Callable[[Event, Any], Any]
"""What Lambda calls with an event and its context."""
Publish = Callable[[Sequence["Change"]], Iterable[Message] | None]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A handler that runs every so many minutes; `invoke` takes EventBridge's event, as Lambda does."""

    name: str
    every_minutes: int | None
    """None: only when somebody asks for it."""
    invoke: Invoke


@dataclass(frozen=True, slots=True)
class QueueSource:
    """A handler of a queue's messages, and how many of them it is given at once."""

    name: str
    queue: str
    batch_size: int
    window_seconds: int
    """How long a batch is gathered after its first message; above ten messages it takes at least 1."""
    concurrency: int | None
    """How many batches may be handled at once, where that is limited."""
    invoke: Invoke


@dataclass(frozen=True, slots=True)
class StreamSource:
    """A handler of a table's changes, in order for each key."""

    name: str
    table: str
    batch_size: int
    window_seconds: int
    retries: int
    """How often a change that fails by itself is tried again before it is given up."""
    tells_shards: bool
    """Whether its events must name their shard: Lambda does that under a tumbling window only."""
    invoke: Invoke

    @property
    def failures(self) -> str:
        """The queue for what was given up, outside Lambda (there it is the mapping's own destination)."""
        return f"{self.table}-failures"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one item, as plain values: a new item has no old image, a deleted one no new image."""

    sequence_number: str
    key: Item
    old: Item | None
    new: Item | None
    shard: str | None = None
    """The shard that it was read from, in which sequence numbers only grow; told where that was asked for."""

    @property
    def entered(self) -> Item | None:
        """The item as it is now, where it is new or its `status` has become another one."""
        if self.new is None or self.old is None or self.old.get("status") != self.new.get("status"):
            return self.new
        return None


class FailedAt(Exception):
    """The change that could not be handled; what came before it could, and `messages` tell of that."""

    def __init__(self, change: Change, messages: Sequence[Message] = ()) -> None:
        super().__init__(f"failed at {change.sequence_number}")
        self.change = change
        self.messages = messages


def each(changes: Iterable[Change], tell: Callable[[Change], Iterable[Message]]) -> list[Message]:
    """What every change has to tell; FailedAt for one that fails, so that only it and what follows wait."""
    messages: list[Message] = []
    for change in changes:
        try:
            messages += tell(change)
        except Exception as error:
            raise FailedAt(change, messages) from error
    return messages


class Sources:
    """The event sources of a service: declared by decorators that leave the function Lambda is to call."""

    def __init__(self, name: str, app: Chalice) -> None:
        self.name = name
        self.app = app
        self.schedules: list[Schedule] = []
        self.queues: list[QueueSource] = []
        self.streams: list[StreamSource] = []
        self.events: list[EventType] = []

    def event(self, name: str, resource: type[BaseModel], summary: str) -> None:
        """Declare a type of event that this service tells, whose data is this resource."""
        self.events.append(EventType(name, resource, summary))

    def schedule(self, name: str, *, every_minutes: int | None) -> Callable[[Callable[[], int]], Invoke]:
        """Declare the decorated function as what runs every so many minutes; it returns how much it did.

        Every None minutes it runs only when somebody asks for it. The name is the function's own, by which
        an image's command finds it; so it is with the others.
        """

        def register(run: Callable[[], int]) -> Invoke:
            def handler(event: CloudWatchEvent) -> dict[str, int]:
                return {"done": _run(self.name, name, str(event.event_id), run)}

            def asked(event: Event, _: Any) -> dict[str, int]:
                return {"done": _run(self.name, name, str(event.get("id") or ids.random("run")), run)}

            invoke: Invoke
            if every_minutes is None:
                invoke = self.app.lambda_function(name=name)(asked)
            else:
                invoke = self.app.schedule(Rate(every_minutes, unit=Rate.MINUTES), name=name)(handler)
            self.schedules.append(Schedule(name, every_minutes, invoke))
            return invoke

        return register

    def queue(
        self,
        name: str,
        *,
        queue: str,
        batch_size: int = 10,
        window_seconds: int = 0,
        concurrency: int | None = None,
    ) -> Callable[[Callable[[Any], object]], Invoke]:
        """Declare the decorated function as the consumer of a queue.

        It takes one message, of whatever type its parameter has, and one that it raises for is delivered
        again by itself. Or it takes a Sequence of messages, and returns the failures among them, by their
        position. A message that is not of the type never reaches it, and is delivered again by itself too.
        """
        if batch_size > events.BATCH_MESSAGES and not window_seconds:
            raise ValueError(f"a batch of more than {events.BATCH_MESSAGES} needs a window to be gathered in")

        def register(consume: Callable[[Any], object]) -> Invoke:
            consumer = messages.consumer(consume)

            def handler(event: SQSEvent) -> Event:
                return _consume(self.name, name, event.to_dict(), consumer)

            invoke: Invoke = self.app.on_sqs_message(
                queue=queue,
                batch_size=batch_size,
                name=name,
                maximum_batching_window_in_seconds=window_seconds,
            )(handler)
            self.queues.append(QueueSource(name, queue, batch_size, window_seconds, concurrency, invoke))
            return invoke

        return register

    def stream(
        self,
        name: str,
        *,
        table: str,
        batch_size: int = 100,
        window_seconds: int = 0,
        retries: int = 10,
        tells_shards: bool = False,
    ) -> Callable[[Publish], Invoke]:
        """Declare the decorated function as what a table's changes are told to: it returns what to send.

        It takes a list, oldest first. When it raises FailedAt, that change and all after it are delivered
        again; at any other failure the whole list is, in halves, until the one at fault is alone.
        """

        def register(publish: Publish) -> Invoke:
            def handler(event: DynamoDBEvent) -> Event:
                return _publish(self.name, name, event.to_dict(), publish)

            invoke: Invoke = self.app.on_dynamodb_record(
                stream_arn=table,
                batch_size=batch_size,
                starting_position="TRIM_HORIZON",
                name=name,
                maximum_batching_window_in_seconds=window_seconds,
            )(handler)
            self.streams.append(
                StreamSource(name, table, batch_size, window_seconds, retries, tells_shards, invoke)
            )
            return invoke

        return register


def _run(service: str, name: str, event_id: str, run: Callable[[], int]) -> int:
    """Run a schedule's work and leave one log line; a failure is raised again, for Lambda to count."""
    record = observe.RequestRecord(event_id, operation=f"schedule {name}")
    with observe.reported(service, record):
        return run()


def _consume(service: str, name: str, event: Event, consumer: messages.Consumer) -> Event:
    """Give out a batch of messages; the answer names those that are to be delivered again."""
    records = event["Records"]
    record = BatchRecord(ids.random("req"), f"queue {name}", received=len(records))
    with observe.reported(service, record):
        failed = consumer.take({message["messageId"]: message["body"] for message in records})
        record.failures = [Casualty.of(message_id, error) for message_id, error in failed.items()]
    return _failures(record)


def _publish(service: str, name: str, event: Event, publish: Publish) -> Event:
    """Tell a batch of changes; the answer names the first one that is to be delivered again."""
    records = event["Records"]
    record = BatchRecord(ids.random("req"), f"stream {name}", received=len(records))
    with observe.reported(service, record):
        changes, undecodable = _decoded(records, event.get("shardId"))
        if undecodable:
            record.failures.append(undecodable)
        try:
            messages = publish(changes) if changes else ()
        except FailedAt as failure:
            record.failures = [Casualty.of(failure.change.sequence_number, failure.__cause__ or failure)]
            messages = failure.messages
        events.send(messages or ())
    # Under a tumbling window Lambda hands the state on to the next batch, and insists on getting one.
    return _failures(record) | ({"state": {}} if "window" in event else {})


def _decoded(records: Sequence[Mapping[str, Any]], shard: str | None) -> tuple[list[Change], Casualty | None]:
    """The changes up to the first one that cannot be read, and that one."""
    changes: list[Change] = []
    for record in records:
        told = record["dynamodb"]
        try:
            old, new = (
                attributes.decode(told[name]) if name in told else None for name in ("OldImage", "NewImage")
            )
            key = attributes.decode(told["Keys"])
            changes.append(Change(told["SequenceNumber"], key, old, new, shard))
        except Exception as error:  # noqa: BLE001 - an item that nobody could have written, yet there it is
            return changes, Casualty.of(told["SequenceNumber"], error)
    return changes, None


def _failures(record: BatchRecord) -> Event:
    return {"batchItemFailures": [{"itemIdentifier": casualty.id} for casualty in record.failures]}
