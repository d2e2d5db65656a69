"""Queues outside Lambda: batches, partial failures, dead letters, and workers that die."""

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from chassis import aws
from chassis import events as chassis_events
from chassis.config import settings
from chassis.service import Service
from chassis.sources import QueueSource
from infra.declaration import Queue
from local.provision import provision
from local.system import System
from runtime.queues import Poller, main
from runtime.workers import Crew
from tests.layers.runtime.workshop import (
    Notes,
    Worker,
    await_until,
    lines,
    new_queue,
    receive,
    send,
    unique,
    waiting,
    working,
)

pytestmark = pytest.mark.usefixtures("engine")


class Number(BaseModel):
    number: int


def source_of(queue: str, consume: Callable[[int], object], **options: int) -> QueueSource:
    service = Service("test", "Counts.")

    @service.queue("count", queue=queue, **options)
    def count(message: Number) -> None:
        consume(message.number)

    return service.queues[0]


def polling(source: QueueSource) -> Callable[[Crew], Callable[[], None]]:
    return lambda crew: Poller(source, crew, wait_seconds=1).run


def watched(source: QueueSource, seen: Notes) -> QueueSource:
    """The same source, with every event noted before it is handled."""

    def invoke(event: dict[str, Any], context: Any) -> Any:
        seen.add(event)
        return source.invoke(event, context)

    return replace(source, invoke=invoke)


def test_a_poison_message_fails_alone_and_ends_in_the_dead_letter_queue() -> None:
    queue, handled, events = new_queue(max_receives=2), Notes(), Notes()

    def consume(number: int) -> None:
        handled.add(number)
        if number == 4:
            raise RuntimeError

    send(queue.name, *({"number": number} for number in range(9)), "not json")
    with working(polling(watched(source_of(queue.name, consume), events))):
        await_until(lambda: waiting(queue.dead_letter) == 2)
        await_until(lambda: waiting(queue.name) == 0)

    assert sorted(handled.all()) == [0, 1, 2, 3, 4, 4, 5, 6, 7, 8]
    assert len(events.all()[0]["Records"]) == 10
    assert {message["Body"] for message in receive(queue.dead_letter)} == {'{"number": 4}', "not json"}


def test_a_batch_is_gathered_from_several_receives() -> None:
    queue, events = new_queue(visibility_seconds=30), Notes()
    send(queue.name, *({"number": number} for number in range(23)))
    source = source_of(queue.name, lambda number: None, batch_size=1000, window_seconds=1)

    with working(polling(watched(source, events))):
        await_until(lambda: waiting(queue.name) == 0)

    assert [len(event["Records"]) for event in events.all()] == [23]


def test_a_handler_that_raises_has_failed_for_the_whole_batch() -> None:
    queue, events = new_queue(max_receives=5), Notes()

    def invoke(event: dict[str, Any], context: Any) -> Any:
        events.add(event)
        if len(events.all()) == 1:
            raise RuntimeError
        return {"batchItemFailures": []}

    send(queue.name, {"number": 1}, {"number": 2})
    source = replace(source_of(queue.name, lambda number: None), invoke=invoke)
    with working(polling(source)):
        await_until(lambda: waiting(queue.name) == 0)

    first, again = events.all()
    assert [record["body"] for record in again["Records"]] == ['{"number": 1}', '{"number": 2}']
    record = again["Records"][0]
    assert record["attributes"]["ApproximateReceiveCount"] == "2"
    assert record["messageId"] == first["Records"][0]["messageId"]
    assert set(record["attributes"]) >= {"SentTimestamp", "ApproximateFirstReceiveTimestamp", "SenderId"}
    assert record["eventSourceARN"].endswith(f":tael-local-{queue.name}")
    assert (record["eventSource"], record["awsRegion"]) == ("aws:sqs", "us-east-1")
    assert (record["messageAttributes"], len(record["md5OfBody"])) == ({}, 32)


