"""Owns what a request leaves behind: its meter of storage calls, and one JSON line that is log and metric."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from functools import lru_cache
from types import TracebackType

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE = "Tael"


@dataclass(slots=True)
class Meter:
    """What one request asked of the storage: calls, and capacity units as DynamoDB counts them."""

    write_calls: int = 0
    read_calls: int = 0
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


@lru_cache(maxsize=16)
def _logger(service: str) -> Logger:
    return Logger(
        service=service, logger_handler=None, use_rfc3339=True, utc=True, stream=sys.stdout, level="INFO"
    )


def report(service: str, record: RequestRecord, counted: Meter, failure: BaseException | None = None) -> None:
    """Write the request's line: Powertools Logger fields plus its metrics in embedded metric format.

    CloudWatch reads the metrics from the line itself, so there is no second line and no call to make.
    """
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=service)
    metrics.add_dimension("operation", record.operation)
    metrics.add_dimension("outcome", record.outcome)
    metrics.add_metric("Duration", MetricUnit.Milliseconds, record.duration_ms)
    metrics.add_metric("WriteUnits", MetricUnit.Count, counted.write_units)
    metrics.add_metric("Retries", MetricUnit.Count, counted.retries)
    line = {**metrics.serialize_metric_set(), **asdict(record), **asdict(counted)}
    line.pop("service")
    if failure is None:
        _logger(service).info("request", extra=line)
    else:
        _logger(service).error("request", extra={**line, "exception": _stack(failure)})


def _stack(failure: BaseException) -> list[str]:
    """Type and places of a failure, without its message: that may quote what a caller sent."""
    trace: TracebackType | None = failure.__traceback__
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]
    return [*places, type(failure).__name__]
