"""Streams outside Lambda, on the engine: order, checkpoints, workers that die, and draining."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from chassis import aws
from chassis.config import ConfigurationError
from chassis.events import Message
from chassis.service import Service
from chassis.sources import Change, StreamSource
from infra.declaration import Table
from local.ports import free_port
from local.provision import provision
from local.system import System
from runtime.checkpoints import Checkpoints
from runtime.streams import StreamReader, _shards
from runtime.workers import Crew
from tests.layers.runtime.workshop import (
    DEADLINE_SECONDS,
    Notes,
    Worker,
    await_until,
    lines,
    new_stream,
    unique,
    working,
    write,
)

pytestmark = pytest.mark.usefixtures("engine")


def source_of(
    table: str, publish: Callable[[Sequence[Change]], Iterable[Message] | None], **options: Any
) -> StreamSource:
    service = Service("test", "Follows.")
    service.stream(unique("follow"), table=table, **options)(publish)
    return service.streams[0]


def noting(seen: Notes) -> Callable[[Sequence[Change]], None]:
    def publish(changes: Sequence[Change]) -> None:
        for change in changes:
            seen.add(change)

    return publish


def counts(seen: Notes) -> list[int]:
    return [change.new["count"] for change in seen.all()]


def reading(source: StreamSource, *, drain: bool = False) -> Callable[[Crew], Callable[[], None]]:
    return lambda crew: StreamReader("test", source, crew, drain=drain).run


def test_a_change_arrives_with_both_images_and_whole_numbers() -> None:
    stream, seen = new_stream(), Notes()
    write(stream.table, "a", count=1)
    write(stream.table, "a", count=2, name="x")

    with working(reading(source_of(stream.table, noting(seen)))):
        await_until(lambda: len(seen.all()) == 2)

    first, second = seen.all()
    assert (first.key, first.old, first.new) == ({"pk": "a"}, None, {"pk": "a", "count": 1})
    assert (second.old, second.new) == (first.new, {"pk": "a", "count": 2, "name": "x"})
    assert first.sequence_number < second.sequence_number


def follower(stream: str, notes: Path) -> Worker:
    return Worker("streams", notes, {"PROBE_TABLE": stream})


def noted(notes: Path, line: str) -> bool:
    return line in lines(notes)


def test_each_change_is_told_in_order_by_workers_that_die(system: System, tmp_path: Path) -> None:
    stream, notes = new_stream(), tmp_path / "notes"
    written = [(f"key{number % 5}", number) for number in range(200)]
    for start, end, dies_at in ((0, 80, "key3 38"), (80, 140, "key1 91"), (140, 200, None)):
        for key, number in written[start:end]:
            write(stream.table, key, count=number)
        if dies_at:
            notes.with_suffix(".hold").write_text(dies_at)
        worker = follower(stream.table, notes)
        if dies_at:
            await_until(partial(noted, notes, dies_at))
            worker.kill()
            worker.hold.unlink()
        else:
            await_until(partial(noted, notes, "key4 199"))
            assert worker.terminate() == 0

    told = [line.split() for line in lines(notes)]
    assert {(key, int(number)) for key, number in told} == set(written)
    newest = -1
    for number in (int(number) for _, number in told):
        # A worker may tell again what the one before it told, but never skips a change.
        assert number <= newest + 1
        newest = max(newest, number)
    assert 200 < len(told) < 200 + 2 * 7


def test_a_stop_drains_what_was_written_before_it() -> None:
    stream, seen = new_stream(), Notes()
    source = source_of(stream.table, noting(seen), batch_size=10)
    with working(reading(source, drain=True)):
        write(stream.table, "a", count=0)
        await_until(lambda: len(seen.all()) == 1)
        for number in range(1, 60):
            write(stream.table, "a", count=number)

    assert counts(seen) == list(range(60))


def test_a_stop_does_not_wait_for_an_engine_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, seen, crew = new_stream(), Notes(), Crew()
    crew.start("reader", reading(source_of(stream.table, noting(seen)), drain=True)(crew))
    write(stream.table, "a", count=0)
    await_until(lambda: len(seen.all()) == 1)
    gone = boto3.client(
        "dynamodbstreams",
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{free_port()}",
        aws_access_key_id="nobody",
        aws_secret_access_key="there",
        config=Config(retries={"total_max_attempts": 1}),
    )
    monkeypatch.setattr(aws, "client", lambda service, **_: gone)
    assert crew.stop(DEADLINE_SECONDS)


def test_a_stop_without_draining_leaves_the_rest_to_the_next_worker() -> None:
    stream, seen = new_stream(), Notes()
    crews: list[Crew] = []

    def publish(changes: Sequence[Change]) -> None:
        noting(seen)(changes)
        crews[0].stopping.set()

    source = source_of(stream.table, publish, batch_size=10)
    for number in range(30):
        write(stream.table, "a", count=number)

    def start(crew: Crew) -> Callable[[], None]:
        crews[:] = [crew]
        return reading(source)(crew)

    for so_far in (10, 20, 30):
        with working(start) as crew:
            await_until(crew.stopping.is_set)
        assert counts(seen) == list(range(so_far))


def test_workers_that_overlap_lose_nothing() -> None:
    """As in a rollout that starts the new one before the old one has ended, or after a node was lost."""
    stream, seen, later = new_stream(), (Notes(), Notes()), Notes()
    consumer = unique("follow")

    def follows(notes: Notes) -> StreamSource:
        service = Service("test", "Follows.")
        service.stream(consumer, table=stream.table, batch_size=3)(noting(notes))
        return service.streams[0]

    with working(*(reading(follows(notes)) for notes in seen)):
        for number in range(60):
            write(stream.table, "a", count=number)
        await_until(lambda: {*counts(seen[0]), *counts(seen[1])} == {*range(60)})
    write(stream.table, "a", count=60)
    with working(reading(follows(later))):
        await_until(lambda: 60 in counts(later))

    # Whoever comes next goes on from where they were, or repeats a little, but skips nothing.
    assert counts(later) == [*range(counts(later)[0], 61)]


def test_a_trimmed_checkpoint_resumes_at_the_horizon() -> None:
    stream, seen = new_stream(), Notes()
    source = source_of(stream.table, noting(seen))
    checkpoints = Checkpoints(f"test.{source.name}")
    checkpoints.load()
    (shard,) = _shards(stream.table)
    checkpoints.advance(shard.key, "0" * 30)
    write(stream.table, "a", count=1)

    with working(reading(source)):
        await_until(lambda: len(seen.all()) == 1)


def test_a_table_without_a_stream_is_a_fault_of_the_deployment() -> None:
    table = Table(unique("plain"), writer="a.test")
    provision(tables=(table,), queues=(), streams=())
    with pytest.raises(ConfigurationError, match="has no stream"):
        StreamReader("test", source_of(table.name, lambda changes: None), Crew()).run()
