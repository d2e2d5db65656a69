"""An endpoint that is slow, or fails, holds up no other: it is served apart, until it answers fast again."""

import time

import pytest

from chassis import store
from functions.webhooks import delivery, model, publication, table
from functions.webhooks.records import StoredEndpoint
from functions.webhooks.shapes import DeliveryStatus, Failure
from tests import receiver as acts
from tests.functions.webhooks.office import FAST_SECONDS, SLOW_SECONDS, Office
from tests.receiver import Receiver

FAST, SLOW = publication.QUEUE, publication.SLOW_QUEUE


def test_one_that_hangs_costs_the_others_its_time_once(office: Office, receiver: Receiver) -> None:
    office.hurry()
    receiver.act("/hangs", acts.hangs)
    hangs = office.register(f"{receiver.url}/hangs")
    well = office.register(f"{receiver.url}/well")
    first, *_ = office.tell(3)
    started = time.monotonic()
    office.hand_over(FAST)
    assert time.monotonic() - started >= FAST_SECONDS
    assert len(receiver.at("/well")) == 3
    # No answer in the time of the fast lane is no attempt yet: it says that the endpoint is slow, no more.
    found = office.delivery(first, hangs)
    assert (found.attempts, found.version, found.failure) == (0, 1, None)
    health = office.endpoint(hangs)
    assert (health.slow, health.failing_since, health.version) == (True, None, hangs.version + 1)
    assert len(office.queued(SLOW)) == 3

    asked = len(receiver.at("/hangs"))
    again, *_ = office.tell(2)
    for _ in range(2):
        office.hand_over(FAST)
    assert len(receiver.at("/hangs")) == asked
    assert len(receiver.at("/well")) == 5
    assert office.delivery(again, well).status is DeliveryStatus.SUCCEEDED
    assert len(office.queued(SLOW)) == 5

    started = time.monotonic()
    office.hand_over(SLOW)
    assert SLOW_SECONDS <= time.monotonic() - started < 2 * SLOW_SECONDS + 1
    found = office.delivery(first, hangs)
    assert (found.attempts, found.failure) == (1, Failure.TIMEOUT)
    assert office.endpoint(hangs).failing_since is not None


def test_one_that_needs_more_than_the_fast_lane_gives_is_served_in_the_slow_one(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "FAST_SECONDS", 0.3)
    monkeypatch.setattr(model, "SLOW_SECONDS", 0.2)
    receiver.act("/slow", acts.answers(200, after_seconds=0.5))
    endpoint = office.register(f"{receiver.url}/slow")
    for asked in (2, 3):  # once too often: where it was not known yet that it is slow
        (event,) = office.tell()
        office.work()
        found = office.delivery(event, endpoint)
        assert (found.status, found.attempts) == (DeliveryStatus.SUCCEEDED, 1)
        assert found.duration_ms
        assert found.duration_ms >= 500
        assert len(receiver.at("/slow")) == asked
        health = office.endpoint(endpoint)
        assert (health.slow, health.failing_since) == (True, None)

    receiver.act("/slow", acts.answers(200))
    monkeypatch.setattr(model, "SLOW_SECONDS", 2.0)
    office.tell()
    office.work()
    assert office.endpoint(endpoint).slow is False
    office.batches.clear()
    office.tell()
    office.work()
    assert office.batches == [(FAST, 1)]
    assert len(receiver.at("/slow")) == 5


def test_what_was_broken_off_gets_its_time_though_other_events_are_answered_fast(
    office: Office, receiver: Receiver
) -> None:
    office.hurry()
    endpoint = office.register(f"{receiver.url}/uneven")
    (event,) = office.tell()

    async def act(caller: acts.Caller) -> None:
        takes_long = receiver.at("/uneven")[-1].id == event
        await acts.answers(after_seconds=FAST_SECONDS * 1.2 if takes_long else 0)(caller)

    receiver.act("/uneven", act)
    for _ in range(3):
        office.tell()  # in one batch with it, and answered after it was broken off
        office.hand_over(FAST)
        office.hand_over(SLOW)
    found = office.delivery(event, endpoint)
    assert (found.status, found.attempts) == (DeliveryStatus.SUCCEEDED, 1)
    assert [one.id for one in receiver.at("/uneven")].count(event) == 2


