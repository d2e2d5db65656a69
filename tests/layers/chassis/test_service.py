"""A service answers every event, of both payload formats, with its resource or with a problem detail."""

import base64
import json
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import urlencode

import pytest
from pydantic import Field

from chassis import proxy
from chassis.auth import Access, Principal
from chassis.errors import InProgress
from chassis.operations import Intent, KeyRule, Reply
from chassis.service import Service
from chassis.shapes import Input, Resource, text
from local.system import System

pytestmark = pytest.mark.usefixtures("engine")
ThingId = Annotated[str, Field(pattern="^[a-z0-9-]+$")]


class Query(Input):
    word: str | None = None


class Thing(Input):
    name: Annotated[str, text(max_length=20_000_000, example="x")]


class Seen(Resource):
    thing: str
    said: str
    principal: str
    key: str | None = None


def build(name: str) -> Service:
    service = Service(name, "Things, for a while.")

    @service.operation("GET /v1/things/{thing_id}")
    def get_thing(principal: Principal, thing_id: ThingId, query: Query) -> Seen:
        return Seen(thing=thing_id, said=query.word or "", principal=principal.id)

    @service.operation("POST /v1/things/{thing_id}", status=201, key=KeyRule.REQUIRED)
    def make_thing(principal: Principal, intent: Intent, thing_id: ThingId, body: Thing) -> Reply[Seen]:
        if body.name == "twin":
            raise InProgress("a twin is at work")
        shown = Seen(thing=thing_id, said=body.name, principal=principal.id, key=intent.key)
        return Reply(shown, replayed=body.name == "again", status=200 if body.name == "again" else None)

    @service.operation("DELETE /v1/things/{thing_id}", access=Access.PUBLIC)
    def break_thing(thing_id: ThingId) -> Seen:
        raise RuntimeError(f"secret 4242 of {thing_id}")

    return service


@pytest.fixture
def service() -> Service:
    return build(f"things-{uuid.uuid4()}")


@dataclass(frozen=True)
class Request:
    """A request, and the events that gateways make of it."""

    method: str = "GET"
    path: str = "/v1/things/{thing_id}"
    thing: str = "a"
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    encoded: bool = False
    request_id: str | None = "req-1"

    def events(self) -> tuple[dict[str, Any], dict[str, Any]]:
        body = base64.b64encode(self.body.encode()).decode() if self.body and self.encoded else self.body
        shared = {
            "headers": self.headers,
            "pathParameters": {"thing_id": self.thing} if "{" in self.path else None,
            "body": body,
            "isBase64Encoded": self.encoded,
        }
        values: dict[str, list[str]] = {}
        for name, value in self.query:
            values.setdefault(name, []).append(value)
        context = {"resourcePath": self.path, "httpMethod": self.method, "requestId": self.request_id}
        first: dict[str, Any] = {"version": "1.0", "requestContext": context, **shared}
        if values:
            first["multiValueQueryStringParameters"] = values
        return first, {
            "version": "2.0",
            "routeKey": f"{self.method} {self.path}",
            "rawQueryString": urlencode(self.query),
            "requestContext": {"http": {"method": self.method}, "requestId": self.request_id},
            **shared,
        }


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]


def answers(service: Service, request: Request) -> list[Answer]:
    responses = [service.app(event, None) for event in request.events()]
    return [
        Answer(response["statusCode"], response["headers"], json.loads(response["body"]))
        for response in responses
    ]


def answer(service: Service, request: Request) -> Answer:
    """The answer to both formats, which is the same."""
    first, second = answers(service, request)
    assert first == second
    return first


@pytest.fixture
def get(engine: System) -> Request:
    return Request(headers={"Authorization": f"Bearer {engine.platform_key}"})


@pytest.fixture
def post(get: Request) -> Request:
    more = {"Content-Type": "application/json", "idempotency-KEY": '"k"'}
    return replace(get, method="POST", headers=get.headers | more, body='{"name": "n"}')


