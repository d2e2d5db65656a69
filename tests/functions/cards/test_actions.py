"""Keeping, showing and deleting cards through HTTP: replays, refusals, other merchants, and data keys."""

import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest

from acquiring import acquirer as networks
from acquiring import vault
from acquiring.acquirer import Approved, Card, Outcome
from chassis import attributes, auth, clock, observe, store
from chassis.auth import Principal
from chassis.errors import IdempotencyMismatch, Unavailable
from chassis.operations import Intent
from chassis.outside import Unknown
from functions.cards import actions, model, table
from functions.cards.model import NewCard
from local.acquirer.deck import BY_NAME
from local.system import System
from tests.conftest import Shop, new_key

ITEM_BYTES = 1024
GOOD = BY_NAME["approves"].number


def create(
    shop: Shop, name: str = "approves", headers: dict[str, str] | None = None, **more: Any
) -> httpx.Response:
    body = {"number": BY_NAME[name].number, "exp_month": 12, "exp_year": 2030, "cvc": "123", **more}
    return shop.http.post("/v1/cards", json=body, headers=headers or new_key())


def test_a_card_is_kept_shown_and_deleted(shop: Shop, engine: System) -> None:
    created = create(shop)
    assert created.status_code == 201
    card = created.json()
    assert (card["brand"], card["bin"], card["last4"]) == ("visa", "424242", "4242")
    assert (card["exp_month"], card["exp_year"], card["status"]) == (12, 2030, "active")
    assert shop.http.get(f"/v1/cards/{card['id']}").json() == card
    revealed = vault.reveal(shop.id, card["id"])
    assert revealed
    assert revealed.number == GOOD
    item = store.get(vault.TABLE, vault.card_key(shop.id, card["id"]))
    assert item
    assert attributes.size(attributes.encode(item)) <= ITEM_BYTES

    deleted = shop.http.delete(f"/v1/cards/{card['id']}")
    assert (deleted.status_code, deleted.json()["status"]) == (200, "deleted")
    again = shop.http.delete(f"/v1/cards/{card['id']}")
    assert (again.status_code, again.json()) == (200, deleted.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert shop.http.get(f"/v1/cards/{card['id']}").json() == deleted.json()
    assert vault.reveal(shop.id, card["id"]) is None
    left = store.get(vault.TABLE, vault.card_key(shop.id, card["id"]))
    assert left
    assert not {"sealed", "fingerprint", "request"} & left.keys()


def test_the_same_number_has_one_fingerprint_per_merchant(new_shop: Callable[..., Shop]) -> None:
    one, other = new_shop(), new_shop()
    first, second = create(one).json(), create(one, exp_year=2031, cvc="999").json()
    assert first["id"] != second["id"]
    assert first["fingerprint"] == second["fingerprint"]
    assert create(other).json()["fingerprint"] != first["fingerprint"]
    assert create(one, "slow").json()["fingerprint"] != first["fingerprint"]


def test_a_card_is_its_merchants_own(new_shop: Callable[..., Shop]) -> None:
    one, other = new_shop(), new_shop()
    card_id = create(one).json()["id"]
    for call in (other.http.get, other.http.delete):
        assert call(f"/v1/cards/{card_id}").status_code == 404
    assert one.http.get(f"/v1/cards/{card_id}").json()["status"] == "active"
    on_behalf = one.platform.get(f"/v1/cards/{card_id}", headers={"Tael-Merchant": one.id})
    assert on_behalf.json()["id"] == card_id
    assert one.platform.get(f"/v1/cards/{card_id}").status_code == 400


def test_a_repeated_request(shop: Shop) -> None:
    key = new_key()
    first = create(shop, headers=key)
    again = create(shop, headers=key, cvc="321")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    changes: list[dict[str, Any]] = [{"exp_month": 11}, {"number": BY_NAME["slow"].number}]
    for change in changes:
        assert create(shop, headers=key, **change).json()["code"] == "idempotency_mismatch"
    shop.http.delete(f"/v1/cards/{first.json()['id']}")
    assert create(shop, headers=key).json()["status"] == "deleted"
    body = {"number": GOOD, "exp_month": 12, "exp_year": 2030, "cvc": "123"}
    assert shop.http.post("/v1/cards", json=body).status_code == 400


def test_a_refused_card_stays_refused_under_its_key(shop: Shop, engine: System) -> None:
    key = new_key()
    first, again = create(shop, "incorrect_cvc", key), create(shop, "incorrect_cvc", key, cvc="321")
    for answer in (first, again):
        assert answer.status_code == 402
        problem = answer.json()
        assert (problem["code"], problem["decline_code"]) == ("card_declined", "incorrect_cvc")
        assert "enter the security code again" in problem["detail"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert create(shop, "approves", key).json()["code"] == "idempotency_mismatch"
    [item] = [item for item in store.scan(vault.TABLE) if item.get("merchant_id") == shop.id]
    assert item["failure_code"] == "incorrect_cvc"
    assert "sealed" not in item
    assert shop.http.get(f"/v1/cards/{item['id']}").status_code == 404
    assert shop.http.delete(f"/v1/cards/{item['id']}").status_code == 404


def test_identical_requests_at_once_keep_one_card(shop: Shop, engine: System) -> None:
    key = new_key()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: create(shop, headers=key), range(16)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert len([item for item in store.scan(vault.TABLE) if item.get("merchant_id") == shop.id]) == 1


@pytest.mark.parametrize("field", ["number", "exp_month", "exp_year", "cvc"])
def test_a_bad_field_is_named_and_a_number_is_quoted_nowhere(shop: Shop, field: str) -> None:
    bad: dict[str, Any] = {"number": "4929123456789012", "exp_month": 13, "exp_year": 2000, "cvc": "1"}
    answer = create(shop, **{field: bad[field]})
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [f"/{field}"]
    odd: dict[str, Any] = {"4929123456789012": 1, "number 4929-1234-5678-9012": 2}
    unknown = create(shop, **odd)
    assert [fault["pointer"] for fault in unknown.json()["errors"]] == ["/***", "/number ***"]
    for text in (answer.text, unknown.text):
        assert "9012" not in text


class Answering:
    """An acquirer that remembers what it was asked to verify."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[str] = []

    def verify(self, attempt_id: str, card: Card, cvc: str) -> Outcome:
        self.asked.append(attempt_id)
        return self.outcomes.pop(0)


@pytest.fixture
def acquirer(monkeypatch: pytest.MonkeyPatch) -> Answering:
    answering = Answering(*[Approved()] * 500)
    monkeypatch.setattr(networks, "connector", lambda: answering)
    return answering


@pytest.fixture
def principal(shop: Shop, engine: System) -> Principal:
    return auth.authenticate(f"Bearer {shop.key}", None)


def keep(principal: Principal, key: str | None = None, **changes: Any) -> str:
    """Keep a card in this process; returns its id."""
    intent = Intent(principal.id, "POST /v1/cards", key or str(uuid.uuid4()), "a plain hash")
    body = {"number": GOOD, "exp_month": 12, "exp_year": 2030, "cvc": "123", **changes}
    card_id = actions.keep(principal, intent, NewCard.model_validate(body, strict=False)).resource.id
    item = store.get(vault.TABLE, vault.card_key(principal.id, card_id))
    assert "a plain hash" not in str(item)
    return card_id


def test_without_an_answer_nothing_is_kept_and_the_same_verification_is_asked_again(
    principal: Principal, acquirer: Answering
) -> None:
    acquirer.outcomes = [Unknown(), Approved()]
    before = list(store.scan(vault.TABLE))
    with pytest.raises(Unavailable, match="repeat the same request"):
        keep(principal, "key")
    assert list(store.scan(vault.TABLE)) == before
    kept = keep(principal, "key")
    assert acquirer.asked[0] == acquirer.asked[1]
    assert keep(principal, "key") == kept
    assert len(acquirer.asked) == 2
    with pytest.raises(IdempotencyMismatch):
        keep(principal, "key", exp_year=2031)


def test_calls_and_units(principal: Principal, acquirer: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "randrange", lambda stop: 1)
    with observe.metered() as first:
        keep(principal)
    assert (first.key_calls, first.write_calls, first.write_units) == (1, 2, 2.0)
    with observe.metered() as next_ones:
        for _ in range(20):
            keep(principal)
    assert (next_ones.key_calls, next_ones.write_calls, next_ones.write_units) == (0, 20, 20.0)


def data_key(principal: Principal) -> model.CurrentDataKey:
    _, key = table.card_and_data_key(principal.id, "card_none")
    assert key
    return key


def sealed_under(principal: Principal, card_id: str) -> str:
    card = table.card(principal.id, card_id)
    assert card
    assert card.sealed
    return card.sealed.key.id


def test_a_spent_data_key_is_replaced(
    principal: Principal, acquirer: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = keep(principal)
    first = data_key(principal)
    store.commit(table.count_seals(principal.id, first.id, model.KEY_SEALS))
    new = keep(principal)
    second = data_key(principal)
    assert (sealed_under(principal, old), sealed_under(principal, new)) == (first.id, second.id)
    assert first.id != second.id
    later = clock.now() + model.KEY_LIFETIME + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert sealed_under(principal, keep(principal)) not in {first.id, second.id}
    vault.forget_keys()
    for card_id in (old, new):
        revealed = vault.reveal(principal.id, card_id)
        assert revealed
        assert revealed.number == GOOD


def test_of_two_new_data_keys_at_once_one_wins(
    principal: Principal, acquirer: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicker = model.next_data_key(vault.new_data_key(principal.id), None, clock.timestamp(clock.now()))
    make = vault.new_data_key

    def slow(merchant_id: str) -> vault.DataKey:
        key = make(merchant_id)
        store.commit(table.save_data_key(merchant_id, quicker))
        return key

    monkeypatch.setattr(vault, "new_data_key", slow)
    assert sealed_under(principal, keep(principal)) == quicker.id == data_key(principal).id


def test_seals_are_counted_on_the_average(principal: Principal, acquirer: Answering) -> None:
    for _ in range(300):
        keep(principal)
    assert 0 < data_key(principal).seals <= 1_000
