"""What is delivered, to whom and how often: signatures, attempts and states as the rules promise them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from chassis import clock, store
from functions.webhooks import gateway, model, publication, table
from functions.webhooks.records import StoredDelivery, StoredEndpoint
from functions.webhooks.shapes import DeliveryStatus, Failure, ToldEvent
from tests.functions.webhooks.office import EVENTS, Office, secret_of
from tests.functions.webhooks.telling import an_event
from tests.receiver import Receiver, answers

PENDING, SUCCEEDED, FAILED = DeliveryStatus.PENDING, DeliveryStatus.SUCCEEDED, DeliveryStatus.FAILED


def pause(found: StoredDelivery) -> timedelta:
    """From the last attempt to the next one."""
    assert found.last_attempt_at
    assert found.next_attempt_at
    return datetime.fromisoformat(found.next_attempt_at) - datetime.fromisoformat(found.last_attempt_at)


def test_what_arrives_is_verified_by_the_library_of_the_specification(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = office.register(f"{receiver.url}/signed?a=b")
    (event_id,) = office.tell()
    office.work()
    (received,) = receiver.at("/signed?a=b")
    received.verify(secret_of(endpoint))
    assert received.id == event_id
    event = table.event(event_id)
    assert event
    assert received.body == event.body.encode()
    found = office.delivery(event_id, endpoint)
    assert (found.status, found.attempts, found.response_code, found.failure) == (SUCCEEDED, 1, 204, None)
    assert (found.next_attempt_at, found.version) == (None, 2)
    assert office.endpoint(endpoint) == endpoint  # its health is as it was, and costs no write

    for tampered in (
        {"body": received.body.replace(b"captured", b"refunded")},
        {"headers": {**received.headers, "webhook-id": "evt_other"}},
    ):
        with pytest.raises(WebhookVerificationError, match="signature"):
            type(received)(**{**vars(received), **tampered}).verify(secret_of(endpoint))
    with pytest.raises(WebhookVerificationError, match="signature"):
        received.verify(model.secret_of(endpoint, "another"))
    at = int(received.headers["webhook-timestamp"])
    headers = model.signed(event, [secret_of(endpoint)], at - 301)
    with pytest.raises(WebhookVerificationError, match="too old"):
        type(received)(received.path, headers, received.body).verify(secret_of(endpoint))


def test_both_secrets_sign_for_a_day_after_a_rotation(office: Office, receiver: Receiver) -> None:
    endpoint = office.register(f"{receiver.url}/rotated")
    rotated = model.rotated(endpoint, "second", clock.now())
    store.commit(table.save_endpoint(rotated))
    former, present = secret_of(endpoint), secret_of(rotated)
    for hours in (0, 23.9):
        office.move(hours=hours)
        office.tell()
        office.work()
        received = receiver.at("/rotated")[-1]
        received.verify(present)
        received.verify(former)
    office.move(hours=0.2)
    office.tell()
    office.work()
    received = receiver.at("/rotated")[-1]
    received.verify(present)
    with pytest.raises(WebhookVerificationError, match="signature"):
        received.verify(former)


def test_ten_attempts_over_three_days_and_no_more(office: Office, receiver: Receiver) -> None:
    receiver.act("/never", answers(500))
    endpoint = office.register(f"{receiver.url}/never")
    (event,) = office.tell()
    began = clock.now()
    office.work()
    for tries, seconds in enumerate(model.PAUSES_SECONDS, start=1):
        found = office.delivery(event, endpoint)
        assert (found.status, found.attempts, found.failure) == (PENDING, tries, Failure.STATUS)
        assert 0.8 * seconds <= pause(found).total_seconds() <= 1.2 * seconds
        # Up to a quarter of an hour a delayed message begins the next one; any may get lost.
        delays = [message.delay_seconds for _, message in office.waiting]
        assert [0.8 * seconds <= delay <= 1.2 * seconds + 1 for delay in delays] == [True] * (seconds <= 900)
        office.waiting.clear()
        if tries == 1:  # for a minute it is left to that message
            office.move_to(found.next_attempt_at, seconds=50)
            assert office.retry() == 0
        office.move_to(found.next_attempt_at, seconds=61)
        assert office.retry() == 1
        office.work()
    found = office.delivery(event, endpoint)
    assert (found.status, found.attempts, found.next_attempt_at) == (FAILED, 10, None)
    assert (found.failure, found.response_code) == (Failure.STATUS, 500)
    assert timedelta(days=2.4) < clock.now() - began < timedelta(days=3.7)
    office.move(days=5)
    assert (office.retry(), office.waiting) == (0, [])
    assert {received.id for received in receiver.at("/never")} == {event}
    assert len(receiver.at("/never")) == 10
    for received in receiver.at("/never"):  # signed anew each time, in real time
        received.verify(secret_of(endpoint))


def test_the_delayed_message_begins_the_next_attempt(office: Office, receiver: Receiver) -> None:
    receiver.act("/second", answers(503), answers(200))
    endpoint = office.register(f"{receiver.url}/second")
    (event,) = office.tell()
    office.work()
    office.move_to(office.delivery(event, endpoint).next_attempt_at, seconds=1)
    office.work()
    found = office.delivery(event, endpoint)
    assert (found.status, found.attempts, found.response_code) == (SUCCEEDED, 2, 200)
    office.move(minutes=5)
    assert office.retry() == 0


def told_off(office: Office) -> list[ToldEvent]:
    """What was told of disabled endpoints, and is not recorded yet."""
    return [
        ToldEvent.model_validate_json(message.body.model_dump_json()) for message in office.queued(EVENTS)
    ]


def assert_disabled(office: Office, endpoint: StoredEndpoint, reason: str) -> None:
    """It is, its owner's other endpoint hears of it once, and nothing more is sent to it."""
    off = office.endpoint(endpoint)
    assert (off.status, off.disabled_reason) == ("disabled", reason)
    (told,) = told_off(office)
    assert (told.type, told.principal, told.sequence) == (
        "webhook_endpoint.disabled",
        office.principal,
        off.version,
    )
    assert told.data == off.shown().model_dump(mode="json")
    logged = table.event(told.id)
    assert logged
    assert logged.shown().data == told.data


