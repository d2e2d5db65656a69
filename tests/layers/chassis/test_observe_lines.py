"""The form of a line: members, order and metrics are those of Powertools."""

import json
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from chassis import observe
from chassis.observe import BatchRecord, Casualty, Meter, RequestRecord

RECORDS = [
    RequestRecord("req_1", "POST /v1/x", status=201, outcome="ok", duration_ms=1.25),
    BatchRecord("req_2", "queue x", 3, failures=[Casualty("m", "KeyError", "")], outcome="partial"),
]


@pytest.mark.parametrize("record", RECORDS, ids=["request", "batch"])
def test_the_metrics_are_those_that_powertools_would_write(record: RequestRecord | BatchRecord) -> None:
    metrics = EphemeralMetrics(namespace=observe.NAMESPACE, service="x")
    metrics.add_dimension("operation", record.operation)
    metrics.add_dimension("outcome", record.outcome)
    metrics.add_metric("Duration", MetricUnit.Milliseconds, record.duration_ms)
    metrics.add_metric("WriteUnits", MetricUnit.Count, 7.0)
    metrics.add_metric("Retries", MetricUnit.Count, 2)
    if isinstance(record, BatchRecord):
        metrics.add_metric("Received", MetricUnit.Count, record.received)
        metrics.add_metric("Failed", MetricUnit.Count, len(record.failures))
    theirs: dict[str, Any] = dict(metrics.serialize_metric_set())
    ours = observe._metrics(record, Meter(write_units=7.0, retries=2))
    assert ours["_aws"].pop("Timestamp") - theirs["_aws"].pop("Timestamp") < 60_000
    assert {**ours, "service": "x"} == theirs


def test_a_line_has_the_members_that_powertools_would_write(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=5;Sampled=1")
    facts = {"count": 0, "text": 'é "\u2028', "error": ValueError("x"), "nothing": None}
    name = f"compared-{uuid.uuid4()}"
    Logger(service=name, use_rfc3339=True, utc=True, stream=sys.stdout, level="INFO").warning(
        "x", extra=facts
    )
    observe.warn(name, "x", **facts)
    theirs, ours = (json.loads(line) for line in capsys.readouterr().out.split("\n")[:2])
    assert list(ours) == list(theirs)
    # Powertools adds the number of our own line there; a second may have begun.
    own = ("location", "timestamp")
    assert {**ours, **dict.fromkeys(own)} == {**theirs, **dict.fromkeys(own)}
    assert len(ours["timestamp"]) == len(theirs["timestamp"])


@contextmanager
def full_disk() -> Iterator[None]:
    """Whatever is written to stdout meanwhile fails."""
    with Path("/dev/full").open("w") as full, redirect_stdout(full):
        yield
        with suppress(OSError):  # what it still holds
            full.close()


def test_a_line_that_cannot_be_written_takes_nothing_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    with full_disk(), observe.reported("x", RequestRecord("req_1")):
        pass
    assert "a log line could not be written: OSError" in capsys.readouterr().err


def test_a_failure_is_told_as_it_is_where_its_line_cannot_be_written() -> None:
    with full_disk(), pytest.raises(KeyError), observe.reported("x", RequestRecord("req_1")):
        raise KeyError
