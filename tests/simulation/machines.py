"""Owns where the functions run: requests, queues, streams and schedules invoke them as Lambda would."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from botocore.exceptions import ClientError

from chassis.aws import error_code
from chassis.service import Service
from chassis.sources import QueueSource, Schedule, StreamSource
from infra.declaration import CAPABILITIES
from runtime.http import Router
from tests.simulation.aws.dynamodb import StreamRecord
from tests.simulation.aws.sqs import Queues
from tests.simulation.scheduler import Killed, Scheduler, Task
from tests.simulation.trace import Trace
from tests.simulation.weather import OF_A_BATCH, Fault, Weather

FUNCTION_SECONDS = 30.0
SHARDS = 2
"""Of each stream."""
POLLERS = 2
"""Batches of a queue at once."""
PAUSE_SECONDS = 1.0
RECEIVED_AT_ONCE = 10
SCHEDULED: Final = {
    "version": "0",
    "id": "simulated",
    "account": "",
    "region": "",
    "time": "1970-01-01T00:00:00Z",
    "source": "aws.events",
    "detail-type": "Scheduled Event",
    "resources": [],
    "detail": {},
}


@lru_cache(maxsize=1)
def services() -> list[Service]:
    """The services of all capabilities, as their images have them."""
    return [import_module(f"functions.{name}.app").service for name in CAPABILITIES]


@lru_cache(maxsize=1)
def _router() -> Router:
    return Router(services())


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP."""

    status: int
    body: dict[str, Any]
    replayed: bool

    @property
    def code(self) -> str:
        """Of a problem."""
        return str(self.body.get("code", ""))


@dataclass(eq=False, slots=True)
class _Shard:
    """How far one consumer has come in one shard of a stream."""

    source: StreamSource
    name: str
    log: list[StreamRecord]
    position: int = 0
    size: int = 0
    tries: int = 0
    busy: bool = False


