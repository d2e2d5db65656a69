"""Whatever is wrong with a request to any operation, the answer is a problem that says where, and no more."""

import json
from typing import Any

import httpx
import pytest

from chassis.auth import Access
from chassis.operations import KeyRule, Operation
from chassis.proxy import MAX_BODY_BYTES
from local.system import System
from tests.conftest import Shop, connect, new_key
from tests.functions.inside import SERVICES, everything
from tests.journeys.bad import bad_bodies, valid_body

OPERATIONS = {
    operation.name: operation
    for service in SERVICES
    for operation in service.operations
    if operation.access is not Access.PUBLIC
}
every_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
WITH_BODY = {name: operation for name, operation in OPERATIONS.items() if operation.body_model}
every_body = pytest.mark.parametrize("operation", WITH_BODY.values(), ids=WITH_BODY)


JSON = {"Content-Type": "application/json"}


class Caller:
    """The platform on behalf of a shop, which may call every operation."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        wallet = shop.wallet(10_000)
        self.values = {
            "account": f"wallet:{wallet}",
            "entry_id": "ent_WzFd",
            "key_id": "key_" + "a" * 32,
            "merchant_id": shop.id,
            "order_id": "1",
            "transfer_id": "trf_" + "a" * 24,
            "wallet_id": wallet,
        }

    def __call__(
        self, operation: Operation, path: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        headers = {"Tael-Merchant": self.shop.id, **new_key(), **more.pop("headers", {})}
        url = operation.path.format_map({**self.values, **(path or {})})
        return self.shop.platform.request(operation.method, url, headers=headers, **more)


@pytest.fixture
def caller(shop: Shop) -> Caller:
    """The platform on behalf of this test's own shop."""
    return Caller(shop)


def pointers(answer: httpx.Response, status: int) -> list[str]:
    """Where the faults are, of an answer that must be a problem with this status."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), answer.text
    assert {"type", "title", "detail", "code", "request_id"} <= problem.keys()
    assert "Traceback" not in answer.text
    return [fault["pointer"] for fault in problem.get("errors", ())]


@every_body
def test_a_body_with_one_thing_wrong_is_refused_there_and_writes_nothing(
    operation: Operation, caller: Caller, engine: System
) -> None:
    assert operation.body_model
    before = everything()
    bodies = list(bad_bodies(operation.body_model))
    assert len(bodies) > 20
    for bad in bodies:
        found = pointers(caller(operation, content=json.dumps(bad.body), headers=JSON), 422)
        assert any(f"{pointer}/".startswith(f"{bad.pointer}/") for pointer in found), (bad, found)
    assert everything() == before


@every_body
def test_what_was_made_wrong_is_right_otherwise(operation: Operation) -> None:
    assert operation.body_model
    operation.body_model.model_validate(valid_body(operation.body_model))


@every_body
def test_what_is_no_json_is_refused(operation: Operation, caller: Caller, engine: System) -> None:
    before = everything()
    for content in (b"", b"{", b"{'a': 1}", b'{"amount": NaN}{', b"\xff", b"[" * 20_000, b'"\\ud800"'):
        assert pointers(caller(operation, content=content, headers=JSON), 400) == []
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {},
    ):
        assert pointers(caller(operation, content=b"{}", headers=headers), 415) == []
    large = b'{"amount": 1' + b" " * MAX_BODY_BYTES + b"}"
    assert pointers(caller(operation, content=large, headers=JSON), 413) == []
    assert everything() == before


@every_operation
def test_a_query_takes_what_is_declared_and_nothing_else(operation: Operation, caller: Caller) -> None:
    bad = [("unknown", "1"), ("Limit", "1")]
    if "limit" in operation.query_model.model_fields:
        bad += [("limit", value) for value in ("0", "-1", "101", "x", "", "1.5", "1" * 30)]
        bad += [("cursor", value) for value in ("x", "", "WyJ6Il0", "x" * 513, "é")]
    else:
        bad += [("limit", "1"), ("cursor", "x")]
    if "status" in operation.query_model.model_fields:
        bad += [("status", value) for value in ("", "nonsense", "Captured")]
    body = valid_body(operation.body_model) if operation.body_model else None
    for name, value in bad:
        answer = caller(operation, json=body, params={name: value})
        assert pointers(answer, 422) == [f"/{name}"], (name, value)
    if "limit" in operation.query_model.model_fields:
        assert pointers(caller(operation, params={"limit": ["1", "2"]}), 422) == ["/limit"]


@every_operation
def test_a_path_takes_ids_and_nothing_else(operation: Operation, caller: Caller) -> None:
    body = valid_body(operation.body_model) if operation.body_model else None
    for name in operation.path_model.model_fields:
        for value in ("%20", "%00", "x%2Fy", "x" * 401, "!"):
            assert pointers(caller(operation, {name: value}, json=body), 422) == [f"/{name}"], (name, value)


@every_operation
def test_a_caller_without_a_live_key_is_unauthorized(operation: Operation, caller: Caller) -> None:
    key = caller.shop.key
    other = key[:-1] + ("0" if key[-1] != "0" else "1")
    for value in ("", "Bearer", f"Basic {key}", key, "Bearer sk_x_y", f"Bearer {other}"):
        answer = caller(operation, headers={"Authorization": value})
        assert pointers(answer, 401) == []
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS.values() if each.access is Access.PLATFORM],
    ids=lambda o: o.name,
)
def test_a_merchant_may_not_do_what_only_the_platform_may(
    operation: Operation, caller: Caller, system: System, engine: System
) -> None:
    before = everything()
    body = valid_body(operation.body_model) if operation.body_model else None
    url = operation.path.format_map(caller.values)
    with connect(system, caller.shop.key) as merchant:
        answer = merchant.request(operation.method, url, json=body, headers=new_key())
    assert pointers(answer, 403) == []
    assert everything() == before


@pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS.values() if each.key_rule is KeyRule.REQUIRED],
    ids=lambda operation: operation.name,
)
def test_what_creates_something_unnamed_needs_a_key(
    operation: Operation, shop: Shop, caller: Caller, engine: System
) -> None:
    before = everything()
    body = valid_body(operation.body_model) if operation.body_model else None
    url = operation.path.format_map(caller.values)
    for headers in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "x" * 256}):
        answer = shop.platform.request(operation.method, url, json=body, headers=headers)
        assert pointers(answer, 400) == ["/Idempotency-Key"]
    assert everything() == before


def test_every_post_that_creates_what_the_caller_does_not_name_asks_for_a_key() -> None:
    named_by_the_caller = {"POST /v1/payments/{order_id}", "POST /v1/wallets/{wallet_id}/deposits"}
    posts = {name for name in OPERATIONS if name.startswith("POST")}
    keyed = {name for name in posts if OPERATIONS[name].key_rule is KeyRule.REQUIRED}
    assert posts - keyed == named_by_the_caller


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/", 404),
        ("GET", "/v1/wallets/", 404),
        ("PUT", "/v1/wallets", 405),
        ("DELETE", "/v1/payments/1", 405),
    ],
)
def test_there_is_nothing_where_nothing_is_declared(
    platform: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = platform.request(method, path)
    assert pointers(answer, status) == []
    assert ("Allow" in answer.headers) == (status == 405)
