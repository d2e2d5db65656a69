"""Owns what a service does without being asked over HTTP: its schedules, its queues, its streams."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from chalice.app import Chalice, CloudWatchEvent, DynamoDBEvent, Rate, SQSEvent
from pydantic import BaseModel

from chassis import attributes, events, ids, observe
from chassis.attributes import Item
from chassis.events import Message
from chassis.observe import BatchRecord, Casualty
from chassis.proxy import Event

Invoke = Callable[[Event, Any], Any]
"""What Lambda calls with an event and its context."""
Publish = Callable[[Sequence["Change"]], Iterable[Message] | None]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A handler that runs every so many minutes; `invoke` takes EventBridge's event, as Lambda does."""

    name: str
    every_minutes: int
    invoke: Invoke


@dataclass(frozen=True, slots=True)
class QueueSource:
    """A handler of a queue's messages, and how many of them it is given at once."""

    name: str
    queue: str
    batch_size: int
    window_seconds: int
    """How long a batch is gathered after its first message; above ten messages it takes at least 1."""
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

    def schedule(self, name: str, *, every_minutes: int) -> Callable[[Callable[[], int]], Invoke]:
        """Declare the decorated function as what runs every so many minutes; it returns how much it did.

        The name is the function's own, by which an image's command finds it; so it is with the others.
        """

        def register(run: Callable[[], int]) -> Invoke:
            def handler(event: CloudWatchEvent) -> dict[str, int]:
                return {"done": _run(self.name, name, str(event.event_id), run)}

            invoke: Invoke = self.app.schedule(Rate(every_minutes, unit=Rate.MINUTES), name=name)(handler)
            self.schedules.append(Schedule(name, every_minutes, invoke))
            return invoke

        return register

    def queue(
        self, name: str, *, queue: str, batch_size: int = 10, window_seconds: int = 0
    ) -> Callable[[Callable[[Any], object]], Invoke]:
        """Declare the decorated function as the consumer of a queue: it takes one message, a pydantic model.

        A message that it raises for, or that is not of that model, is delivered again by itself.
        """
        if batch_size > events.BATCH_MESSAGES and not window_seconds:
            raise ValueError(f"a batch of more than {events.BATCH_MESSAGES} needs a window to be gathered in")

        def register(consume: Callable[[Any], object]) -> Invoke:
            model = _message_model(consume)

            def handler(event: SQSEvent) -> Event:
                return _consume(
                    self.name, name, event.to_dict(), lambda body: consume(model.model_validate_json(body))
                )

            invoke: Invoke = self.app.on_sqs_message(
                queue=queue,
                batch_size=batch_size,
                name=name,
                maximum_batching_window_in_seconds=window_seconds,
            )(handler)
            self.queues.append(QueueSource(name, queue, batch_size, window_seconds, invoke))
            return invoke

        return register

    def stream(
        self, name: str, *, table: str, batch_size: int = 100, window_seconds: int = 0, retries: int = 10
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
            self.streams.append(StreamSource(name, table, batch_size, window_seconds, retries, invoke))
            return invoke

        return register


def _message_model(consume: Callable[[Any], object]) -> type[BaseModel]:
    hints = get_type_hints(consume)
    hints.pop("return", None)
    models = list(hints.values())
    if len(models) != 1 or not (isinstance(models[0], type) and issubclass(models[0], BaseModel)):
        raise TypeError(f"{consume.__name__} does not take one message, a pydantic model")
    return models[0]


def _run(service: str, name: str, event_id: str, run: Callable[[], int]) -> int:
    """Run a schedule's work and leave one log line; a failure is raised again, for Lambda to count."""
    record = observe.RequestRecord(event_id, operation=f"schedule {name}")
    with observe.reported(service, record):
        return run()


def _consume(service: str, name: str, event: Event, consume: Callable[[str], object]) -> Event:
    """Give out a batch message by message; the answer names those that are to be delivered again."""
    records = event["Records"]
    record = BatchRecord(ids.random("req"), f"queue {name}", received=len(records))
    with observe.reported(service, record):
        for message in records:
            try:
                consume(message["body"])
            except Exception as error:  # noqa: BLE001 - whatever it is, this message alone is delivered again
                record.failures.append(Casualty.of(message["messageId"], error))
    return _failures(record)


def _publish(service: str, name: str, event: Event, publish: Publish) -> Event:
    """Tell a batch of changes; the answer names the first one that is to be delivered again."""
    records = event["Records"]
    record = BatchRecord(ids.random("req"), f"stream {name}", received=len(records))
    with observe.reported(service, record):
        changes, undecodable = _decoded(records)
        if undecodable:
            record.failures.append(undecodable)
        try:
            messages = publish(changes) if changes else ()
        except FailedAt as failure:
            record.failures = [Casualty.of(failure.change.sequence_number, failure.__cause__ or failure)]
            messages = failure.messages
        events.send(messages or ())
    return _failures(record)


def _decoded(records: Sequence[Mapping[str, Any]]) -> tuple[list[Change], Casualty | None]:
    """The changes up to the first one that cannot be read, and that one."""
    changes: list[Change] = []
    for record in records:
        told = record["dynamodb"]
        try:
            old, new = (
                attributes.decode(told[name]) if name in told else None for name in ("OldImage", "NewImage")
            )
            changes.append(Change(told["SequenceNumber"], attributes.decode(told["Keys"]), old, new))
        except Exception as error:  # noqa: BLE001 - an item that nobody could have written, yet there it is
            return changes, Casualty.of(told["SequenceNumber"], error)
    return changes, None


def _failures(record: BatchRecord) -> Event:
    return {"batchItemFailures": [{"itemIdentifier": casualty.id} for casualty in record.failures]}
