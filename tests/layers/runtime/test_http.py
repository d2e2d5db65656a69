"""HTTP outside Lambda: raw requests reach their operation, and anything else gets a problem detail."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from pydantic import Field

from chassis import proxy
from chassis.auth import Access
from chassis.errors import MalformedRequest, MethodNotAllowed, NotFound
from chassis.service import Service
from chassis.shapes import Input, Resource
from runtime.http import Gateway, Router


class Query(Input):
    word: str | None = None


class Thing(Input):
    name: str


class Seen(Resource):
    said: str


def build() -> list[Service]:
    things, others = Service("things", "Things."), Service("others", "Others.")

    @things.operation("GET /v1/things/{thing_id}", access=Access.PUBLIC)
    def get_thing(thing_id: Annotated[str, Field(pattern="^[^x]*$")], query: Query) -> Seen:
        return Seen(said=f"{thing_id} {query.word}")

    @things.operation("POST /v1/things/{thing_id}/parts/{part_id}", access=Access.PUBLIC, status=201)
    def make_part(thing_id: str, part_id: str, body: Thing) -> Seen:
        return Seen(said=f"{thing_id} {part_id} {body.name}")

    @others.operation("GET /v1/things/fixed", access=Access.PUBLIC)
    def get_fixed() -> Seen:
        return Seen(said="fixed")

    @others.operation("DELETE /v1/things/{name}", access=Access.PUBLIC)
    def delete_thing(name: str) -> Seen:
        raise RuntimeError("4242")

    return [things, others]


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(build())


@pytest.mark.parametrize(
    ("method", "path", "name", "values"),
    [
        ("GET", "/health", "GET /health", {}),
        ("GET", "/v1/things/a", "GET /v1/things/{thing_id}", {"thing_id": "a"}),
        ("GET", "/v1/things/fixed", "GET /v1/things/fixed", {}),
        ("DELETE", "/v1/things/a", "DELETE /v1/things/{name}", {"name": "a"}),
        (
            "POST",
            "/v1/things/a/parts/b",
            "POST /v1/things/{thing_id}/parts/{part_id}",
            {"thing_id": "a", "part_id": "b"},
        ),
        ("GET", "/v1/things/a%20b", "GET /v1/things/{thing_id}", {"thing_id": "a b"}),
        ("GET", "/v1/things/%C3%BC", "GET /v1/things/{thing_id}", {"thing_id": "ü"}),
        ("GET", "/v1/things/a%2Fb", "GET /v1/things/{thing_id}", {"thing_id": "a/b"}),
        ("GET", "/v1/things/%2520", "GET /v1/things/{thing_id}", {"thing_id": "%20"}),
        ("GET", "/v1/things/a+b", "GET /v1/things/{thing_id}", {"thing_id": "a+b"}),
        ("GET", "/v1/things/%7B%7D", "GET /v1/things/{thing_id}", {"thing_id": "{}"}),
        ("GET", "/v1/things/{}", "GET /v1/things/{thing_id}", {"thing_id": "{}"}),
        ("GET", "/v1/things/..", "GET /v1/things/{thing_id}", {"thing_id": ".."}),
    ],
)
def test_a_path_leads_to_its_operation(
    router: Router, method: str, path: str, name: str, values: dict[str, str]
) -> None:
    service, operation, parameters = router.match(method, path)
    assert (operation.name, parameters) == (name, values)
    assert operation in service.operations


@pytest.mark.parametrize(
    "path",
    ["", "/", "//", "/v1", "/v1/things", "/v1/things/", "//v1/things/a", "/v1/things/a/", "/v1/{}/a", "/x"],
)
def test_any_other_path_is_not_found(router: Router, path: str) -> None:
    with pytest.raises(NotFound):
        router.match("GET", path)


@pytest.mark.parametrize("method", ["PUT", "HEAD", "OPTIONS", "get", ""])
def test_any_other_method_is_told_which_are_allowed(router: Router, method: str) -> None:
    with pytest.raises(MethodNotAllowed) as refusal:
        router.match(method, "/v1/things/a")
    assert refusal.value.headers == {"Allow": "DELETE, GET"}


@pytest.mark.parametrize("path", ["/v1/things/%FF", "/v1/things/%C3%28"])
def test_a_path_that_is_not_utf_8_is_malformed(router: Router, path: str) -> None:
    with pytest.raises(MalformedRequest):
        router.match("GET", path)


@pytest.fixture(scope="module")
def gateway() -> Gateway:
    return Gateway(build())


def ask(gateway: Gateway, method: str, url: str, **request: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(gateway)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://tael") as client:
            return await client.request(method, url, **request)

    return asyncio.run(send())


@pytest.mark.usefixtures("engine")
def test_a_request_reaches_its_handler_and_back(gateway: Gateway) -> None:
    found = ask(gateway, "GET", "/v1/things/%C3%BC%2F", params={"word": "a&b ü"})
    assert (found.status_code, found.json()) == (200, {"said": "ü/ a&b ü"})
    assert int(found.headers["Content-Length"]) == len(found.content)
    assert found.headers["X-Request-Id"].startswith("req_")
    made = ask(gateway, "POST", "/v1/things/a/parts/b", json={"name": "ü"})
    assert (made.status_code, made.json()) == (201, {"said": "a b ü"})


@pytest.mark.parametrize(
    ("method", "url", "status", "request_"),
    [
        ("GET", "/v1/nothing", 404, {}),
        ("GET", "/v1/things/x", 422, {}),
        ("GET", "/v1/things/a?word=1&word=2", 422, {}),
        ("GET", "/v1/things/a?word=%FF", 400, {}),
        ("GET", "/v1/things/%FF", 400, {}),
        ("PUT", "/v1/things/a", 405, {}),
        ("OPTIONS", "/v1/things/a", 405, {}),
        ("POST", "/health", 405, {}),
        ("DELETE", "/v1/things/a", 500, {}),
        ("POST", "/v1/things/a/parts/b", 415, {"content": "{}"}),
        (
            "POST",
            "/v1/things/a/parts/b",
            400,
            {"content": "{", "headers": {"Content-Type": "application/json"}},
        ),
    ],
)
@pytest.mark.usefixtures("engine")
def test_every_failure_is_a_problem_detail(
    gateway: Gateway, method: str, url: str, status: int, request_: dict[str, Any]
) -> None:
    found = ask(gateway, method, url, **request_)
    assert found.status_code == found.json()["status"] == status
    assert found.headers["Content-Type"] == "application/problem+json"
    assert found.headers["X-Request-Id"] == found.json()["request_id"]
    assert "4242" not in found.text


def test_an_oversize_body_is_refused_while_it_arrives(gateway: Gateway) -> None:
    chunk, taken = b"x" * 1024, 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(10_000):
            taken += len(chunk)
            yield chunk

    found = ask(gateway, "POST", "/v1/things/a/parts/b", content=endless())
    assert (found.status_code, found.json()["code"]) == (413, "content_too_large")
    assert taken <= proxy.MAX_BODY_BYTES + 2 * len(chunk)


def test_the_gateway_tells_its_health_and_the_merged_document(gateway: Gateway) -> None:
    assert ask(gateway, "GET", "/health").json() == {"status": "ok", "services": ["things", "others"]}
    assert set(ask(gateway, "GET", "/openapi.json").json()["paths"]["/v1/things/{name}"]) == {"delete"}


def test_only_http_is_served(gateway: Gateway) -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(TypeError, match="websocket"):
        asyncio.run(gateway({"type": "websocket"}, never, never))
