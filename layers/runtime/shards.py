"""Owns the reading of one shard: batches in order, checkpoints, retries, halving, giving up on a change."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, RootModel

from chassis import aws, clock, events, observe
from chassis.errors import Unavailable
from chassis.events import Message
from chassis.sources import StreamSource
from runtime import workers
from runtime.checkpoints import Checkpoints, Moved
from runtime.workers import Crew

POLL_SECONDS = 0.25
"""Between two looks at a shard that had nothing new; Lambda looks four times a second too."""
IDLE_POLL_SECONDS = 1.0
"""At most between two looks at one that had nothing new again and again: a laptop has other things to do."""
BACKOFF_BASE_SECONDS = 0.1
BACKOFF_CAP_SECONDS = 60.0
RETRY_SECONDS = 1.0

_TRIMMED = "TrimmedDataAccessException"
_STALE = frozenset({_TRIMMED, "ExpiredIteratorException"})
"""The iterator can't be used any more, but a new one can be had."""

UNREACHED: tuple[type[Exception], ...] = (*aws.FAILURES, Unavailable)

Record = Mapping[str, Any]


class GivenUp(RootModel[dict[str, Any]]):
    """What is sent to the stream's failure queue."""

    model_config = ConfigDict(ser_json_bytes="base64")


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of a table's stream."""

    id: str
    parent: str | None
    stream_arn: str

    @property
    def key(self) -> str:
        """Its name among the checkpoints: a new stream of the same table may use the same shard ids."""
        return f"{self.stream_arn.rpartition('/')[2]}/{self.id}"