def test_one_that_is_gone_is_disabled_at_once_and_its_owner_told(office: Office, receiver: Receiver) -> None:
    receiver.act("/gone", answers(410))
    gone = office.register(f"{receiver.url}/gone", "payment.*")
    other = office.register(f"{receiver.url}/gone/other", "webhook_endpoint.*")
    first, second = office.tell(2)
    office.hand_over(publication.QUEUE)
    assert_disabled(office, gone, "gone")
    for event in (first, second):
        found = office.delivery(event, gone)
        assert (found.status, found.attempts, found.response_code) == (FAILED, 1, 410)
    (told,) = told_off(office)
    office.work()
    (received,) = receiver.at("/gone/other")
    received.verify(secret_of(other))
    assert received.id == told.id
    assert office.tell()
    assert office.waiting == []
    # What happens from then on arrives when it is enabled again.
    receiver.act("/gone", answers(200))
    office.change(gone, status="enabled")
    office.tell()
    office.work()
    assert len(receiver.at("/gone")) == 3


def test_five_days_of_nothing_but_failures_disable(office: Office, receiver: Receiver) -> None:
    receiver.act("/failing", answers(500))
    failing = office.register(f"{receiver.url}/failing", "payment.*")
    office.register(f"{receiver.url}/failing/other", "webhook_endpoint.*")
    for days in (0, 2, 2.9):
        office.move(days=days)
        office.tell()
        office.work()
        assert office.endpoint(failing).status == "enabled"
    office.waiting.clear()
    office.move(days=0.2)
    (event,) = office.tell()
    office.hand_over(publication.SLOW_QUEUE)
    assert_disabled(office, failing, "failing")
    office.work()
    assert len(receiver.at("/failing/other")) == 1
    # What was left of its deliveries is given up.
    office.move_to(office.delivery(event, failing).next_attempt_at, minutes=2)
    attempts = len(receiver.at("/failing"))
    office.retry()
    office.work()
    found = office.delivery(event, failing)
    assert (found.status, found.failure, found.attempts) == (FAILED, Failure.ENDPOINT_DISABLED, 1)
    assert len(receiver.at("/failing")) == attempts


