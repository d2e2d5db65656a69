"""A proxy event of either payload format reads as the same request, or is refused."""

import base64
from typing import Any

import pytest

from chassis import proxy
from chassis.errors import ContentTooLarge, MalformedRequest

VERSION_2: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "POST /v1/things/{thing_id}",
    "rawPath": "/v1/things/7",
    "rawQueryString": "a=1&a=2&b=%C3%BC+x&c=",
    "headers": {"Content-Type": "application/json"},
    "pathParameters": {"thing_id": "7"},
    "requestContext": {"http": {"method": "POST", "path": "/v1/things/7"}, "requestId": "req-1"},
    "body": "e30=",
    "isBase64Encoded": True,
}
VERSION_1: dict[str, Any] = {
    "version": "1.0",
    "httpMethod": "POST",
    "headers": {"Content-Type": "application/json"},
    "multiValueQueryStringParameters": {"a": ["1", "2"], "b": ["ü x"], "c": [""]},
    "pathParameters": {"thing_id": "7"},
    "requestContext": {
        "resourcePath": "/v1/things/{thing_id}",
        "httpMethod": "POST",
        "requestId": "req-1",
    },
    "body": "e30=",
    "isBase64Encoded": True,
}


def read(event: dict[str, Any]) -> dict[str, Any]:
    """What the service looks at."""
    found = proxy.normalised(event)
    context = {name: found["requestContext"][name] for name in ("resourcePath", "httpMethod")}
    names = ("headers", "multiValueQueryStringParameters", "pathParameters", "isBase64Encoded")
    return {name: found[name] for name in names} | context | {"body": proxy.body_of(found)}


def test_both_formats_read_the_same() -> None:
    assert read(VERSION_2) == read(VERSION_1)
    assert read(VERSION_1)["headers"] == {"content-type": "application/json"}
    assert read(VERSION_1)["body"] == b"{}"


@pytest.mark.parametrize("absent", ["headers", "pathParameters", "body", "stageVariables"])
def test_what_the_gateway_leaves_out_or_sends_as_null_is_absent(absent: str) -> None:
    for event in (VERSION_1, VERSION_2):
        without = {name: value for name, value in event.items() if name != absent}
        assert proxy.normalised(without) == proxy.normalised({**event, absent: None})


def test_a_missing_query_is_absent() -> None:
    without = dict(VERSION_1)
    del without["multiValueQueryStringParameters"]
    for event in (
        without,
        {**VERSION_2, "rawQueryString": ""},
        {**VERSION_1, "multiValueQueryStringParameters": None},
    ):
        assert proxy.normalised(event)["multiValueQueryStringParameters"] is None


def test_an_unmatched_route_has_its_method_and_no_path() -> None:
    context = proxy.normalised({**VERSION_2, "routeKey": "$default"})["requestContext"]
    assert (context["resourcePath"], context["httpMethod"]) == ("", "POST")


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        ("", None),
        ("a=1", {"a": ["1"]}),
        ("a=1&b=2&a=3", {"a": ["1", "3"], "b": ["2"]}),
        ("a", {"a": [""]}),
        ("a=%26%3D", {"a": ["&="]}),
        ("a=%E2%82%AC", {"a": ["€"]}),
        ("%61=1", {"a": ["1"]}),
        ("a=b=c", {"a": ["b=c"]}),
        ("a=100%", {"a": ["100%"]}),
    ],
)
def test_a_query_string_is_every_name_with_all_its_values(
    raw: str, values: dict[str, list[str]] | None
) -> None:
    assert proxy.parse_query(raw) == values


@pytest.mark.parametrize("raw", ["a=%FF", "%C3%28=1", "&".join("a=1" for _ in range(51))])
def test_a_query_string_that_is_not_utf_8_or_endless_is_refused(raw: str) -> None:
    with pytest.raises(MalformedRequest):
        proxy.parse_query(raw)


def body(text: str | None, *, encoded: bool = False) -> bytes:
    return proxy.body_of({"body": text, "isBase64Encoded": encoded})


def test_a_body_is_its_bytes() -> None:
    assert body(None) == body("") == body("", encoded=True) == b""
    assert body("ü") == "ü".encode()
    assert body(base64.b64encode(b"\xff\x00").decode(), encoded=True) == b"\xff\x00"
    assert body("\ud800").startswith(b"\xed")


@pytest.mark.parametrize("text", ["e30", "e3$0", "é===", "e30= "])
def test_a_body_that_is_not_the_promised_base_64_is_refused(text: str) -> None:
    with pytest.raises(MalformedRequest):
        body(text, encoded=True)


@pytest.mark.parametrize("unit", ["x", "é"])
@pytest.mark.parametrize("encoded", [False, True])
def test_the_limit_is_exact_and_in_bytes(unit: str, encoded: bool) -> None:
    def sent(length: int) -> bytes:
        text = unit * ((length - length % len(unit.encode())) // len(unit.encode()))
        text += "x" * (length - len(text.encode()))
        return body(base64.b64encode(text.encode()).decode() if encoded else text, encoded=encoded)

    assert len(sent(proxy.MAX_BODY_BYTES)) == proxy.MAX_BODY_BYTES
    with pytest.raises(ContentTooLarge):
        sent(proxy.MAX_BODY_BYTES + 1)


@pytest.mark.parametrize("given", ["req-1", "JKJaXmPLvHcESHA=", "a" * 64, "_"])
def test_a_request_id_is_the_gateways(given: str) -> None:
    assert proxy.request_id_of({"requestContext": {"requestId": given}}) == given


@pytest.mark.parametrize("given", [None, "", "a" * 65, "two words", "line\n", '"', "é"])
def test_a_request_id_that_is_missing_or_strange_is_replaced(given: str | None) -> None:
    made = [proxy.request_id_of({"requestContext": {"requestId": given}}) for _ in range(2)]
    assert all(each.startswith("req_") for each in made)
    assert made[0] != made[1]


def test_a_response_is_never_cached_nor_guessed_at() -> None:
    response = proxy.response(200, {"Content-Type": "application/json"}, "{}")
    assert response["headers"] == {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Type": "application/json",
    }
