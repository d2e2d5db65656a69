"""Owns queues outside Lambda: what an SQS event source mapping does, for every queue that a service consumes.

    python -m runtime.queues functions.payments.app
    python -m runtime.queues functions.webhooks.app --only deliver

gathers batches, hands them to the handlers, deletes what succeeded, and leaves the rest to the queue, which
delivers it again after the visibility timeout, and after so many receives moves it to its dead-letter queue.
"""

import base64
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chassis import aws, clock, events, observe
from chassis.config import settings
from chassis.service import Service
from chassis.sources import QueueSource
from runtime import workers
from runtime.workers import Crew

RECEIVE_MESSAGES = 10
WAIT_SECONDS = 20
"""The longest that SQS waits for a message: an empty queue then costs three calls a minute."""
PAYLOAD_BYTES = 3 * 1024 * 1024
"""With this much gathered no further receive is made: ten more messages must fit into Lambda's 6 MB."""
RETRY_SECONDS = 1.0

Received = Mapping[str, Any]


class Poller:
    """Gathers and delivers the batches of one queue, one after the other."""

    def __init__(self, source: QueueSource, crew: Crew, wait_seconds: int = WAIT_SECONDS) -> None:
        self._source = source
        self._crew = crew
        self._wait_seconds = wait_seconds
        self._url = ""
        self._arn = ""

    def run(self) -> None:
        """Work until the crew stops; a queue that is out of reach is tried again."""
        while not self._crew.stopping.is_set():
            try:
                self._find()
                self._work()
            except aws.FAILURES as failure:
                _warn("queue out of reach", self._source, failure)
                self._crew.stopping.wait(RETRY_SECONDS)

    def _find(self) -> None:
        if not self._arn:
            self._url = events.queue_url(self._source.queue)
            found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
            self._arn = found["Attributes"]["QueueArn"]

    @property
    def _sqs(self) -> Any:
        return aws.client("sqs", read_timeout_seconds=self._wait_seconds + aws.READ_TIMEOUT_SECONDS)

    def _work(self) -> None:
        messages = self._gather()
        if self._crew.stopping.is_set():
            self._give_back(messages)
        elif messages:
            self._deliver(messages)

    def _gather(self) -> list[Received]:
        """Receive until the batch is full, or its window has passed since the first message."""
        messages = self._receive(self._source.batch_size, self._wait_seconds)
        closes_at = clock.monotonic() + self._source.window_seconds
        while messages and len(messages) < self._source.batch_size and not self._crew.stopping.is_set():
            left = math.ceil(closes_at - clock.monotonic())
            if left <= 0 or sum(len(message["Body"]) for message in messages) >= PAYLOAD_BYTES:
                break
            try:
                messages += self._receive(
                    self._source.batch_size - len(messages), min(left, self._wait_seconds)
                )
            except aws.FAILURES as failure:
                _warn("receive failed", self._source, failure)
                break  # what was gathered is delivered all the same
        return messages

    def _receive(self, most: int, wait_seconds: int) -> list[Received]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(most, RECEIVE_MESSAGES),
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", ()))

    def _deliver(self, messages: Sequence[Received]) -> None:
        known = [message["MessageId"] for message in messages]
        event = {"Records": [_record(message, self._arn) for message in messages]}
        try:
            failed = workers.failed_ids(self._source.invoke(event, None), known)
        except Exception:  # noqa: BLE001 - the service has logged it; to the queue the whole batch has failed
            return
        done = [message for message in messages if message["MessageId"] not in failed]
        for batch in _tens(done):
            answer = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=_handles(batch))
            if answer.get("Failed"):  # these are delivered once more, which consumers expect
                observe.warn(
                    "runtime", "delete failed", queue=self._source.queue, messages=len(answer["Failed"])
                )

    def _give_back(self, messages: Sequence[Received]) -> None:
        """Let another worker have at once what this one received and will not deliver."""
        for batch in _tens(messages):
            entries = [{**entry, "VisibilityTimeout": 0} for entry in _handles(batch)]
            self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)


def _tens(messages: Sequence[Received]) -> Iterator[Sequence[Received]]:
    for start in range(0, len(messages), RECEIVE_MESSAGES):
        yield messages[start : start + RECEIVE_MESSAGES]


def _handles(messages: Sequence[Received]) -> list[dict[str, Any]]:
    return [
        {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
        for number, message in enumerate(messages)
    ]


def _record(message: Received, arn: str) -> dict[str, Any]:
    """A record as Lambda is given it (Lambda Developer Guide, "Using Lambda with Amazon SQS")."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {
            name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": settings().region,
    }


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }
    if "StringValue" in value:
        shown["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        shown["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return shown


def _warn(event: str, source: QueueSource, failure: Exception) -> None:
    error = aws.error_code(failure) or type(failure).__name__
    observe.warn("runtime", event, queue=source.queue, error=error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Consume until SIGTERM, and finish the batches under way. Returns the exit code."""
    parser = workers.parser("queues", "Consume the queues of these services.")
    parser.add_argument(
        "--wait-seconds",
        type=int,
        default=WAIT_SECONDS,
        help="how long a receive waits for a message; a stop may take as long (default: %(default)s)",
    )
    parser.add_argument(
        "--concurrency", type=int, default=1, help="batches of a queue at once (default: %(default)s)"
    )
    options = parser.parse_args(arguments)

    def staff(crew: Crew, services: Sequence[Service]) -> None:
        declared = [(service, source) for service in services for source in service.queues]
        for _, source in workers.chosen(declared, options.only):
            for _ in range(min(options.concurrency, source.concurrency or options.concurrency)):
                crew.start(source.queue, Poller(source, crew, options.wait_seconds).run)

    return workers.run(options.services, staff)


if __name__ == "__main__":
    sys.exit(main())