def test_a_success_in_between_begins_the_five_days_anew(office: Office, receiver: Receiver) -> None:
    receiver.act("/wavers", answers(500), answers(500), answers(200), answers(500))
    wavers = office.register(f"{receiver.url}/wavers")
    for days in (0, 4, 0.5, 4, 0.9):
        office.move(days=days)
        office.tell()
        office.work()
        office.waiting.clear()
    assert office.endpoint(wavers).status == "enabled"
    office.move(days=4.2)
    office.tell()
    office.work()
    assert office.endpoint(wavers).status == "disabled"


@pytest.mark.parametrize(
    ("move", "failure"),
    [
        (model.deleted, Failure.ENDPOINT_DELETED),
        (lambda found, at: model.disabled(found, "requested", at), Failure.ENDPOINT_DISABLED),
    ],
    ids=["deleted", "disabled"],
)
def test_what_its_owner_has_done_away_with_gets_nothing(
    office: Office, receiver: Receiver, move: Callable[..., StoredEndpoint], failure: Failure
) -> None:
    endpoint = office.register(f"{receiver.url}/away/{failure}")
    (event,) = office.tell()
    store.commit(table.save_endpoint(move(endpoint, clock.now())))
    office.work()
    found = office.delivery(event, endpoint)
    assert (found.status, found.failure, found.attempts) == (FAILED, failure, 0)
    assert receiver.at(f"/away/{failure}") == []
    assert office.waiting == []


def test_a_message_that_means_nothing_any_more_does_nothing(office: Office, receiver: Receiver) -> None:
    endpoint = office.register(f"{receiver.url}/stale")
    (event,) = office.tell()
    (_, message), *_ = office.waiting
    office.take([message, message])  # the queue delivers it three times, in one batch and later
    office.hand_over(publication.QUEUE)
    assert len(receiver.at("/stale")) == 1
    office.take([message])
    unknown = model.new_delivery(model.recorded(an_event(office.principal)), endpoint)
    stranger = publication.attempt_of(unknown, endpoint)
    office.take([stranger])
    office.work()
    assert len(receiver.at("/stale")) == 1
    assert office.delivery(event, endpoint).version == 2


def test_a_message_that_comes_too_soon_waits_for_its_time(office: Office, receiver: Receiver) -> None:
    receiver.act("/soon", answers(500))
    endpoint = office.register(f"{receiver.url}/soon")
    (event,) = office.tell()
    office.work()
    office.waiting = [(clock.now(), message) for _, message in office.waiting]
    office.hand_over(publication.SLOW_QUEUE)
    assert len(receiver.at("/soon")) == 1
    ((_, message),) = office.waiting
    assert 3 <= message.delay_seconds <= 6
    office.move_to(office.delivery(event, endpoint).next_attempt_at, seconds=1)
    office.work()
    assert office.delivery(event, endpoint).attempts == 2


