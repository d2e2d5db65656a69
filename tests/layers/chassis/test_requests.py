"""A request becomes typed arguments, or a refusal that names the place at fault."""

import json
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from chassis import proxy
from chassis.auth import Access, Principal
from chassis.errors import MalformedRequest, Problem, UnsupportedMediaType, ValidationFailed
from chassis.operations import Intent, KeyRule, Operation, declare
from chassis.paging import PageQuery
from chassis.requests import MAX_FAULTS, read_request
from chassis.shapes import Input, Metadata, text


class Part(Input):
    size: Annotated[int, Field(ge=1)]


class Thing(Input):
    name: Annotated[str, text(max_length=20, example="x")]
    count: int = 1
    parts: tuple[Part, ...] = ()
    metadata: Metadata = Field(default_factory=dict)


class Shown(BaseModel):
    id: str


def handler(
    thing_id: Annotated[str, Field(pattern="^[a-z]+$")],
    query: PageQuery,
    body: Thing,
    principal: Principal,
    intent: Intent,
) -> Shown:
    raise NotImplementedError


def operation(key_rule: KeyRule = KeyRule.NONE) -> Operation:
    return declare(
        "POST /v1/things/{thing_id}",
        handler,
        access=Access.ANY,
        status=201,
        key_rule=key_rule,
        refusals=(),
    )


def read(
    body: Any = '{"name": "n"}',
    rule: KeyRule = KeyRule.NONE,
    thing_id: str = "a",
    query: dict[str, list[str]] | None = None,
    **headers: str,
) -> dict[str, Any]:
    given = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    event = {
        "headers": given,
        "pathParameters": {"thing_id": thing_id},
        "multiValueQueryStringParameters": query,
        "body": body,
        "requestContext": {},
    }
    return read_request(operation(rule), proxy.normalised(event), Principal(is_platform=True))


def intent(**request: Any) -> Intent:
    found = read(**request)["intent"]
    assert isinstance(found, Intent)
    return found


def pointers(problem: Problem) -> list[tuple[str, str]]:
    return [(fault.place, fault.pointer) for fault in problem.faults]


def test_a_good_request_becomes_the_handlers_arguments() -> None:
    found = read('{"name": "n", "parts": [{"size": 2}]}', query={"limit": ["5"]})
    assert found["thing_id"] == "a"
    assert found["query"] == PageQuery(limit=5)
    assert found["body"] == Thing(name="n", parts=(Part(size=2),))
    assert found["principal"].id == "platform"
    assert found["intent"].operation == "POST /v1/things/a"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON;charset=UTF-8"],
)
def test_json_is_taken_by_any_of_its_names(content_type: str) -> None:
    assert read(Content_Type=content_type)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/jsonx", "application/xml", "json"])
def test_any_other_content_type_is_unsupported(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        read(Content_Type=content_type)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "nul",
        "{'name': 'n'}",
        '{"name": "n",}',
        '{"name": "n"} x',
        '{"name": ' + "[" * 10_000 + "]" * 10_000 + "}",
        '{"name": "\ud800"}',
        '{"name": "\\ud800"}',
        '{"name": "a\x00b"}',
        '{"name": "a\nb"}',
        "\ufeff{}",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_json_is_malformed(body: str) -> None:
    with pytest.raises(MalformedRequest):
        read(body)


@pytest.mark.parametrize(
    "body", [b"\xff", b'{"name": "\xff"}', b'{"name": "\xc3"}', '{"name": "n"}'.encode("utf-16")]
)
def test_what_is_not_utf_8_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        read(body)


@pytest.mark.parametrize("body", ["[]", '"text"', "1", "null", "true", '[{"name": "n"}]'])
def test_what_is_no_object_is_malformed(body: str) -> None:
    with pytest.raises(MalformedRequest):
        read(body)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": None}, "/name"),
        ({"name": 1}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 21}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"name": "a\nb"}, "/name"),
        ({"name": "a\x7f"}, "/name"),
        ({"name": "n", "count": "1"}, "/count"),
        ({"name": "n", "count": 1.5}, "/count"),
        ({"name": "n", "count": 1.0}, "/count"),
        ({"name": "n", "count": True}, "/count"),
        ({"name": "n", "parts": [{"size": 1}, {"size": 0}]}, "/parts/1/size"),
        ({"name": "n", "parts": [{"size": 1, "x": 1}]}, "/parts/0/x"),
        ({"name": "n", "unknown": 1}, "/unknown"),
        ({"name": "n", "a/b~c": 1}, "/a~1b~0c"),
        ({"name": "n", "metadata": {"k": 1}}, "/metadata/k"),
        ({"name": "n", "metadata": {"k" * 41: "v"}}, "/metadata/" + "k" * 41),
        ({"name": "n", "metadata": {str(n): "v" for n in range(21)}}, "/metadata"),
    ],
)
def test_a_wrong_member_of_the_body_is_named(body: dict[str, Any], pointer: str) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        read(json.dumps(body))
    assert pointers(refusal.value) == [("body", pointer)]