class ShardReader:
    """Hands the changes of one shard to a handler."""

    def __init__(
        self, source: StreamSource, shard: Shard, checkpoints: Checkpoints, crew: Crew, *, drain: bool = False
    ) -> None:
        self._source = source
        self._shard = shard
        self._checkpoints = checkpoints
        self._crew = crew
        self._drain = drain
        # Draining goes on after the stop was asked for, until nothing more is there or patience is over.
        self._halt = crew.abandoned if drain else crew.stopping

    def run(self) -> None:
        """Read to the shard's end, or until the crew stops."""
        moved = False
        while not self._halt.is_set():
            try:
                if moved:
                    self._checkpoints.load()
                    moved = False
                self._read(self._iterator())
            except Moved:
                moved = True
                self._warn("checkpoint moved by another worker")
            except UNREACHED as failure:
                if aws.error_code(failure) in _STALE:
                    continue
                if self._crew.stopping.is_set() and aws.is_gone(failure):
                    return  # and so is whatever was not read
                self._warn("stream out of reach", error=aws.error_code(failure) or type(failure).__name__)
                self._halt.wait(RETRY_SECONDS)
            else:
                return

    def _iterator(self) -> str:
        """Where to go on: after the checkpoint; at the oldest change when that is gone, or there is none."""
        position = self._checkpoints.position(self._shard.key)
        where: dict[str, str] = {"StreamArn": self._shard.stream_arn, "ShardId": self._shard.id}
        streams = aws.client("dynamodbstreams")
        if position is not None:
            after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": position}
            try:
                return str(streams.get_shard_iterator(**where, **after)["ShardIterator"])
            except aws.FAILURES as failure:
                if aws.error_code(failure) != _TRIMMED:
                    raise
                # What lay between is lost to this consumer; publishing again from the records repairs it.
                self._warn("checkpoint trimmed", sequence_number=position)
        return str(streams.get_shard_iterator(**where, ShardIteratorType="TRIM_HORIZON")["ShardIterator"])

    def _read(self, iterator: str | None) -> None:
        pause = POLL_SECONDS
        while iterator and not self._halt.is_set():
            batch, iterator = self._gather(iterator)
            if batch:
                pause = POLL_SECONDS
                self._deliver(batch)
            elif self._crew.stopping.is_set():
                return
            else:
                self._crew.stopping.wait(pause)
                pause = min(IDLE_POLL_SECONDS, 2 * pause)
        if iterator is None and not self._halt.is_set():
            self._checkpoints.finish(self._shard.key)

    def _gather(self, iterator: str) -> tuple[list[Record], str | None]:
        """Read until the batch is full, or its window has passed since its first change."""
        batch: list[Record] = []
        closes_at = math.inf
        following: str | None = iterator
        while following and len(batch) < self._source.batch_size:
            answer = aws.client("dynamodbstreams").get_records(
                ShardIterator=following, Limit=self._source.batch_size - len(batch)
            )
            following = answer.get("NextShardIterator")
            if answer["Records"] and not batch:
                closes_at = clock.monotonic() + self._source.window_seconds
            batch += answer["Records"]
            if not batch or clock.monotonic() >= closes_at or self._crew.stopping.is_set():
                break
            if not answer["Records"]:
                self._crew.stopping.wait(POLL_SECONDS)
        return batch, following

    def _deliver(self, batch: Sequence[Record]) -> None:
        """Have a batch handled, whatever it takes: its rest again, in halves, alone, or given up."""
        waiting: list[tuple[Sequence[Record], int]] = [(batch, 0)]
        while waiting and not self._halt.is_set():
            records, tries = waiting.pop()
            done = self._invoke(records)
            if done:
                self._checkpoints.advance(self._shard.key, _number(records[done - 1]))
            rest = records[done:]
            if done and rest:
                waiting.append((rest, 0))
            elif len(rest) > 1:
                middle = len(rest) // 2
                waiting += [(rest[middle:], 0), (rest[:middle], 0)]
            elif rest and tries < self._source.retries:
                waiting.append((rest, tries + 1))
                self._halt.wait(min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2**tries))
                if self._crew.stopping.is_set():
                    self._iterator()  # raises where the handler fails because the engine is gone
            elif rest:
                self._give_up(rest[0], tries + 1)
                self._checkpoints.advance(self._shard.key, _number(rest[0]))

    def _invoke(self, records: Sequence[Record]) -> int:
        """Call the handler; returns how many changes, from the first on, it has handled."""
        known = [_number(record) for record in records]
        try:
            answer = self._source.invoke(self._event(records), None)
        except Exception:  # noqa: BLE001 - the service has logged it
            return 0
        failed = workers.failed_ids(answer, known)
        return min((known.index(number) for number in failed), default=len(known))

    def _event(self, records: Sequence[Record]) -> dict[str, Any]:
        event: dict[str, Any] = {"Records": [self._shown(record) for record in records]}
        # As under a tumbling window, but that no window ever ends.
        return event | ({"shardId": self._shard.key} if self._source.tells_shards else {})

    def _shown(self, record: Record) -> dict[str, Any]:
        """A record as Lambda is given it (Lambda Developer Guide, "Using Lambda with Amazon DynamoDB")."""
        told = dict(record["dynamodb"])
        told["ApproximateCreationDateTime"] = told["ApproximateCreationDateTime"].timestamp()
        return {**record, "dynamodb": told, "eventSourceARN": self._shard.stream_arn}

    def _give_up(self, record: Record, invocations: int) -> None:
        """Send a change that can't be handled to the failure queue, in the form that Lambda gives to S3."""
        shown = self._shown(record)
        report: dict[str, Any] = {
            "version": "1.0",
            "timestamp": clock.timestamp(clock.now()),
            "requestContext": {
                "functionArn": self._source.name,
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": invocations,
            },
            "DDBStreamBatchInfo": {
                "shardId": self._shard.id,
                "startSequenceNumber": _number(record),
                "endSequenceNumber": _number(record),
                "batchSize": 1,
                "streamArn": self._shard.stream_arn,
            },
        }
        try:
            self._send({**report, "payload": {"Records": [shown]}})
        except ValueError:  # with both images it is too long for a queue; the keys say which item to look at
            self._send({**report, "keys": record["dynamodb"]["Keys"]})
        self._warn("change given up", sequence_number=_number(record), failures=self._source.failures)

    def _send(self, report: dict[str, Any]) -> None:
        events.send([Message(self._source.failures, GivenUp(report))])

    def _warn(self, event: str, **facts: object) -> None:
        observe.warn("runtime", event, stream=self._source.name, shard=self._shard.id, **facts)


def _number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
