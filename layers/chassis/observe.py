"""Owns what work leaves behind: its meter of storage calls, and one JSON line that is log and metric."""

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from chassis import clock
from chassis.config import ConfigurationError

NAMESPACE = "Tael"
_UNITS = {"Duration": "Milliseconds"}
"""Of the metrics that are no counts."""


@dataclass(slots=True)
class Meter:
    """What one request asked of the storage and of KMS: calls, and capacity units as DynamoDB counts them."""

    write_calls: int = 0
    read_calls: int = 0
    key_calls: int = 0
    retries: int = 0
    write_units: float = 0.0
    read_units: float = 0.0


_meter: ContextVar[Meter | None] = ContextVar("meter", default=None)


def meter() -> Meter:
    """The meter of the request at hand, or one that nobody reads."""
    return _meter.get() or Meter()


@contextmanager
def metered() -> Iterator[Meter]:
    """Count what is asked of the storage inside this block, in this thread."""
    counting = Meter()
    token = _meter.set(counting)
    try:
        yield counting
    finally:
        _meter.reset(token)


@dataclass(slots=True)
class RequestRecord:
    """What is logged of one request: who, what, how it ended; never a body, a key or a secret."""

    request_id: str
    operation: str = "unknown"
    principal: str = "anonymous"
    status: int = 500
    outcome: str = "internal_error"
    replayed: bool = False
    duration_ms: float = 0.0

    def succeed(self) -> None:
        """It ended well."""
        self.status, self.outcome = HTTPStatus.OK, "ok"


@dataclass(frozen=True, slots=True)
class Casualty:
    """What could not be handled of a batch: its id, the error's type and place; never its content."""

    id: str
    error: str
    at: str

    @classmethod
    def of(cls, id: str, error: BaseException) -> Self:  # noqa: A002 - it is the field's name
        """The casualty of that error."""
        *_, last = traceback.extract_tb(error.__traceback__) or [None]
        place = f"{last.filename}:{last.lineno} {last.name}" if last else ""
        return cls(id, type(error).__name__, place)


@dataclass(slots=True)
class BatchRecord:
    """What is logged of one batch of messages or changes."""

    request_id: str
    operation: str
    received: int
    failures: list[Casualty] = field(default_factory=list)
    outcome: str = "internal_error"
    duration_ms: float = 0.0

    def succeed(self) -> None:
        """It came to its end, with or without casualties."""
        self.outcome = "partial" if self.failures else "ok"


@contextmanager
def reported(service: str, record: RequestRecord | BatchRecord) -> Iterator[None]:
    """Meter the block, and leave its line; a failure is raised again, for Lambda to count."""
    started = clock.monotonic()
    failure: Exception | None = None
    with metered() as counted:
        try:
            yield
            record.succeed()
        except Exception as raised:
            failure = raised
            raise
        finally:
            record.duration_ms = round((clock.monotonic() - started) * 1000, 3)
            report(service, record, counted, failure)


_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False, default=str)
_writing = threading.Lock()


class _Logger:
    """Writes what Powertools' Logger would: the same members in the same order, in a third of the time."""

    def __init__(self, service: str) -> None:
        self._service = service

    def info(self, message: str, extra: Mapping[str, Any]) -> None:
        self._write("INFO", "report", message, extra)

    def error(self, message: str, extra: Mapping[str, Any]) -> None:
        self._write("ERROR", "report", message, extra)

    def warning(self, message: str, extra: Mapping[str, Any]) -> None:
        self._write("WARNING", "warn", message, extra)

    def _write(self, level: str, location: str, message: str, extra: Mapping[str, Any]) -> None:
        line = {
            "level": level,
            "location": location,
            "message": message,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "service": self._service,
            **extra,
        }
        # Where tracing is on, Lambda sets "Root=1-...;Parent=...;Sampled=1" anew for each event.
        if trace := os.environ.get("_X_AMZN_TRACE_ID"):
            line["xray_trace_id"] = trace.partition(";")[0].removeprefix("Root=")
        try:
            text = _JSON.encode(line) + "\n"
            with _writing:  # so that a line stays whole, whatever other threads have to tell
                sys.stdout.write(text)
                sys.stdout.flush()
        except Exception as error:  # noqa: BLE001 - what is done stays done, whatever becomes of its line
            with suppress(Exception):
                sys.stderr.write(f"a log line could not be written: {type(error).__name__}\n")


def _logger(service: str) -> _Logger:
    return _Logger(service)


def report(
    service: str,
    record: RequestRecord | BatchRecord,
    counted: Meter,
    failure: BaseException | None = None,
) -> None:
    """Write the record's line: the fields of Powertools' Logger plus its metrics in embedded metric format.

    CloudWatch reads the metrics from the line itself, so there is no second line and no call to make.
    """
    line = {**_metrics(record, counted), **_members(record), **_members(counted)}
    if isinstance(record, BatchRecord):
        line["failures"] = [asdict(casualty) for casualty in record.failures]
    message = "batch" if isinstance(record, BatchRecord) else "request"
    if failure is None:
        _logger(service).info(message, extra=line)
    else:
        _logger(service).error(message, extra={**line, "exception": _stack(failure)})


def _metrics(record: RequestRecord | BatchRecord, counted: Meter) -> dict[str, Any]:
    """The record's metrics as Powertools writes them, whose own class asks each time what never changes.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    values: dict[str, float] = {
        "Duration": record.duration_ms,
        "WriteUnits": counted.write_units,
        "Retries": counted.retries,
    }
    if isinstance(record, BatchRecord):
        values |= {"Received": record.received, "Failed": len(record.failures)}
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["operation", "outcome", "service"]],  # the service is a field of every line
        "Metrics": [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in values],
    }
    return {
        "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]},
        "operation": record.operation,
        "outcome": record.outcome,
        **{name: [float(value)] for name, value in values.items()},
    }


def _members(part: RequestRecord | BatchRecord | Meter) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__slots__}


def warn(service: str, event: str, **facts: object) -> None:
    """Write a line about something that is no request and should be known: facts, never content."""
    told = {name: fact for name, fact in facts.items() if fact is not None}
    _logger(service).warning(event, extra=told)


def _stack(failure: BaseException) -> list[str]:
    """Type and places of a failure, without its message: that may quote what a caller sent.

    That of a ConfigurationError quotes nothing, and says which variable is to be mended.
    """
    trace: TracebackType | None = failure.__traceback__
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]
    told = f": {failure}" if isinstance(failure, ConfigurationError) else ""
    return [*places, type(failure).__name__ + told]
