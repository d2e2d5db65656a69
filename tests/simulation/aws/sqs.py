"""Owns SQS as a model: standard queues, at least once and in no order, with their dead-letter queues."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any, Final
from uuid import UUID

from chassis import config
from infra.declaration import STREAMS, Queue, Stream
from tests.simulation.aws.entries import (
    INVALID_HANDLE,
    MAX_ENTRIES,
    batch_answer,
    digest,
    each,
    failure,
    fault_of,
    is_handle,
    no_queue,
    require_batch,
    require_short,
    shown,
)
from tests.simulation.aws.errors import query_refusal
from tests.simulation.aws.messages import Message, MessageStore

MAX_VISIBILITY_SECONDS: Final = 43200
DEFAULT_VISIBILITY_SECONDS: Final = 30
BASE_URL: Final = "https://sqs.us-east-1.amazonaws.com/000000000000/"
BASE_ARN: Final = "arn:aws:sqs:us-east-1:000000000000:"

Answer = dict[str, Any]


class Queues:
    """All declared queues, their dead-letter queues and those of streams; and a client's methods on them.

    `now` gives seconds, `random` the order and the ids. `duplicate` is asked at every receipt: if so, the
    same message is received once more within its visibility timeout, deleted or not. Nobody waits in a long
    poll, and no message grows too old. What is no method of a client takes the names of the declaration.
    """

    def __init__(
        self,
        queues: Iterable[Queue],
        now: Callable[[], float],
        random: Random,
        *,
        duplicate: Callable[[], bool] = lambda: False,
        streams: Iterable[Stream] = STREAMS,
        name_of: Callable[[str], str] = config.queue_name,
    ) -> None:
        self._now = now
        self._random = random
        self._duplicate = duplicate
        self._stores: dict[str, MessageStore] = {}
        for queue in queues:
            dead = MessageStore(DEFAULT_VISIBILITY_SECONDS, None, None)
            self._stores[queue.dead_letter] = dead
            self._stores[queue.name] = MessageStore(queue.visibility_seconds, queue.max_receives, dead)
        for stream in streams:
            self._stores.setdefault(stream.failures, MessageStore(DEFAULT_VISIBILITY_SECONDS, None, None))
        self._physical = {name: name_of(name) for name in self._stores}
        self._declared = {self.url(name): name for name in self._stores}

    def url(self, queue: str) -> str:
        """Where a queue is."""
        return BASE_URL + self._physical[queue]

    def name_of(self, url: str) -> str:
        """The queue that is there."""
        return self._declared[url]

    def waiting(self, queue: str) -> int:
        """How many messages there are, delayed ones and those that are being handled included."""
        return len(self._stores[queue].there)

    def next_visible_at(self, queue: str) -> float | None:
        """When the next message can be received, which may be long ago; None when there is none."""
        return self._stores[queue].next_visible_at()

    def bodies(self, queue: str) -> list[str]:
        """What all messages say, in the order in which they came."""
        return [message.body for message in self._stores[queue].there.values()]

    def redrive(self, queue: str) -> int:
        """Move a queue's dead letters back to it, never received so far; returns how many."""
        store = self._stores[queue]
        if store.dead_letters is None:
            raise ValueError(f"{queue} has no dead-letter queue")
        dead = list(store.dead_letters.there.values())
        store.dead_letters.there.clear()
        for message in dead:
            store.add(Message(message.id, message.body, message.sent_at, self._now()))
        return len(dead)

    # What boto3's client has, and the parameters as that names them.

    def get_queue_url(self, *, QueueName: str) -> Answer:
        for name, physical in self._physical.items():
            if physical == QueueName:
                return {"QueueUrl": self.url(name)}
        raise no_queue("GetQueueUrl")

    def send_message(self, *, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> Answer:
        store = self._store("SendMessage", QueueUrl)
        fault = fault_of(MessageBody, DelaySeconds)
        if fault:
            raise query_refusal("SendMessage", *fault)
        return self._sent(store, MessageBody, DelaySeconds)

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]) -> Answer:
        operation = "SendMessageBatch"
        store = self._store(operation, QueueUrl)
        require_batch(operation, Entries)
        require_short(operation, [entry["MessageBody"] for entry in Entries])
        successful, failed = [], []
        for entry in Entries:
            if entry.keys() - {"Id", "MessageBody", "DelaySeconds"}:
                raise NotImplementedError(f"{', '.join(entry)} of a message")
            fault = fault_of(entry["MessageBody"], entry.get("DelaySeconds", 0))
            if fault:
                failed.append(failure(entry["Id"], *fault))
            else:
                sent = self._sent(store, entry["MessageBody"], entry.get("DelaySeconds", 0))
                successful.append({"Id": entry["Id"], **sent})
        return batch_answer(successful, failed)

    def _sent(self, store: MessageStore, body: str, delay_seconds: int) -> Answer:
        now = self._now()
        message = Message(self._new_id(), body, now, now + delay_seconds)
        store.add(message)
        return {"MessageId": message.id, "MD5OfMessageBody": digest(body)}

    def receive_message(
        self,
        *,
        QueueUrl: str,
        MaxNumberOfMessages: int = 1,
        WaitTimeSeconds: int = 0,
        MessageSystemAttributeNames: Sequence[str] = (),
        MessageAttributeNames: Sequence[str] = (),
    ) -> Answer:
        operation = "ReceiveMessage"
        store = self._store(operation, QueueUrl)
        if not 1 <= MaxNumberOfMessages <= MAX_ENTRIES:
            words = f"Value {MaxNumberOfMessages} for parameter MaxNumberOfMessages is invalid."
            raise query_refusal(operation, "InvalidParameterValue", words)
        if set(MessageSystemAttributeNames) - {"All"}:
            raise NotImplementedError("single attributes of a message")
        received = []
        for message in store.take(MaxNumberOfMessages, self._now(), self._random, self._new_id):
            if not message.is_echo and self._duplicate():
                self._echo(store, message)
            received.append(shown(message, whole=bool(MessageSystemAttributeNames)))
        return {"Messages": received} if received else {}

    def _echo(self, store: MessageStore, message: Message) -> None:
        again_at = self._now() + self._random.uniform(0, store.visibility_seconds)
        echo = Message(message.id, message.body, message.sent_at, again_at, message.receives, is_echo=True)
        echo.first_received_at, echo.handle = message.first_received_at, self._new_id()
        store.add(echo)

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> Answer:
        store = self._store("DeleteMessage", QueueUrl)
        if not is_handle(ReceiptHandle):
            raise query_refusal("DeleteMessage", *INVALID_HANDLE)
        store.delete(ReceiptHandle)
        return {}

    def delete_message_batch(self, *, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]) -> Answer:
        require_batch("DeleteMessageBatch", Entries)
        return each(
            Entries,
            lambda entry: self.delete_message(QueueUrl=QueueUrl, ReceiptHandle=entry["ReceiptHandle"]),
        )

    def change_message_visibility(
        self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int
    ) -> Answer:
        operation = "ChangeMessageVisibility"
        store = self._store(operation, QueueUrl)
        if not 0 <= VisibilityTimeout <= MAX_VISIBILITY_SECONDS:
            message = f"Value {VisibilityTimeout} for parameter VisibilityTimeout is invalid."
            raise query_refusal(operation, "InvalidParameterValue", message)
        if not is_handle(ReceiptHandle) or not store.hide(ReceiptHandle, self._now() + VisibilityTimeout):
            raise query_refusal(operation, *INVALID_HANDLE)
        return {}

    def change_message_visibility_batch(
        self, *, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]
    ) -> Answer:
        require_batch("ChangeMessageVisibilityBatch", Entries)
        return each(
            Entries,
            lambda entry: self.change_message_visibility(
                QueueUrl=QueueUrl,
                ReceiptHandle=entry["ReceiptHandle"],
                VisibilityTimeout=entry["VisibilityTimeout"],
            ),
        )

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: Sequence[str]) -> Answer:
        store = self._store("GetQueueAttributes", QueueUrl)
        name = self.name_of(QueueUrl)
        now = self._now()
        hidden = [message for message in store.there.values() if message.visible_at > now]
        delayed = sum(not message.receives for message in hidden)
        attributes = {
            "QueueArn": BASE_ARN + self._physical[name],
            "VisibilityTimeout": str(store.visibility_seconds),
            "ApproximateNumberOfMessages": str(len(store.there) - len(hidden)),
            "ApproximateNumberOfMessagesNotVisible": str(len(hidden) - delayed),
            "ApproximateNumberOfMessagesDelayed": str(delayed),
        }
        if store.max_receives is not None:
            policy = {
                "deadLetterTargetArn": f"{BASE_ARN}{self._physical[name]}-dlq",
                "maxReceiveCount": store.max_receives,
            }
            attributes["RedrivePolicy"] = json.dumps(policy)
        wanted = attributes.keys() if "All" in AttributeNames else AttributeNames
        return {"Attributes": {attribute: attributes[attribute] for attribute in wanted}}

    def _store(self, operation: str, url: str) -> MessageStore:
        if url not in self._declared:
            raise no_queue(operation)
        return self._stores[self._declared[url]]

    def _new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))
