"""Whatever a receiver does, or the storage: the event arrives in the end, and why not yet is told."""

from collections.abc import Callable
from typing import Any

import pytest

from chassis import observe, store
from chassis.errors import Unavailable
from chassis.writes import Write
from functions.webhooks import delivery, gateway, model, publication, table
from functions.webhooks.shapes import DeliveryStatus, Failure
from local.ports import LOOPBACK, free_port
from tests import receiver as acts
from tests.functions.inside import Faulty, Time, conflict, lost
from tests.functions.webhooks.office import Office, secret_of
from tests.receiver import Receiver

PENDING, SUCCEEDED = DeliveryStatus.PENDING, DeliveryStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("act", "failure", "code"),
    [
        (acts.answers(500), Failure.STATUS, 500),
        (acts.answers(404, b"no such page"), Failure.STATUS, 404),
        (acts.redirects("/broken/redirected"), Failure.REDIRECT, 302),
        (acts.closes, Failure.CONNECTION, None),
        (acts.answers(500, b"x" * 1_000_000), Failure.STATUS, 500),
        (acts.hangs, Failure.TIMEOUT, None),
        (acts.drips_its_head(), Failure.TIMEOUT, None),
    ],
    ids=["500", "404", "redirects", "lost 200", "long 500", "hangs", "drips"],
)
def test_a_broken_receiver_gets_it_again_and_is_told_why(
    office: Office, receiver: Receiver, act: acts.Act, failure: Failure, code: int | None
) -> None:
    office.hurry()
    receiver.received.clear()
    receiver.act("/broken", act)
    endpoint = office.register(f"{receiver.url}/broken")
    (event,) = office.tell()
    office.work()
    found = office.delivery(event, endpoint)
    assert (found.status, found.attempts, found.failure, found.response_code) == (PENDING, 1, failure, code)
    health = office.endpoint(endpoint)
    assert (health.slow, health.failing_since) == (True, found.last_attempt_at)
    # What takes too long is tried in both lanes.
    assert len(receiver.received) == (2 if failure is Failure.TIMEOUT else 1)

    receiver.act("/broken", acts.answers())
    office.move_to(found.next_attempt_at, seconds=1)
    office.work()
    if failure is Failure.TIMEOUT:  # it is left alone for a while
        assert office.delivery(event, endpoint) == found
        office.move(minutes=0.5)
        office.work()
    found = office.delivery(event, endpoint)
    assert (found.status, found.attempts, found.failure, found.response_code) == (SUCCEEDED, 2, None, 204)
    health = office.endpoint(endpoint)
    assert (health.slow, health.failing_since, health.status) == (False, None, "enabled")
    assert {one.id for one in receiver.received} == {event}
    for one in receiver.received:
        one.verify(secret_of(endpoint))


def test_a_receiver_that_is_down_gets_it_when_it_is_up(office: Office, receiver: Receiver) -> None:
    endpoint = office.register(f"http://{LOOPBACK}:{free_port()}/down")
    (event,) = office.tell()
    office.work()
    found = office.delivery(event, endpoint)
    assert (found.status, found.failure, found.response_code) == (PENDING, Failure.CONNECTION, None)
    office.change(endpoint, url=f"{receiver.url}/up")
    office.move_to(found.next_attempt_at, seconds=1)
    office.work()
    assert office.delivery(event, endpoint).status is SUCCEEDED
    assert [one.id for one in receiver.at("/up")] == [event]


@pytest.mark.parametrize(
    "act", [acts.answers(200, b"x" * 1_000_000), acts.drips_its_body(202)], ids=["long", "drips"]
)
def test_a_200_counts_however_the_answer_goes_on(office: Office, receiver: Receiver, act: acts.Act) -> None:
    office.hurry()
    receiver.act("/talks", act)
    endpoint = office.register(f"{receiver.url}/talks")
    (event,) = office.tell()
    before = len(receiver.at("/talks"))
    office.work()
    found = office.delivery(event, endpoint)
    assert (found.status, found.attempts, found.failure) == (SUCCEEDED, 1, None)
    assert len(receiver.at("/talks")) == before + 1


def test_a_name_that_leads_inside_is_an_attempt_that_failed(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "look_up", lambda *_: ["169.254.169.254"])
    endpoint = office.register("https://shop.example/")
    (event,) = office.tell()
    office.work()
    found = office.delivery(event, endpoint)
    assert (found.status, found.failure, found.response_code) == (PENDING, Failure.ADDRESS, None)


