"""Dead letters: what the queues gave up, shown, and sent back to be handled once more."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chassis import aws
from infra.declaration import QUEUES, STREAMS
from local import queues
from local.errors import LocalError

RECEIVE_MESSAGES = 10
HIDDEN_SECONDS = 30
"""For how long a message is kept from others while it is shown or sent back."""
SHOWN_MESSAGES = 100


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up."""

    id: str
    sent_at: datetime
    receives: int
    body: str


def counts() -> dict[str, int]:
    """How many messages each declared dead-letter queue holds, by the name of the queue they come from."""
    dead = {queue.name: queue.dead_letter for queue in QUEUES}
    dead |= {stream.failures: stream.failures for stream in STREAMS}
    with _reached() as sqs:
        return {name: _count(sqs, _url(sqs, letters)) for name, letters in dead.items()}


def letters(queue: str) -> list[DeadLetter]:
    """The first messages of a queue's dead-letter queue, which stay there."""
    with _reached() as sqs:
        url = _dead_letter_url(sqs, queue)
        received: list[dict[str, Any]] = []
        for batch in _receive(sqs, url):
            received += batch
            if len(received) >= SHOWN_MESSAGES:
                break
        for message in received:
            sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
    return [_letter(message) for message in received]


def redrive(queue: str) -> int:
    """Send all dead letters back to their queue; returns how many.

    Each is deleted only after it has arrived, so a crash in between repeats it, which consumers expect.
    """
    moved = 0
    with _reached() as sqs:
        source, dead = _url(sqs, queue), _dead_letter_url(sqs, queue)
        if source == dead:
            raise LocalError(f"{queue} holds what a stream gave up: publish again from the records instead.")
        for batch in _receive(sqs, dead):
            entries = [{"Id": str(n), "MessageBody": message["Body"]} for n, message in enumerate(batch)]
            answer = sqs.send_message_batch(QueueUrl=source, Entries=entries)
            for sent in answer["Successful"]:
                handle = batch[int(sent["Id"])]["ReceiptHandle"]
                sqs.delete_message(QueueUrl=dead, ReceiptHandle=handle)
                moved += 1
            if answer.get("Failed"):
                raise LocalError(f"{moved} were sent back; the queue refused {len(answer['Failed'])}.")
    return moved


@contextmanager
def _reached() -> Iterator[Any]:
    try:
        yield aws.client("sqs")
    except aws.FAILURES as failure:
        raise LocalError(f"The queues cannot be reached: {failure}.") from None


def _receive(sqs: Any, url: str) -> Iterator[list[dict[str, Any]]]:
    while True:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=RECEIVE_MESSAGES,
            VisibilityTimeout=HIDDEN_SECONDS,
            MessageSystemAttributeNames=["All"],
        )
        if not answer.get("Messages"):
            return
        yield answer["Messages"]


def _dead_letter_url(sqs: Any, queue: str) -> str:
    # What a stream gave up has a queue of its own, without one before it.
    return queues.find(sqs, f"{queue}-dlq") or _url(sqs, queue)


def _url(sqs: Any, name: str) -> str:
    url = queues.find(sqs, name)
    if url is None:
        raise LocalError(f"There is no queue {name}.")
    return url


def _count(sqs: Any, url: str) -> int:
    name = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def _letter(message: dict[str, Any]) -> DeadLetter:
    told = message["Attributes"]
    sent_at = datetime.fromtimestamp(int(told["SentTimestamp"]) / 1000, UTC)
    return DeadLetter(message["MessageId"], sent_at, int(told["ApproximateReceiveCount"]), message["Body"])