@dataclass(eq=False, slots=True)
class Machines:
    """Every function of the system, each event in a task of its own that can die."""

    scheduler: Scheduler
    weather: Weather
    trace: Trace
    queues: Queues
    pollers: dict[str, int] = field(default_factory=dict)
    given_up: list[tuple[str, StreamRecord]] = field(default_factory=list)
    """Changes that a stream's consumer could not be told of."""
    failures: list[tuple[str, BaseException]] = field(default_factory=list)
    """Functions that did not end well, each with its reason."""
    on_death: Callable[[], None] = lambda: None
    _logs: dict[tuple[str, int], list[StreamRecord]] = field(default_factory=dict)
    _shards: dict[str, list[list[_Shard]]] = field(default_factory=dict)
    _sources: dict[str, QueueSource] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for service in services():
            for queue in service.queues:
                self._sources[queue.queue] = queue
            for stream in service.streams:
                shards = self._shards.setdefault(stream.table, [[] for _ in range(SHARDS)])
                for number in range(SHARDS):
                    log = self._logs.setdefault((stream.table, number), [])
                    name = f"shardId-{stream.table}-{number}"
                    shards[number].append(_Shard(stream, name, log, size=stream.batch_size))

    def run(self, name: str, work: Callable[[], Any]) -> Task:
        """Begin a function on a machine of its own."""

        def buried() -> Any:
            try:
                return work()
            except (Exception, Killed) as failure:
                self.failures.append((name, failure))
                self.trace.note(f"{name} ended by {reason_of(failure)}")
                self.on_death()
                raise

        return self.scheduler.spawn(name, buried, skew=self.weather.skew(), lives=FUNCTION_SECONDS)

    def finished(self, name: str, work: Callable[[], Any]) -> Task:
        """Run a function from within a task, and wait for its end, whatever that is."""
        task = self.run(name, work)
        self.scheduler.wait_for(task, 2 * FUNCTION_SECONDS)
        return task

    def answer(
        self, method: str, path: str, body: Any, headers: dict[str, str], patience: float
    ) -> Answer | None:
        """What a caller gets; None when nothing came in time, or the function died."""
        service, operation, values = _router().match(method, path.partition("?")[0])
        query = dict(part.split("=", 1) for part in path.partition("?")[2].split("&") if part)
        event = {
            "headers": {"content-type": "application/json", **headers},
            "pathParameters": values or None,
            "queryStringParameters": query or None,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
            "requestContext": {"resourcePath": operation.path, "httpMethod": method},
            "body": None if body is None else json.dumps(body),
        }
        task = self.run(f"{method} {path}", lambda: service.app(event, None))
        self.scheduler.wait_for(task, patience)
        if task.result is None:
            return None
        said = task.result
        replayed = said["headers"].get("Idempotent-Replayed") == "true"
        return Answer(said["statusCode"], json.loads(said["body"]), replayed)

    def schedules(self) -> list[tuple[str, Schedule]]:
        """By the names of their capabilities."""
        return [(service.name, schedule) for service in services() for schedule in service.schedules]

    def tick(self, service: str, schedule: Schedule) -> Task:
        """Run a schedule, and wait for its end."""
        return self.finished(f"{service}.{schedule.name}", lambda: schedule.invoke(SCHEDULED, None))

    # Queues

    def look_into(self, queue: str) -> None:
        """Have a queue's messages delivered from when the next one can be."""
        if queue in self._sources and (due := self.queues.next_visible_at(queue)) is not None:
            self.scheduler.at(max(due, self.scheduler.now), lambda: self._poll(queue))

    def _poll(self, queue: str) -> None:
        source = self._sources[queue]
        most = min(source.concurrency or POLLERS, POLLERS)
        due = self.queues.next_visible_at(queue)
        if due is None or due > self.scheduler.now or self.pollers.get(queue, 0) >= most:
            return
        self.pollers[queue] = self.pollers.get(queue, 0) + 1
        self.scheduler.spawn(f"poller {queue}", lambda: self._consume(source))

    def _consume(self, source: QueueSource) -> None:
        queue = source.queue
        try:
            self.scheduler.sleep(
                self.weather.latency() + source.window_seconds * self.weather.random.random()
            )
            messages = self._received(source)
            if messages:
                self._deliver(source, messages)
        finally:
            self.pollers[queue] -= 1
            self.look_into(queue)

    def _received(self, source: QueueSource) -> list[dict[str, Any]]:
        wanted = self.weather.random.randint(1, min(source.batch_size, 4 * RECEIVED_AT_ONCE))
        url = self.queues.url(source.queue)
        messages: list[dict[str, Any]] = []
        while len(messages) < wanted:
            most = min(RECEIVED_AT_ONCE, wanted - len(messages))
            some = self.queues.receive_message(QueueUrl=url, MaxNumberOfMessages=most).get("Messages", [])
            if not some:
                break
            messages += some
        return messages

    def _deliver(self, source: QueueSource, messages: list[dict[str, Any]]) -> None:
        records = [{"messageId": each["MessageId"], "body": each["Body"]} for each in messages]
        task = self.finished(source.name, lambda: source.invoke({"Records": records}, None))
        if task.result is None:
            return
        failed = {failure["itemIdentifier"] for failure in task.result["batchItemFailures"]}
        if failed:
            self.trace.note(f"{source.name}: {len(failed)} of {len(messages)} are to come again")
        done = [each for each in messages if each["MessageId"] not in failed]
        if self.weather.strikes(OF_A_BATCH) is Fault.TWICE:
            return  # nobody tells the queue that they were handled: all of them come again
        for each in done:
            self.queues.delete_message(
                QueueUrl=self.queues.url(source.queue), ReceiptHandle=each["ReceiptHandle"]
            )

    # Streams

    def changed(self, record: StreamRecord) -> None:
        """A committed change, for whoever reads the table's stream."""
        if record.table not in self._shards:
            return
        number = zlib.crc32(record.keys["pk"]["S"].encode()) % SHARDS
        self._logs[record.table, number].append(record)
        for shard in self._shards[record.table][number]:
            self._wake(shard)

    def _wake(self, shard: _Shard) -> None:
        if not shard.busy:
            shard.busy = True
            self.scheduler.spawn(f"reader {shard.source.name}", lambda: self._read(shard))

    def _read(self, shard: _Shard) -> None:
        window = PAUSE_SECONDS + shard.source.window_seconds
        while shard.position < len(shard.log):
            self.scheduler.sleep(self.weather.random.uniform(0, window))
            self._tell(shard)
        shard.busy = False

    def _tell(self, shard: _Shard) -> None:
        batch = shard.log[shard.position : shard.position + shard.size]
        event: dict[str, Any] = {"Records": [_told(record) for record in batch]}
        if shard.source.tells_shards:
            event |= {"shardId": shard.name, "window": {}}
        task = self.finished(shard.source.name, lambda: shard.source.invoke(event, None))
        if task.result is None:
            self._failed(shard, len(batch))
            return
        failures = task.result["batchItemFailures"]
        done = _before(batch, failures[0]["itemIdentifier"]) if failures else len(batch)
        if done and self.weather.strikes(OF_A_BATCH) is Fault.TWICE:
            return  # the same again: a checkpoint was lost
        shard.position += done
        if failures:
            self._failed(shard, 1 if not done else len(batch))
        else:
            shard.size, shard.tries = shard.source.batch_size, 0

    def _failed(self, shard: _Shard, size: int) -> None:
        """Try again, in halves; a change that fails alone is given up after its retries."""
        shard.size = max(1, size // 2)
        shard.tries = shard.tries + 1 if size == 1 else 0
        if shard.tries > shard.source.retries:
            self.given_up.append((shard.source.name, shard.log[shard.position]))
            self.trace.note(f"{shard.source.name} gives up a change")
            shard.position += 1
            shard.tries = 0
        self.scheduler.sleep(PAUSE_SECONDS * 2 ** min(shard.tries, 5))

    @property
    def is_idle(self) -> bool:
        """Whether nobody is at work, and nothing waits in a stream."""
        return not any(self.pollers.values()) and not any(
            shard.busy for shards in self._shards.values() for each in shards for shard in each
        )


def reason_of(failure: BaseException) -> str:
    """What a function ended with, in a word; the same however a service was reached."""
    return f"ClientError {error_code(failure)}" if isinstance(failure, ClientError) else repr(failure)


def _told(record: StreamRecord) -> dict[str, Any]:
    images = {"OldImage": record.old, "NewImage": record.new}
    return {
        "eventID": record.sequence_number,
        "eventName": record.event_name,
        "dynamodb": {
            "Keys": record.keys,
            "SequenceNumber": record.sequence_number,
            **{name: image for name, image in images.items() if image is not None},
        },
    }


def _before(batch: list[StreamRecord], sequence_number: str) -> int:
    numbers = [record.sequence_number for record in batch]
    return numbers.index(sequence_number)
