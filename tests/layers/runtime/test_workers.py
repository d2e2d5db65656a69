"""A worker process: what handlers' answers mean, and how its threads end."""

import signal
import threading
from typing import Any

import pytest

from chassis.service import Service
from chassis.sources import StreamSource
from runtime.workers import Crew, NoSuchSource, chosen, failed_ids

KNOWN = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, {"b"}),
        ({"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "b"}]}, {"b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, set(KNOWN)),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, set(KNOWN)),
        ({"batchItemFailures": [{"itemIdentifier": "d"}]}, set(KNOWN)),
        ({"batchItemFailures": [{"id": "a"}]}, set(KNOWN)),
        ({"batchItemFailures": "a"}, set(KNOWN)),
        ({"done": 3}, set(KNOWN)),
        ("fine", set(KNOWN)),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_failure_of_all(answer: Any, failed: set[str]) -> None:
    assert failed_ids(answer, KNOWN) == failed


def test_patience_has_an_end() -> None:
    crew, ended = Crew(), threading.Event()

    def work() -> None:
        crew.abandoned.wait()
        ended.set()

    crew.start("slow", work)
    assert not crew.stop(0.05)
    assert ended.wait(5)


def test_a_thread_that_another_one_starts_is_waited_for() -> None:
    crew, done = Crew(), threading.Event()

    def child() -> None:
        crew.stopping.wait()
        done.set()

    crew.start("parent", lambda: crew.start("child", child))
    assert crew.stop(5)
    assert done.is_set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_with_a_fault_of_its_own_ends_the_process() -> None:
    crew, asked = Crew(), threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        crew.start("faulty", lambda: 1 // 0)  # type: ignore[arg-type]
        assert asked.wait(5)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not crew.stop(5)


def source(name: str) -> tuple[Service, StreamSource]:
    service = Service("test", "Has handlers.")
    service.stream(name, table="a-table")(lambda changes: None)
    return service, service.streams[0]


def test_a_worker_may_be_asked_for_one_handler_alone() -> None:
    collect, resolve = source("collect"), source("resolve")
    assert chosen([collect, resolve], None) == [collect, resolve]
    assert chosen([collect, resolve], "resolve") == [resolve]


@pytest.mark.parametrize(("there", "told"), [((), "none"), (("collect", "resolve"), "collect, resolve")])
def test_a_handler_that_is_not_there_is_a_sentence(there: tuple[str, ...], told: str) -> None:
    with pytest.raises(NoSuchSource, match=f"^there is no handler deliver here; there are: {told}$"):
        chosen([source(name) for name in there], "deliver")