def test_an_answer_that_takes_long_is_a_success_and_marks_as_slow(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "SLOW_SECONDS", 0.2)
    receiver.act("/late", acts.answers(200, after_seconds=0.3))
    endpoint = office.register(f"{receiver.url}/late")
    (event,) = office.tell()
    office.work()
    assert office.delivery(event, endpoint).attempts == 1
    assert len(receiver.at("/late")) == 1
    assert office.endpoint(endpoint).slow is True


def known_as_slow(office: Office, url: str, *, fails: bool) -> StoredEndpoint:
    """Have an endpoint that the slow lane serves; `fails`: since its last attempt failed."""
    endpoint = office.register(url)
    since = endpoint.created_at if fails else None
    slow = endpoint.model_copy(update={"slow": True, "failing_since": since})
    store.commit(table.save_endpoint(slow))
    return endpoint


def test_at_most_two_go_to_one_endpoint_at_once_and_the_others_come_again(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "SLOW_SECONDS", 0.1)
    receiver.act("/two", acts.answers(200, after_seconds=0.2))
    known_as_slow(office, f"{receiver.url}/two", fails=False)
    known_as_slow(office, f"{receiver.url}/other", fails=False)
    told = office.tell(5)
    office.hand_over(SLOW)
    assert len(receiver.at("/two")) == 2
    assert receiver.most_at_once["/two"] == 2
    assert len(receiver.at("/other")) == 2
    again = office.queued(SLOW)
    assert len(again) == 6
    assert {5 <= message.delay_seconds <= 15 for message in again} == {True}
    while office.waiting:
        office.move(seconds=16)
        office.work()
    for path in ("/two", "/other"):
        assert sorted(one.id for one in receiver.at(path)) == sorted(told)
    assert receiver.most_at_once["/two"] == 2


def test_of_many_to_one_that_fails_the_others_wait_in_the_storage(office: Office, receiver: Receiver) -> None:
    receiver.act("/fails", acts.answers(500))
    known_as_slow(office, f"{receiver.url}/fails", fails=True)
    told = office.tell(5)
    office.hand_over(SLOW)
    assert len(receiver.at("/fails")) == 2
    assert len(office.queued(SLOW)) == 2  # the next attempts of these two
    office.waiting.clear()
    # Once it answers again, all of them arrive, and fast.
    receiver.act("/fails", acts.answers())
    office.move(seconds=70)
    office.batches.clear()
    assert office.retry() == 5
    office.work()
    assert office.batches == [(SLOW, 5)]
    office.move(seconds=61)
    assert office.retry() == 3
    office.work()
    assert office.batches == [(SLOW, 5), (FAST, 3)]
    assert sorted({one.id for one in receiver.at("/fails")}) == sorted(told)
    assert len(receiver.at("/fails")) == 2 + 5


def test_what_the_slow_lane_has_for_one_that_is_well_again_goes_on_in_the_fast_one(
    office: Office, receiver: Receiver
) -> None:
    known_as_slow(office, f"{receiver.url}/well/again", fails=False)
    office.tell(5)
    office.hand_over(SLOW)
    assert len(receiver.at("/well/again")) == 2
    office.move(seconds=16)
    office.batches.clear()
    office.work()
    assert office.batches == [(SLOW, 3), (FAST, 3)]
    assert len(receiver.at("/well/again")) == 5


def test_one_that_does_not_answer_is_left_alone_for_a_while(office: Office, receiver: Receiver) -> None:
    office.hurry()
    receiver.act("/silent", acts.hangs)
    silent = known_as_slow(office, f"{receiver.url}/silent", fails=True)
    told = office.tell(25)
    started = time.monotonic()
    for _ in range(3):  # batches of ten
        office.hand_over(SLOW)
    assert time.monotonic() - started < 2 * SLOW_SECONDS
    assert sum(office.delivery(event, silent).attempts for event in told) == 2
    assert len(receiver.at("/silent")) == 2
