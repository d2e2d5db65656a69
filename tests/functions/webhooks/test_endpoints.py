"""Endpoints: their secrets are shown once, their patterns mean something, and there are not too many."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from chassis import clock, store
from functions.webhooks import model, table
from tests.conftest import Shop, new_key
from tests.functions.inside import Inside, days_later, everything
from tests.functions.webhooks.telling import URL, register
from tests.journeys.together import together

PATH = "/v1/webhook-endpoints"


@pytest.fixture
def merchant(engine: object, shop: Shop) -> Inside:
    return Inside(shop.key)


def rotate(merchant: Inside, endpoint_id: str, key: str | None = None) -> Any:
    path = f"{PATH}/{endpoint_id}/rotate-secret"
    return merchant("POST", path, idempotency_key=key or new_key()["Idempotency-Key"])


def test_its_secret_is_shown_once_and_stored_nowhere(merchant: Inside) -> None:
    body, key = {"url": URL, "events": ["payment.*", "refund.succeeded"]}, "the same"
    made = merchant("POST", PATH, body, idempotency_key=key)
    assert made.status == 201
    secret = made.body.pop("secret")
    assert secret.startswith("whsec_")
    assert made.body["status"] == "enabled"

    again = merchant("POST", PATH, body, idempotency_key=key)
    assert (again.status, again.is_replay, again.body) == (201, True, {**made.body, "secret": None})
    assert merchant("GET", f"{PATH}/{made.body['id']}").body["secret"] is None
    other = merchant("POST", PATH, {**body, "events": ["*"]}, idempotency_key=key)
    assert (other.status, other.code) == (422, "idempotency_mismatch")
    assert secret.removeprefix("whsec_") not in str(list(store.scan(table.TABLE)))


def test_a_rotation_keeps_the_secret_before_it_for_a_day(
    merchant: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = register(merchant).body
    rotated = rotate(merchant, made["id"], "once")
    assert rotated.status == 200
    assert rotated.body["secret"] != made["secret"]
    replayed = rotate(merchant, made["id"], "once")
    assert (replayed.is_replay, replayed.body["secret"]) == (True, None)

    def signing() -> list[str]:
        stored = table.endpoint(merchant.principal.id, made["id"])
        assert stored
        return model.secrets_of(stored, clock.now())

    assert signing() == [rotated.body["secret"], made["secret"]]
    until = datetime.fromisoformat(rotated.body["former_secrets_until"])
    assert timedelta(hours=23) < until - datetime.now(UTC) < timedelta(hours=24, minutes=1)
    days_later(monkeypatch, 1.01)
    assert signing() == [rotated.body["secret"]]


def test_twenty_twins_are_one_rotation(merchant: Inside) -> None:
    endpoint_id = register(merchant).body["id"]
    answers = together([partial(rotate, merchant, endpoint_id, "twin") for _ in range(20)])
    assert {answer.status for answer in answers} == {200}
    assert sum(answer.body["secret"] is not None for answer in answers) == 1
    stored = table.endpoint(merchant.principal.id, endpoint_id)
    assert stored
    assert len(stored.former_secrets) == 1


def test_no_rotation_of_a_day_takes_away_a_secret_that_is_in_use(merchant: Inside) -> None:
    endpoint_id = register(merchant).body["id"]
    assert [rotate(merchant, endpoint_id).status for _ in range(4)] == [200, 200, 200, 409]
    assert rotate(merchant, endpoint_id).code == "too_many_secrets"


def test_a_rotation_that_is_asked_for_again_days_later_brings_no_old_secret_back(
    merchant: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint_id = register(merchant).body["id"]
    for day, key in enumerate(("first", "second", "third")):
        days_later(monkeypatch, 2 * day)
        assert rotate(merchant, endpoint_id, key).body["secret"]
    before = table.endpoint(merchant.principal.id, endpoint_id)
    again = rotate(merchant, endpoint_id, "first")
    assert (again.status, again.is_replay, again.body["secret"]) == (200, True, None)
    assert table.endpoint(merchant.principal.id, endpoint_id) == before


def test_a_pattern_that_matches_nothing_is_refused(merchant: Inside) -> None:
    for pattern in ("payment.capture", "payments.*", "*.*", "payment", "", "**", "payment.captured "):
        refused = register(merchant, "refund.*", pattern)
        assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "/events/1"), pattern
    assert merchant("GET", PATH).body["data"] == []


def test_it_can_be_changed_and_disabled_and_enabled(merchant: Inside) -> None:
    path = f"{PATH}/{register(merchant).body['id']}"
    moved = merchant("PATCH", path, {"url": "https://shop.example/other", "events": ["payout.*"]})
    assert (moved.body["url"], moved.body["events"]) == ("https://shop.example/other", ["payout.*"])
    off = merchant("PATCH", path, {"status": "disabled"}).body
    assert (off["status"], off["disabled_reason"], off["events"]) == ("disabled", "requested", ["payout.*"])
    on = merchant("PATCH", path, {"status": "enabled"}).body
    assert (on["status"], on["disabled_reason"]) == ("enabled", None)
    assert merchant("PATCH", path, {}).body["status"] == "enabled"


def test_a_deleted_one_is_gone_and_its_request_does_not_bring_it_back(merchant: Inside) -> None:
    body = {"url": URL, "events": ["*"]}
    made = merchant("POST", PATH, body, idempotency_key="key").body
    path = f"{PATH}/{made['id']}"
    assert merchant("DELETE", path).status == 200
    for method, where in (("GET", path), ("DELETE", path), ("PATCH", path), ("GET", f"{path}/deliveries")):
        assert merchant(method, where, {} if method == "PATCH" else None).status == 404
    assert merchant("POST", PATH, body, idempotency_key="key").status == 404
    assert merchant("GET", PATH).body["data"] == []


def test_twenty_twins_are_one_endpoint_with_one_secret_shown_once(merchant: Inside) -> None:
    body = {"url": URL, "events": ["*"]}
    answers = together([partial(merchant, "POST", PATH, body, idempotency_key="twin") for _ in range(20)])
    assert {(answer.status, answer.body["id"]) for answer in answers} == {(201, answers[0].body["id"])}
    assert sum(answer.body["secret"] is not None for answer in answers) == 1


def test_there_is_a_limit_to_them(merchant: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MAX_ENDPOINTS", 2)
    first, _ = (register(merchant).body["id"] for _ in range(2))
    refused = register(merchant)
    assert (refused.status, refused.code) == (409, "too_many_endpoints")
    merchant("DELETE", f"{PATH}/{first}")
    assert register(merchant).status == 201
    monkeypatch.setattr(model, "MAX_KEPT_ENDPOINTS", 3)
    merchant("DELETE", f"{PATH}/{merchant('GET', PATH).body['data'][0]['id']}")
    assert register(merchant).code == "too_many_endpoints"


def test_they_are_listed_newest_first_and_paged(merchant: Inside) -> None:
    made = [register(merchant, url=f"{URL}/{number}").body["id"] for number in range(3)]
    first = merchant("GET", f"{PATH}").body
    assert ([each["id"] for each in first["data"]], first["next_cursor"]) == (made[::-1], None)


def test_another_merchant_has_none_of_them(merchant: Inside, new_shop: Callable[..., Shop]) -> None:
    endpoint_id = register(merchant).body["id"]
    stranger = Inside(new_shop().key)
    before = everything()
    for method, path, body in (
        ("GET", f"{PATH}/{endpoint_id}", None),
        ("PATCH", f"{PATH}/{endpoint_id}", {"status": "disabled"}),
        ("DELETE", f"{PATH}/{endpoint_id}", None),
        ("GET", f"{PATH}/{endpoint_id}/deliveries", None),
    ):
        assert stranger(method, path, body).status == 404
    assert rotate(stranger, endpoint_id).status == 404
    assert everything() == before
