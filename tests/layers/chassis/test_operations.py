"""An operation is what its handler's signature says, and its intent names a request among all others."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from chassis.auth import Access, Principal
from chassis.errors import IdempotencyMismatch
from chassis.operations import Intent, KeyRule, NoQuery, Operation, Reply, declare
from chassis.paging import PageQuery


class Thing(BaseModel):
    name: str


def everything(
    a: str, b: int, *, query: PageQuery, body: Thing, principal: Principal, intent: Intent
) -> Thing:
    return body


def nothing() -> Reply[Thing]:
    return Reply(Thing(name="n"))


def stranger(a: str, request: str) -> Thing:
    return Thing(name=a + request)


def declared(route: str, handler: Callable[..., Any]) -> Operation:
    return declare(
        route, handler, access=Access.ANY, status=200, key_rule=KeyRule.NONE, refusals=(), may_wait=False
    )


def test_a_signature_is_the_declaration() -> None:
    operation = declared("POST /v1/{a}/x/{b}", everything)
    assert (operation.method, operation.path, operation.name) == (
        "POST",
        "/v1/{a}/x/{b}",
        "POST /v1/{a}/x/{b}",
    )
    assert {name: field.annotation for name, field in operation.path_model.model_fields.items()} == {
        "a": str,
        "b": int,
    }
    assert (operation.query_model, operation.body_model, operation.returns) == (PageQuery, Thing, Thing)
    assert operation.changes


def test_a_handler_asks_for_nothing_else_than_it_names() -> None:
    operation = declared("GET /x", nothing)
    assert (operation.query_model, operation.body_model, operation.returns) == (NoQuery, None, Thing)
    assert operation.bind(NoQuery(), NoQuery(), None, None, None) == {}
    assert not operation.changes


@pytest.mark.parametrize(
    ("route", "handler"),
    [
        ("GET /v1/{a}", nothing),
        ("GET /v1/{a}", stranger),
        ("GET /v1/{b}", everything),
        ("GET /v1/{a}/{b}/{c}", everything),
        ("GET /v1", everything),
    ],
)
def test_a_signature_that_does_not_fit_its_route_is_a_type_error(
    route: str, handler: Callable[..., Any]
) -> None:
    with pytest.raises(TypeError, match="does not fit"):
        declared(route, handler)


def intent(
    principal: str = "p", operation: str = "POST /x", key: str | None = "k", asked: str = "f"
) -> Intent:
    return Intent(principal, operation, key, asked)


def test_what_a_request_creates_has_the_id_of_caller_operation_and_key() -> None:
    made = intent().id("wal")
    assert made == intent(asked="other").id("wal")
    others = [intent(principal="q"), intent(operation="POST /y"), intent(key="l")]
    assert len({made, *(other.id("wal") for other in others)}) == 4


def test_without_a_key_there_is_no_id() -> None:
    with pytest.raises(ValueError, match="Idempotency-Key"):
        intent(key=None).id("wal")


def test_the_same_key_for_another_body_is_a_mismatch() -> None:
    intent().check("f")
    with pytest.raises(IdempotencyMismatch):
        intent().check("g")


def test_an_attempt_is_named_by_its_key_or_else_by_its_body() -> None:
    names = {
        intent().attempt_key,
        intent(asked="g").attempt_key,
        intent(key=None).attempt_key,
        intent(key=None, asked="g").attempt_key,
        intent(key="body_f").attempt_key,
    }
    assert len(names) == 4
    assert intent(key="x" * 255).attempt_key.startswith("key_")
    assert len(intent(key="x" * 255).attempt_key) < 40