def test_what_was_gathered_and_not_delivered_goes_back_at_once() -> None:
    queue, handled = new_queue(visibility_seconds=30), Notes()
    send(queue.name, *({"number": number} for number in range(3)))
    source = source_of(queue.name, handled.add, batch_size=100, window_seconds=20)

    with working(polling(source)) as crew:
        # All are in flight in a batch whose window is open; the stop closes it.
        await_until(lambda: not receive_count(queue.name))
        crew.stopping.set()

    assert handled.all() == []
    assert len(receive(queue.name)) == 3


def receive_count(queue: str) -> int:
    """How many messages could be received now."""
    name = "ApproximateNumberOfMessages"
    found = aws.client("sqs").get_queue_attributes(
        QueueUrl=chassis_events.queue_url(queue), AttributeNames=[name]
    )
    return int(found["Attributes"][name])


def test_a_queue_out_of_reach_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings, handled = Notes(), Notes()
    monkeypatch.setattr("runtime.queues.RETRY_SECONDS", 0.05)
    monkeypatch.setattr("chassis.observe.warn", lambda service, event, **facts: warnings.add(facts["error"]))
    later = Queue(unique("later"), "a.test")

    with working(polling(source_of(later.name, handled.add))):
        await_until(lambda: len(warnings.all()) > 1)
        provision(tables=(), queues=(later,), streams=())
        send(later.name, {"number": 1})
        await_until(lambda: handled.all() == [1])
    assert "NonExistentQueue" in warnings.all()[0]


def worker(queue: str, notes: Path, *options: str) -> Worker:
    return Worker("queues", notes, {"PROBE_QUEUE": queue}, "--wait-seconds", "1", *options)


def test_a_killed_worker_loses_nothing(system: System, tmp_path: Path) -> None:
    queue, notes = new_queue(visibility_seconds=2, max_receives=5), tmp_path / "notes"
    send(queue.name, *({"text": str(number)} for number in range(10)))
    notes.with_suffix(".hold").write_text("3")
    killed = worker(queue.name, notes)
    await_until(lambda: "3" in lines(notes))
    killed.kill()
    assert len(lines(notes)) < 10
    killed.hold.unlink()

    second = worker(queue.name, notes)
    await_until(lambda: waiting(queue.name) == 0)
    assert second.terminate() == 0

    assert set(lines(notes)) == {str(number) for number in range(10)}
    assert waiting(queue.dead_letter) == 0


def test_a_stop_finishes_the_batch_under_way(system: System, tmp_path: Path) -> None:
    queue, notes = new_queue(visibility_seconds=60), tmp_path / "notes"
    send(queue.name, *({"text": str(number)} for number in range(5)))
    notes.with_suffix(".hold").write_text("2")
    stopped = worker(queue.name, notes)
    await_until(lambda: "2" in lines(notes))
    stopped.process.send_signal(signal.SIGTERM)
    stopped.hold.unlink()

    assert stopped.process.wait(10) == 0

    assert lines(notes) == ["0", "1", "2", "3", "4"]
    assert waiting(queue.name) == 0


def test_a_worker_for_one_handler_leaves_the_others_queues_alone(system: System, tmp_path: Path) -> None:
    queue, notes = new_queue(), tmp_path / "notes"
    send(queue.name, {"text": "for keep"})
    other = worker(queue.name, notes, "--only", "nothing")
    assert other.process.wait(10) == 2
    keeper = worker(queue.name, notes, "--only", "keep")
    await_until(lambda: waiting(queue.name) == 0)
    assert keeper.terminate() == 0
    assert lines(notes) == ["for keep"]


def test_it_says_which_setting_is_at_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("TAEL_STAGE", "No Stage")
        settings.cache_clear()
        assert main(["tests.layers.runtime.probe"]) == 2
    settings.cache_clear()
    assert "TAEL_STAGE" in capsys.readouterr().err
