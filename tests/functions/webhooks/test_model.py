"""The rules of webhooks by themselves: patterns, pauses, signatures, and when an endpoint is disabled."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from chassis import clock
from chassis.config import settings
from functions.webhooks import model
from functions.webhooks.records import FormerSecret, Outcome, StoredDelivery, StoredEndpoint
from functions.webhooks.shapes import DeliveryStatus, EndpointChange, Failure
from infra.declaration import EVENT_TYPES
from tests.functions.webhooks.telling import URL, an_event

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
OK = Outcome(200, None, 20)
DOWN = Outcome(None, Failure.CONNECTION, 5)


@pytest.fixture(autouse=True)
def _configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in (
        ("PLATFORM_KEY", "x" * 32),
        ("PEPPERS", "1:" + "00" * 16),
        ("WEBHOOK_KEY", "11" * 32),
        ("ENGINE", "aws"),
    ):
        monkeypatch.setenv(f"TAEL_{name}", value)
    settings.cache_clear()
    yield
    settings.cache_clear()


def endpoint(*patterns: str, **changes: object) -> StoredEndpoint:
    stamp = clock.timestamp(AT)
    made = StoredEndpoint(
        id="we_" + "a" * 24,
        principal="mer_" + "a" * 24,
        url=URL,
        events=patterns or ("*",),
        secret_id="first",
        created_at=stamp,
        updated_at=stamp,
        fingerprint="f",
    )
    return made.model_copy(update=changes)


def delivery() -> StoredDelivery:
    return model.new_delivery(
        model.recorded(an_event("mer_" + "a" * 24, created_at=clock.timestamp(AT))), endpoint()
    )


def test_a_pattern_wants_its_types_and_no_others() -> None:
    payments = {kind for kind in EVENT_TYPES if kind.startswith("payment.")}
    for patterns, wanted in (
        (("*",), set(EVENT_TYPES)),
        (("payment.*",), payments),
        (("payment.captured", "payout.paid"), {"payment.captured", "payout.paid"}),
    ):
        assert {kind for kind in EVENT_TYPES if model.wants(endpoint(*patterns), kind)} == wanted
    assert not any(model.wants(endpoint(status="disabled"), kind) for kind in EVENT_TYPES)


def test_ten_attempts_over_three_days_and_no_more() -> None:
    random.seed(1)
    at, found, pauses = AT, delivery(), []
    while found.status is DeliveryStatus.PENDING:
        found = model.attempted(found, DOWN, at)
        if found.next_attempt_at:
            pauses.append(datetime.fromisoformat(found.next_attempt_at) - at)
            at = datetime.fromisoformat(found.next_attempt_at)
    assert (found.status, found.attempts, found.failure) == (DeliveryStatus.FAILED, 10, Failure.CONNECTION)
    assert [shorter < longer for shorter, longer in pairwise(pauses[:7])] == [True] * 6
    assert timedelta(days=2.3) < at - AT < timedelta(days=3.6)


@given(seed=st.integers(), tries=st.integers(0, 8))
def test_a_pause_is_a_fifth_longer_or_shorter_at_most(seed: int, tries: int) -> None:
    random.seed(seed)
    failed = model.attempted(delivery().model_copy(update={"tries": tries}), DOWN, AT)
    assert failed.next_attempt_at
    pause = (datetime.fromisoformat(failed.next_attempt_at) - AT).total_seconds()
    assert 0.8 <= pause / model.PAUSES_SECONDS[tries] <= 1.2


def test_asked_for_again_it_has_all_its_attempts_before_it_and_keeps_count() -> None:
    found = delivery()
    for _ in range(10):
        found = model.attempted(found, DOWN, AT)
    again = model.asked_again(found, AT)
    assert (again.status, again.attempts, again.next_attempt_at) == ("pending", 10, clock.timestamp(AT))
    done = model.attempted(model.attempted(again, DOWN, AT), OK, AT)
    assert (done.status, done.attempts, done.failure, done.next_attempt_at) == ("succeeded", 12, None, None)


def test_one_that_is_gone_is_not_tried_again() -> None:
    ended = model.attempted(delivery(), Outcome(410, Failure.STATUS, 9), AT)
    assert (ended.status, ended.response_code, ended.next_attempt_at) == ("failed", 410, None)


@pytest.mark.parametrize(
    ("outcome", "slow", "failing"),
    [(OK, False, None), (Outcome(200, None, 2001), True, None), (DOWN, True, clock.timestamp(AT))],
)
def test_an_endpoint_that_fails_or_is_slow_is_served_apart(
    outcome: Outcome, slow: bool, failing: str | None
) -> None:
    after = model.health_after(endpoint(), outcome, AT)
    assert (after.slow, after.failing_since) == (slow, failing)
    assert model.health_after(after, OK, AT) == endpoint()
    later = model.health_after(after, outcome, AT + timedelta(days=1))
    assert later.failing_since == failing


def test_only_five_days_of_nothing_but_failures_disable() -> None:
    failing = model.health_after(endpoint(), DOWN, AT)
    days = [model.reason_to_disable(failing, DOWN, AT + timedelta(days=day)) for day in (0, 4.99, 5)]
    assert days == [None, None, "failing"]
    assert model.reason_to_disable(failing, OK, AT + timedelta(days=9)) is None
    assert model.reason_to_disable(endpoint(), Outcome(410, Failure.STATUS, 1), AT) == "gone"


def test_enabled_again_it_starts_anew() -> None:
    off = model.disabled(endpoint(slow=True, failing_since=clock.timestamp(AT)), "failing", AT)
    on = model.changed(off, EndpointChange(status="enabled"), AT)
    assert (on.status, on.disabled_reason, on.slow, on.failing_since) == ("enabled", None, False, None)
    named = model.changed(off, EndpointChange(events=["payment.*"]), AT)
    assert (named.status, named.disabled_reason, named.slow) == ("disabled", "failing", True)


def test_the_specifications_own_library_verifies_and_tells_what_is_wrong() -> None:
    stored = model.recorded(an_event("mer_" + "a" * 24, note="grün"))
    former = FormerSecret(id="former", until=clock.timestamp(AT + timedelta(hours=1)))
    mine = endpoint(former_secrets=(former,))
    sent_at = int(datetime.now(UTC).timestamp())
    headers = model.signed(stored, model.secrets_of(mine, AT), sent_at)
    for secret_id in ("first", "former"):
        Webhook(model.secret_of(mine, secret_id)).verify(stored.body, headers)
    later = model.signed(stored, model.secrets_of(mine, AT + timedelta(hours=2)), sent_at)
    old = model.signed(stored, model.secrets_of(mine, AT), sent_at - 600)
    wrong = [
        ("former", stored.body, later),
        ("first", stored.body, old),
        ("first", stored.body.replace("captured", "failed"), headers),
        ("other", stored.body, headers),
    ]
    for secret_id, body, told in wrong:
        with pytest.raises(WebhookVerificationError):
            Webhook(model.secret_of(mine, secret_id)).verify(body, told)


def test_every_secret_is_another_and_always_the_same() -> None:
    mine = endpoint()
    secrets = {model.secret_of(mine, "first"), model.secret_of(mine, "second")}
    secrets |= {model.secret_of(endpoint(id="we_" + "b" * 24), "first"), model.secret_of(mine, "first")}
    assert len(secrets) == 3
