"""Whatever is wrong with the fields of a request to any operation, a problem says where, and no more."""

import json
from collections.abc import Iterator

import httpx
import pytest

from chassis.operations import KeyRule, Operation
from local.system import System
from tests.conftest import onboard
from tests.functions.inside import everything
from tests.journeys.bad import (
    NUL,
    SURROGATE,
    bad_bodies,
    bad_numbers,
    valid_bodies,
    valid_body,
    with_text_in_the_place_of_texts,
)
from tests.journeys.calling import (
    JSON,
    OPERATIONS,
    Caller,
    bodies_for,
    body_for,
    every_body,
    every_operation,
    pointers,
    some,
)


@pytest.fixture(scope="module")
def caller(engine: System, platform: httpx.Client) -> Iterator[Caller]:
    """The platform on behalf of a shop; nothing that it sends here may have written anything in the end."""
    shop = onboard(engine, platform)
    with shop.http:
        caller = Caller(shop)
        before = everything()
        yield caller
        assert everything() == before


@every_body
def test_a_body_with_one_thing_wrong_is_refused_there(operation: Operation, caller: Caller) -> None:
    assert operation.body_model
    bodies = list(bad_bodies(operation.body_model))
    assert len(bodies) > 10
    for bad in bodies:
        found = pointers(caller(operation, content=json.dumps(bad.body), headers=JSON), 422)
        assert any(f"{pointer}/".startswith(f"{bad.pointer}/") for pointer in found), (bad, found)


@every_body
def test_what_was_made_wrong_is_right_otherwise(operation: Operation) -> None:
    assert operation.body_model
    for body in valid_bodies(operation.body_model):
        operation.body_model.model_validate(body)


@every_body
def test_an_amount_is_written_as_an_integer_and_in_no_other_way(operation: Operation, caller: Caller) -> None:
    assert operation.body_model
    body = valid_body(operation.body_model)
    for name, text in bad_numbers(operation.body_model):
        content = json.dumps({**body, name: "here"}).replace('"here"', text)
        answer = caller(operation, content=content, headers=JSON)
        assert answer.status_code in {400, 422}, (name, text[:20])
        assert pointers(answer, answer.status_code) == ([f"/{name}"] if answer.status_code == 422 else [])


@every_body
@pytest.mark.parametrize(("text", "status"), [(NUL, 422), (SURROGATE, 400)], ids=["nul", "surrogate"])
def test_a_text_holds_neither_nul_nor_half_a_character(
    operation: Operation, caller: Caller, text: str, status: int
) -> None:
    for whole in bodies_for(operation):
        for body in with_text_in_the_place_of_texts(whole, text):
            pointers(caller(operation, content=json.dumps(body), headers=JSON), status)


@every_body
def test_nesting_without_end_is_no_json(operation: Operation, caller: Caller) -> None:
    body = body_for(operation)
    for deep in ("[" * 10_000, "[" * 10_000 + "]" * 10_000, '{"a":' * 5_000 + "1" + "}" * 5_000):
        assert pointers(caller(operation, content=deep, headers=JSON), 400) == []
        for name in body:
            content = json.dumps({**body, name: "here"}).replace('"here"', deep)
            assert pointers(caller(operation, content=content, headers=JSON), 400) == []


@every_operation
def test_a_query_takes_what_is_declared_and_nothing_else(operation: Operation, caller: Caller) -> None:
    declared = operation.query_model.model_fields
    bad = [("unknown", "1"), ("Limit", "1")]
    if "limit" in declared:
        bad += [("limit", value) for value in ("0", "-1", "101", "x", "", "1.5", "1e1", "1" * 30)]
        bad += [("cursor", value) for value in ("x", "", "WyJ6Il0", "x" * 513, "é", "\x00", "WyIAIl0")]
    else:
        bad += [("limit", "1"), ("cursor", "x")]
    if "status" in declared:
        bad += [("status", value) for value in ("", "nonsense", "Captured", "\x00")]
    if "owner" in declared:
        bad.append(("owner", "x" * 101))
    for name, value in bad:
        answer = caller(operation, json=body_for(operation), params={name: value})
        if answer.status_code == 404:  # what the cursor would be of is asked for first
            assert name == "cursor"
        else:
            assert pointers(answer, 422) == [f"/{name}"], (name, value)
    if "limit" in declared:
        assert pointers(caller(operation, params={"limit": ["1", "2"]}), 422) == ["/limit"]


@every_operation
def test_a_path_takes_ids_and_nothing_else(operation: Operation, caller: Caller) -> None:
    for name in operation.path_model.model_fields:
        for value in ("%20", "%00", "x%2Fy", "x" * 401, "!", "x%0A", "%F0%9F%A7%A6", "..%2F1"):
            answer = caller(operation, {name: value}, json=body_for(operation))
            assert pointers(answer, 422) == [f"/{name}"], (name, value)
        for value in ("%FF", "%ED%A0%80"):
            assert pointers(caller(operation, {name: value}, json=body_for(operation)), 400) == []


@every_operation
def test_a_caller_without_a_live_key_is_unauthorized(operation: Operation, caller: Caller) -> None:
    key = caller.shop.key
    other = key[:-1] + ("0" if key[-1] != "0" else "1")
    for value in ("", "Bearer", f"Basic {key}", key, "Bearer sk_x_y", f"Bearer {other}", "Bearer \xff"):
        answer = caller(operation, headers={"Authorization": value.encode("latin-1")})
        assert pointers(answer, 401) == []
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


KEYED = some([each for each in OPERATIONS.values() if each.key_rule is KeyRule.REQUIRED])


@KEYED
def test_what_creates_something_unnamed_needs_a_key(operation: Operation, caller: Caller) -> None:
    url = operation.path.format_map(caller.values)
    shop = caller.shop
    for headers in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "x" * 256}, {"Idempotency-Key": "\x80"}):
        named = {"Tael-Merchant": shop.id, **headers}
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in named.items()]
        answer = shop.platform.request(operation.method, url, json=body_for(operation), headers=encoded)
        assert pointers(answer, 400) == ["/Idempotency-Key"]


def test_every_post_that_creates_what_the_caller_does_not_name_asks_for_a_key() -> None:
    named_by_the_caller = {"POST /v1/payments/{order_id}", "POST /v1/wallets/{wallet_id}/deposits"}
    by_state = {
        *(f"POST /v1/payments/{{order_id}}/{verb}" for verb in ("capture", "cancel")),
        *(f"POST /v1/wallets/{{wallet_id}}/{verb}" for verb in ("freeze", "unfreeze", "close")),
    }
    delivered_at_least_once = {"POST /v1/events/{event_id}/redeliver"}
    posts = {name for name in OPERATIONS if name.startswith("POST")}
    keyed = {name for name in posts if OPERATIONS[name].key_rule is KeyRule.REQUIRED}
    assert posts - keyed == named_by_the_caller | by_state | delivered_at_least_once