@pytest.mark.parametrize("faults", [(conflict, conflict), (lost,), (lost, conflict, lost)])
def test_storage_that_stumbles_keeps_one_outcome(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, faults: tuple[Any, ...]
) -> None:
    endpoint = office.register(f"{receiver.url}/stumbles")
    (event,) = office.tell()
    with monkeypatch.context() as patched:
        Time(patched)
        Faulty(patched, *faults)
        office.hand_over(publication.QUEUE)
    found = office.delivery(event, endpoint)
    assert (found.status, found.version) == (SUCCEEDED, 2)
    assert office.waiting == []


def about(event: str) -> Callable[[tuple[Write, ...]], bool]:
    return lambda writes: any(write.key.get("pk") == event for write in writes)


def failing_for(monkeypatch: pytest.MonkeyPatch, is_one: Callable[[tuple[Write, ...]], bool]) -> None:
    """Have the storage not answer to these commits."""
    commit = store.commit

    def commit_or_not(*writes: Write) -> None:
        if is_one(writes):
            raise Unavailable
        commit(*writes)

    monkeypatch.setattr(store, "commit", commit_or_not)


def test_an_outcome_that_cannot_be_kept_fails_its_message_alone(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = office.register(f"{receiver.url}/unkept")
    first, second, third = office.tell(3)
    with monkeypatch.context() as patched:
        failing_for(patched, about(second))
        assert office.hand_over(publication.QUEUE) == 1
    assert [office.delivery(event, endpoint).status for event in (first, second, third)] == [
        SUCCEEDED,
        PENDING,
        SUCCEEDED,
    ]
    office.move(minutes=3)
    office.work()
    assert office.delivery(second, endpoint).status is SUCCEEDED
    assert sorted(one.id for one in receiver.at("/unkept")) == sorted([first, second, second, third])


def test_storage_that_has_become_slow_costs_no_more_than_there_is_time(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = office.register(f"{receiver.url}/late")
    told = office.tell(3)
    monkeypatch.setattr(delivery, "BATCH_SECONDS", -1)
    assert office.hand_over(publication.QUEUE) == 3
    assert all(office.delivery(event, endpoint).version == 1 for event in told)
    monkeypatch.setattr(delivery, "BATCH_SECONDS", 15)
    office.move(minutes=3)
    office.work()
    assert all(office.delivery(event, endpoint).status is SUCCEEDED for event in told)


def test_without_storage_nothing_is_sent(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.register(f"{receiver.url}/unread")
    office.tell()

    def unavailable(*_: object) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(store, "get_many", unavailable)
        with pytest.raises(Unavailable):
            office.hand_over(publication.QUEUE)
    assert receiver.at("/unread") == []
    office.move(minutes=3)
    office.work()
    assert len(receiver.at("/unread")) == 1


def test_a_queue_that_takes_nothing_loses_no_attempt(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.act("/unsent", acts.answers(500), acts.answers())
    endpoint = office.register(f"{receiver.url}/unsent")
    (event,) = office.tell()

    def unavailable(messages: Any) -> None:
        if list(messages):
            raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr("chassis.events.send", unavailable)
        assert office.hand_over(publication.QUEUE) == 1
    office.move_to(office.delivery(event, endpoint).next_attempt_at, minutes=4)
    assert office.retry() == 1
    office.work()
    assert office.delivery(event, endpoint).status is SUCCEEDED
    assert len(receiver.at("/unsent")) == 2


def test_what_cannot_change_lanes_comes_again(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = office.register(f"{receiver.url}/stays")
    well = office.register(f"{receiver.url}/stays/well")
    (event,) = office.tell()
    store.commit(table.save_endpoint(model.slowed(endpoint)))

    def unavailable(messages: Any) -> None:
        if list(messages):
            raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr("chassis.events.send", unavailable)
        assert office.hand_over(publication.QUEUE) == 1
    assert office.delivery(event, well).status is SUCCEEDED
    assert receiver.at("/stays") == []
    office.move(minutes=3)
    office.work()
    assert office.delivery(event, endpoint).status is SUCCEEDED


def test_what_an_attempt_costs(office: Office, receiver: Receiver) -> None:
    office.register(f"{receiver.url}/costs")
    office.tell(10)
    attempts = [message.body for message in office.queued(publication.QUEUE)]
    with observe.metered() as counted:
        assert delivery.deliver(attempts, slowly=False) == {}  # type: ignore[arg-type] # they are Attempts
    # One read of ten deliveries, ten events and their endpoint, and an outcome each.
    assert (counted.read_calls, counted.read_units) == (1, 21)
    assert (counted.write_calls, counted.write_units) == (10, 10)
