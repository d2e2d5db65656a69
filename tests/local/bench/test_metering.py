"""What is read in the logs of the functions, and what AWS asks for it."""

import contextlib
import io
from pathlib import Path

import pytest

from chassis.observe import BatchRecord, Meter, RequestRecord, report
from local.bench.costs import SHARES
from local.bench.metering import LOGS, Line, Mark, Use
from local.bench.pricing import price, sqs_requests

PAYMENT = Use(invocations=1, messages=0, write_units=7, write_calls=1, read_units=0, milliseconds=10)


def written(service: str, record: RequestRecord | BatchRecord, meter: Meter) -> str:
    """The line as the chassis writes it: a change there that is not understood here fails."""
    # The logger keeps the stream that it had at first, so that each service here is another one.
    with contextlib.redirect_stdout(io.StringIO()) as out:
        report(service, record, meter)
    return out.getvalue()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    for name in LOGS:
        (tmp_path / name).write_text("")
    return tmp_path


def test_a_request_s_line_is_understood() -> None:
    record = RequestRecord("req_1", operation="POST /v1/transfers", duration_ms=12.5)
    text = written("metering-request", record, Meter(write_calls=1, write_units=11.0, read_units=0.5))
    assert Line.parse(text) == Line("metering-request", "POST /v1/transfers", 0, 11.0, 1, 0.5, 12.5)


def test_a_batch_s_line_is_understood() -> None:
    record = BatchRecord("req_1", "queue collect", received=40, duration_ms=80.0)
    text = written("metering-batch", record, Meter(write_calls=2, write_units=84.0))
    assert Line.parse(text) == Line("metering-batch", "queue collect", 40, 84.0, 2, 0.0, 80.0)


@pytest.mark.parametrize("text", ["", "Traceback", "[]", '{"message": "worker failed"}', '{"message": "req'])
def test_other_lines_are_passed_by(text: str) -> None:
    assert Line.parse(text) is None


def test_only_what_was_written_after_the_mark_counts(logs: Path) -> None:
    record = RequestRecord("req_1", operation="POST /v1/transfers")
    text = written("metering-mark", record, Meter(write_units=11.0))
    (logs / LOGS[0]).write_text(text)
    mark = Mark.now(logs)
    for name in LOGS:
        with (logs / name).open("a") as log:
            log.write(f"not a line of ours\n{text}")
    assert [line.write_units for line in mark.since()] == [11.0] * len(LOGS)


def test_a_batch_is_shared_by_the_payments_in_it() -> None:
    lines = [
        Line("webhooks", "queue record", 10, 50.0, 20, 10.0, 30.0),
        Line("webhooks", "queue record", 5, 25.0, 10, 5.0, 15.0),
        Line("payments", "stream publish", 15, 0.0, 0, 0.0, 15.0),
    ]
    assert Use.of(lines, 15) == Use(
        invocations=3 / 15, messages=1, write_units=5, write_calls=2, read_units=1, milliseconds=4
    )


def test_the_price_of_a_payment_is_that_of_the_operators_guide() -> None:
    asked = price(PAYMENT, is_request=True)
    assert (asked.storage, asked.requests) == pytest.approx((4.375, 1.20))
    assert asked.total == pytest.approx(5.575)
    # 10 ms at half a gigabyte, a million times: 5,000 GB-seconds.
    assert asked.lambda_time == pytest.approx(5_000 * 0.0000166667)


def test_a_message_is_sent_received_and_deleted_in_tens() -> None:
    use = Use(invocations=0.1, messages=1, write_units=0, write_calls=0, read_units=2, milliseconds=0)
    assert sqs_requests(use) == pytest.approx(0.3)
    asked = price(use, is_request=False)
    assert asked.total == pytest.approx(2 * 0.125 + 0.1 * 0.20 + 0.3 * 0.40)


def test_no_work_is_counted_twice() -> None:
    sources = [source for share in SHARES.values() for source in share]
    assert len(sources) == len(set(sources))
