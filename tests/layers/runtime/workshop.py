"""What the tests of the workers share: queues and tables of a test's own, and waiting for conditions."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chassis import aws, events
from chassis.config import table_name
from infra.declaration import Queue, Stream, Table
from local.provision import provision
from runtime.workers import Crew

ROOT = Path(__file__).parents[3]
DEADLINE_SECONDS = 20.0


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def new_queue(visibility_seconds: int = 1, max_receives: int = 2) -> Queue:
    """A queue of a test's own with a short visibility timeout, and its dead-letter queue."""
    queue = Queue(unique("probe"), "a.test", visibility_seconds=visibility_seconds, max_receives=max_receives)
    provision(tables=(), queues=(queue,), streams=())
    return queue


def new_stream() -> Stream:
    """A table of a test's own with a stream, and its queue for changes that were given up."""
    table = Table(unique("probe"), writer="a.test")
    stream = Stream(table.name, "a.test")
    provision(tables=(table,), queues=(), streams=(stream,))
    return stream


def write(table: str, key: str, **attributes: int | str) -> None:
    """Put an item, past the one door for the source's own writes: this table is nobody's."""
    item = {"pk": {"S": key}} | {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in attributes.items()
    }
    aws.client("dynamodb").put_item(TableName=table_name(table), Item=item)


def send(queue: str, *bodies: Any) -> None:
    """Send bodies as they are, well-formed or not."""
    for start in range(0, len(bodies), 10):
        entries = [
            {"Id": str(number), "MessageBody": body if isinstance(body, str) else json.dumps(body)}
            for number, body in enumerate(bodies[start : start + 10])
        ]
        aws.client("sqs").send_message_batch(QueueUrl=events.queue_url(queue), Entries=entries)


def receive(queue: str, wait_seconds: int = 0) -> list[dict[str, Any]]:
    """Up to ten messages, taken out of the queue."""
    sqs, url = aws.client("sqs"), events.queue_url(queue)
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=wait_seconds,
        MessageSystemAttributeNames=["All"],
    )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return messages


def waiting(queue: str) -> int:
    """How many messages the queue has, visible, delayed or in flight."""
    kinds = ("", "NotVisible", "Delayed")
    names = [f"ApproximateNumberOfMessages{kind}" for kind in kinds]
    found = aws.client("sqs").get_queue_attributes(QueueUrl=events.queue_url(queue), AttributeNames=names)
    return sum(int(count) for count in found["Attributes"].values())


def await_until(condition: Callable[[], object]) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition never came"
        # Most conditions are questions to the engine, which has better things to do.
        time.sleep(0.05)


@contextmanager
def working(*works: Callable[[Crew], Callable[[], None]], patience_seconds: float = 10) -> Iterator[Crew]:
    """Run workers in threads of this process, and stop them in the end."""
    crew = Crew()
    for number, work in enumerate(works):
        crew.start(f"worker {number}", work(crew))
    try:
        yield crew
    finally:
        crew.stop(patience_seconds)
        assert not crew.failed


class Worker:
    """`python -m runtime.queues` or `.streams`, serving the probe, whose doings are lines of a file."""

    def __init__(self, kind: str, notes: Path, environment: Mapping[str, str], *options: str) -> None:
        self.notes = notes
        self.hold = notes.with_suffix(".hold")
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"runtime.{kind}", "tests.layers.runtime.probe", *options],
            cwd=ROOT,
            env={**os.environ, **environment, "PROBE_NOTES": str(notes), "PROBE_HOLD": str(self.hold)},
            stdout=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)


def lines(notes: Path) -> list[str]:
    """What the probe has noted, whole lines only."""
    if not notes.exists():
        return []
    return [line.rstrip("\n") for line in notes.read_text().splitlines(keepends=True) if line.endswith("\n")]


class Notes:
    """What a handler in this process was given, safe to be read meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: list[Any] = []

    def add(self, what: Any) -> None:
        with self._lock:
            self._noted.append(what)

    def all(self) -> list[Any]:
        with self._lock:
            return list(self._noted)