def before_it_is_kept(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Something happens, once, while an endpoint is asked."""
    post_all = gateway.post_all

    def meanwhile(*asked: Any) -> Any:
        outcomes = post_all(*asked)
        monkeypatch.setattr(gateway, "post_all", post_all)
        happens()
        return outcomes

    monkeypatch.setattr(gateway, "post_all", meanwhile)


def test_who_is_faster_has_said_how_it_went(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = office.register(f"{receiver.url}/raced")
    (event,) = office.tell()

    def ask_again() -> None:
        again = model.asked_again(office.delivery(event, endpoint), clock.now())
        store.commit(table.save_delivery(again))

    before_it_is_kept(monkeypatch, ask_again)
    office.work()
    found = office.delivery(event, endpoint)
    assert (found.status, found.attempts, found.version) == (PENDING, 0, 2)
    office.move(seconds=61)
    assert office.retry() == 1
    office.work()
    assert office.delivery(event, endpoint).status is SUCCEEDED
    assert [received.id for received in receiver.at("/raced")] == [event, event]


@pytest.mark.parametrize("answer", [410, 500])
def test_an_answer_says_nothing_of_the_address_that_took_its_place(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    receiver.act("/before", answers(answer))
    endpoint = office.register(f"{receiver.url}/before")
    (event,) = office.tell()
    before_it_is_kept(monkeypatch, lambda: office.change(endpoint, url=f"{receiver.url}/after/{answer}"))
    office.hand_over(publication.QUEUE)
    after = office.endpoint(endpoint)
    assert (after.status, after.slow, after.failing_since) == ("enabled", False, None)
    assert office.delivery(event, endpoint).response_code == answer
    office.tell()
    office.work()
    assert len(receiver.at(f"/after/{answer}")) == 1


def test_a_rotation_in_the_middle_does_not_keep_one_that_is_gone(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.act("/gone/rotated", answers(410))
    endpoint = office.register(f"{receiver.url}/gone/rotated")
    office.tell()
    rotated = model.rotated(endpoint, "second", clock.now())
    before_it_is_kept(monkeypatch, lambda: store.commit(table.save_endpoint(rotated)))
    office.hand_over(publication.QUEUE)
    assert office.endpoint(endpoint).disabled_reason == "gone"
    assert office.endpoint(endpoint).secret_id == "second"


def test_a_rotation_in_the_middle_does_not_hide_a_success(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.act("/hidden", answers(500), answers(200), answers(500))
    endpoint = office.register(f"{receiver.url}/hidden")
    office.tell()
    office.work()
    office.waiting.clear()
    office.move(days=4.9)
    office.tell()
    rotated = model.rotated(office.endpoint(endpoint), "second", clock.now())
    before_it_is_kept(monkeypatch, lambda: store.commit(table.save_endpoint(rotated)))
    office.work()
    found = office.endpoint(endpoint)
    assert (found.failing_since, found.slow, found.secret_id) == (None, False, "second")
    office.move(days=0.2)
    office.tell()
    office.work()
    assert office.endpoint(endpoint).status == "enabled"


def test_all_that_is_due_is_begun_however_much_that_is(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "DUE_LIMIT", 2)
    monkeypatch.setattr(publication, "SLOW_PER_RUN", 5)
    receiver.act("/many", answers(500))
    endpoint = office.register(f"{receiver.url}/many")
    told = office.tell(25)
    office.work()
    made = [event for event in told if office.delivery(event, endpoint).attempts]
    assert 10 < len(made) < 25  # some of them wait for others, and were not attempted
    office.waiting.clear()
    office.move(minutes=10)
    # To one that fails, no more than can be sent until the next run; the others are put off to later ones.
    assert office.retry() == publication.SLOW_PER_RUN
    moments = sorted(str(office.delivery(event, endpoint).next_attempt_at) for event in told)
    assert [moment > clock.timestamp(clock.now()) for moment in moments] == [False] * 5 + [True] * 20
    assert [len(list(group)) for _, group in groupby(moments[5:])] == [5, 5, 5, 5]
    office.waiting.clear()
    for status in ("disabled", "enabled"):
        office.change(endpoint, status=status)
    office.move(minutes=10)
    assert office.retry() == len(told)
    office.waiting.clear()
    monkeypatch.setattr(publication, "RETRY_SECONDS", -1)
    assert office.retry() <= 2