@pytest.mark.parametrize("word", ["", "a b", "ü&=%/?#", "100%"])
def test_a_query_reaches_the_handler_as_it_was_meant(service: Service, get: Request, word: str) -> None:
    found = answer(service, replace(get, query=(("word", word),)))
    assert (found.status, found.body["said"]) == (200, word)
    assert found.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("encoded", [False, True])
def test_a_body_reaches_the_handler_as_it_was_meant(service: Service, post: Request, encoded: bool) -> None:
    found = answer(service, replace(post, body='{"name": "ü😀"}', encoded=encoded))
    assert (found.status, found.body) == (
        201,
        {"thing": "a", "said": "ü😀", "principal": "platform", "key": "k"},
    )


def test_a_replay_says_so_and_may_have_a_status_of_its_own(service: Service, post: Request) -> None:
    assert "Idempotent-Replayed" not in answer(service, post).headers
    found = answer(service, replace(post, body='{"name": "again"}'))
    assert (found.status, found.headers["Idempotent-Replayed"]) == (200, "true")


REFUSALS: dict[str, tuple[int, str, str | None, dict[str, Any]]] = {
    "no_route": (404, "not_found", None, {"path": "/v1/nothing"}),
    "raw_path": (404, "not_found", None, {"path": "/v1/things/a"}),
    "default_route": (404, "not_found", None, {"path": ""}),
    "method": (405, "method_not_allowed", None, {"method": "PATCH"}),
    "head": (405, "method_not_allowed", None, {"method": "HEAD"}),
    "options": (405, "method_not_allowed", None, {"method": "OPTIONS"}),
    "no_key": (401, "unauthorized", None, {"headers": {}}),
    "stranger": (401, "unauthorized", None, {"headers": {"Authorization": "Bearer nobody"}}),
    "path": (422, "validation_failed", "/thing_id", {"thing": "A b"}),
    "unknown_query": (422, "validation_failed", "/x", {"query": (("x", "1"),)}),
    "repeated_query": (422, "validation_failed", "/word", {"query": (("word", "1"), ("word", "1"))}),
    "no_json": (400, "malformed_request", None, {"method": "POST", "body": "{"}),
    "no_body": (400, "malformed_request", None, {"method": "POST", "body": None}),
    "no_object": (400, "malformed_request", None, {"method": "POST", "body": "[]"}),
    "deep": (400, "malformed_request", None, {"method": "POST", "body": '{"name":' + "[" * 9_999}),
    "surrogate": (400, "malformed_request", None, {"method": "POST", "body": '{"name": "\\udc00"}'}),
    "nul": (422, "validation_failed", "/name", {"method": "POST", "body": '{"name": "\\u0000"}'}),
    "type": (422, "validation_failed", "/name", {"method": "POST", "body": '{"name": 1}'}),
    "unknown": (422, "validation_failed", "/x", {"method": "POST", "body": '{"name": "n", "x": 1}'}),
    "twin": (409, "in_progress", None, {"method": "POST", "body": '{"name": "twin"}'}),
    "defect": (500, "internal_error", None, {"method": "DELETE"}),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_every_failure_is_a_problem_detail(service: Service, post: Request, name: str) -> None:
    status, code, pointer, changes = REFUSALS[name]
    found = answer(service, replace(post, **{"method": "GET", **changes}))
    assert (found.status, found.body["code"], found.body["status"]) == (status, code, status)
    assert found.headers["Content-Type"] == "application/problem+json"
    assert found.headers["X-Request-Id"] == found.body["request_id"] == "req-1"
    assert [fault["pointer"] for fault in found.body.get("errors", [])] == ([pointer] if pointer else [])
    assert "4242" not in json.dumps(found.body)
    assert "Traceback" not in json.dumps(found.body)


@pytest.mark.parametrize("key", [None, "", "x" * 256, "é"])
def test_a_bad_idempotency_key_is_a_malformed_request(
    service: Service, post: Request, key: str | None
) -> None:
    headers = {name: value for name, value in post.headers.items() if name != "idempotency-KEY"}
    found = answer(
        service, replace(post, headers=headers | ({"Idempotency-Key": key} if key is not None else {}))
    )
    assert (found.status, found.body["code"]) == (400, "malformed_request")
    assert found.body["errors"][0]["pointer"] == "/Idempotency-Key"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_type_is_unsupported(service: Service, post: Request, content_type: str) -> None:
    found = answer(service, replace(post, headers=post.headers | {"Content-Type": content_type}))
    assert (found.status, found.body["code"]) == (415, "unsupported_media_type")


def test_a_reading_may_have_any_content_type(service: Service, get: Request) -> None:
    assert answer(service, replace(get, headers=get.headers | {"Content-Type": "x/y"})).status == 200


@pytest.mark.parametrize("encoded", [False, True])
def test_a_body_at_the_limit_is_taken_and_one_byte_more_is_not(
    service: Service, post: Request, encoded: bool
) -> None:
    def sized(length: int) -> Request:
        frame = '{"name": ""}'
        body = '{"name": "' + "x" * (length - len(frame)) + '"}'
        return replace(post, body=body, encoded=encoded)

    assert answer(service, sized(proxy.MAX_BODY_BYTES)).status == 201
    found = answer(service, sized(proxy.MAX_BODY_BYTES + 1))
    assert (found.status, found.body["code"]) == (413, "content_too_large")


def test_a_method_that_is_not_allowed_is_told_which_are(service: Service, get: Request) -> None:
    assert answer(service, replace(get, method="PUT")).headers["Allow"] == "DELETE, GET, POST"


def test_unknown_paths_leave_nothing_behind(service: Service, get: Request) -> None:
    before = {path: sorted(methods) for path, methods in service.app.routes.items()}
    for number in range(20):
        answer(service, replace(get, path=f"/v1/unknown/{number}"))
    assert {path: sorted(methods) for path, methods in service.app.routes.items()} == before


def test_a_request_without_an_id_is_given_one(service: Service, get: Request) -> None:
    found = answers(service, replace(get, request_id=None))
    assert len({each.headers["X-Request-Id"] for each in found}) == 2
    assert all(each.headers["X-Request-Id"].startswith("req_") for each in found)


@pytest.mark.parametrize("event", [{}, {"version": "2.0"}, {"requestContext": {}}, {"requestContext": None}])
def test_an_event_that_no_gateway_sends_is_a_problem_too(service: Service, event: dict[str, Any]) -> None:
    response = service.app(event, None)
    assert response["statusCode"] in {404, 500}
    assert json.loads(response["body"])["request_id"] == response["headers"]["X-Request-Id"]


def test_health_and_the_document_need_no_key(service: Service) -> None:
    health = answer(service, Request(path="/health"))
    assert (health.status, health.body) == (200, {"status": "ok", "services": [service.name]})
    document = answer(service, Request(path="/openapi.json"))
    assert (document.status, document.body["openapi"]) == (200, "3.1.0")


def test_requests_at_once_never_see_each_other(service: Service, post: Request) -> None:
    barrier = threading.Barrier(32, timeout=30)

    def ask(number: int) -> bool:
        if number < 32:
            barrier.wait()
        thing, said = f"t{number}", f"n{number}"
        headers = post.headers | {"idempotency-KEY": f"k{number}"}
        body = json.dumps({"name": said})
        request = replace(post, thing=thing, headers=headers, body=body, request_id=f"r{number}")
        response = service.app(request.events()[number % 2], None)
        seen = json.loads(response["body"])
        mine = (thing, said, f"k{number}", f"r{number}")
        return mine == (seen["thing"], seen["said"], seen["key"], response["headers"]["X-Request-Id"])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(32) as pool:
            assert all(pool.map(ask, range(32 * 50)))
    finally:
        sys.setswitchinterval(interval)
