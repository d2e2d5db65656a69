"""Checkpoints: stored, read again, forgotten with their shards, and never overwritten unseen."""

import pytest

from runtime.checkpoints import Checkpoints, Moved
from tests.layers.runtime.workshop import unique

pytestmark = pytest.mark.usefixtures("engine")


def loaded(consumer: str) -> Checkpoints:
    checkpoints = Checkpoints(consumer)
    checkpoints.load()
    return checkpoints


def test_what_was_stored_is_there_for_the_next_worker() -> None:
    consumer = unique("consumer")
    first = loaded(consumer)
    assert (first.position("s1"), first.is_finished("s1")) == (None, False)
    first.advance("s1", "10")
    first.advance("s1", "11")
    first.advance("s2", "5")
    first.finish("s1")

    second = loaded(consumer)
    assert [second.position(shard) for shard in ("s1", "s2", "s3")] == ["11", "5", None]
    assert [second.is_finished(shard) for shard in ("s1", "s2", "s3")] == [True, False, False]


def test_shards_that_are_gone_are_forgotten() -> None:
    consumer = unique("consumer")
    first = loaded(consumer)
    first.finish("s1")
    first.keep({"s2"})
    first.advance("s2", "1")
    assert not loaded(consumer).is_finished("s1")


def test_of_two_workers_one_finds_out() -> None:
    consumer = unique("consumer")
    first, second = loaded(consumer), loaded(consumer)
    first.advance("s1", "10")
    with pytest.raises(Moved):
        second.advance("s1", "4")
    second.load()
    assert second.position("s1") == "10"
    second.advance("s1", "11")
    with pytest.raises(Moved):
        first.finish("s1")