def test_all_wrong_members_are_named_up_to_a_bound() -> None:
    with pytest.raises(ValidationFailed) as refusal:
        read(json.dumps({"name": 1, "count": "x"}))
    assert pointers(refusal.value) == [("body", "/name"), ("body", "/count")]
    with pytest.raises(ValidationFailed) as refusal:
        read(json.dumps({"name": "n", **{f"x{n}": 1 for n in range(500)}}))
    assert len(refusal.value.faults) == MAX_FAULTS


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(ValidationFailed) as refusal:
        read(json.dumps({"name": "4242424242424242" * 2, "count": "4242"}))
    assert "4242" not in refusal.value.document("r")


def test_a_wrong_path_parameter_is_named() -> None:
    with pytest.raises(ValidationFailed) as refusal:
        read(thing_id="A\x00")
    assert pointers(refusal.value) == [("path", "/thing_id")]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": ["0"]}, "/limit"),
        ({"limit": ["1", "2"]}, "/limit"),
        ({"limit": ["1", "1"]}, "/limit"),
        ({"limit": ["1.5"]}, "/limit"),
        ({"limit": [""]}, "/limit"),
        ({"offset": ["1"]}, "/offset"),
    ],
)
def test_a_wrong_unknown_or_repeated_query_parameter_is_named(
    query: dict[str, list[str]], pointer: str
) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        read(query=query)
    assert pointers(refusal.value) == [("query", pointer)]


@pytest.mark.parametrize("key", ["k", "a b", "~", " ", '"', '"a', 'a"b', "x" * 255])
def test_a_quoted_key_is_the_bare_key(key: str) -> None:
    bare, quoted = (intent(rule=KeyRule.REQUIRED, Idempotency_Key=header) for header in (key, f'"{key}"'))
    assert bare == quoted
    assert bare.key == key


@pytest.mark.parametrize(
    "key", ["", '""', "x" * 256, f'"{"x" * 256}"', "é", "a\tb", "a\nb", "k\n", "\x00", "\ud800"]
)
@pytest.mark.parametrize("rule", [KeyRule.OPTIONAL, KeyRule.REQUIRED])
def test_a_key_that_is_empty_overlong_or_not_printable_is_malformed(rule: KeyRule, key: str) -> None:
    with pytest.raises(MalformedRequest) as refusal:
        read(rule=rule, Idempotency_Key=key)
    assert pointers(refusal.value) == [("header", "/Idempotency-Key")]


def test_a_key_is_missed_only_where_it_is_required() -> None:
    with pytest.raises(MalformedRequest) as refusal:
        read(rule=KeyRule.REQUIRED)
    assert pointers(refusal.value) == [("header", "/Idempotency-Key")]
    assert intent(rule=KeyRule.OPTIONAL).key is None
    assert intent(rule=KeyRule.NONE, Idempotency_Key="é").key is None


def test_a_fingerprint_is_of_what_is_asked_and_not_of_how_it_is_spelt() -> None:
    first = intent(body='{"name":"ü","parts":[],"metadata":{"a":"1","b":"2"}}').fingerprint
    same = '{ "metadata": {"b": "2", "a": "1"}, "count": 1, "name": "\\u00fc" }'
    assert intent(body=same).fingerprint == first
    for other in ('{"name":"u"}', '{"name":"ü"}', '{"name":"ü","metadata":{"a":"2","b":"1"}}'):
        assert intent(body=other).fingerprint != first
