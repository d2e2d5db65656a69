"""The OpenAPI document and the page that shows it: true, complete, and served from here alone."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import jsonschema_rs
import pytest
from pydantic import BaseModel

from chassis import errors, openapi
from chassis.auth import Access
from chassis.errors import Problem
from chassis.operations import KeyRule, Operation
from local import desk
from tests.functions.inside import SERVICES
from tests.journeys.calling import DOCUMENT, OPERATIONS, every_body, every_operation

DESCRIBED = [
    (f"{method.upper()} {path}", described)
    for path, methods in DOCUMENT["paths"].items()
    for method, described in methods.items()
]
FILES = ("/docs", "/docs/start.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css")


def described(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return found


def validate(schema: dict[str, Any], instance: Any) -> None:
    """Raise unless the schema, whose references lead into the document's components, takes it."""
    validator(json.dumps(schema)).validate(instance)


@cache
def validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    """Kept, for the document has hundreds of examples of the same few problems."""
    return jsonschema_rs.Draft202012Validator({"components": DOCUMENT["components"], **json.loads(schema)})


def schemas(part: Any) -> Iterator[dict[str, Any]]:
    """Every schema in a part of the document that has examples."""
    if isinstance(part, dict):
        if isinstance(part.get("examples"), list):
            yield part
        for value in part.values():
            yield from schemas(value)
    elif isinstance(part, list):
        for value in part:
            yield from schemas(value)


def test_what_is_served_is_what_the_services_declare(platform: httpx.Client) -> None:
    answer = platform.get("/openapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    # On a laptop there is one service more, which no generator of requests should find in DOCUMENT.
    assert answer.json() == openapi.document([*SERVICES, desk.service])
    assert DOCUMENT["openapi"].startswith("3.1")


def test_every_operation_is_described_and_nothing_else() -> None:
    public = {"GET /health", "GET /openapi.json"}
    assert {name for name, _ in DESCRIBED} == OPERATIONS.keys() | public


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, operation in DESCRIBED]
    assert len(set(ids)) == len(ids)


@every_operation
def test_an_operation_says_what_it_does_and_needs_a_key(operation: Operation) -> None:
    found = described(operation)
    assert found["security"] == [{"key": []}]
    assert found["summary"]
    assert found["tags"]
    parameters = {(each["in"], each["name"]): each for each in found["parameters"]}
    for name in operation.path_model.model_fields:
        assert parameters["path", name]["required"] is True
    for name in operation.query_model.model_fields:
        assert parameters["query", name]["required"] is False
    if operation.key_rule is not KeyRule.NONE:
        required = operation.key_rule is KeyRule.REQUIRED
        assert parameters["header", "Idempotency-Key"]["required"] is required
    assert (("header", "Tael-Merchant") in parameters) == (operation.access is not Access.PLATFORM)


@every_operation
def test_an_operation_tells_every_problem_that_it_can_give(operation: Operation) -> None:
    expected: set[type[Problem]] = {
        errors.MalformedRequest,
        errors.Unauthorized,
        errors.Forbidden,
        errors.UriTooLong,
        errors.HeadersTooLarge,
        errors.InternalError,
        errors.Unavailable,
        errors.ValidationFailed,
        *operation.refusals,
    }
    if operation.path_model.model_fields:
        expected.add(errors.NotFound)
    if operation.body_model:
        expected |= {errors.ContentTooLarge, errors.UnsupportedMediaType}
    if operation.key_rule is KeyRule.REQUIRED and operation.body_model:
        expected.add(errors.IdempotencyMismatch)
    if operation.access is not Access.PLATFORM and operation.changes:
        expected.add(errors.MerchantSuspended)
    told = {
        (int(status), code)
        for status, response in described(operation)["responses"].items()
        if int(status) >= 400
        for code in response["content"]["application/problem+json"]["examples"]
    }
    assert {(int(problem.status), problem.code) for problem in expected} - told == set()


@every_operation
def test_the_example_of_each_problem_is_one(operation: Operation) -> None:
    for status, response in described(operation)["responses"].items():
        for media_type, content in response["content"].items():
            for code, example in content.get("examples", {}).items():
                assert media_type == "application/problem+json"
                assert (example["value"]["code"], example["value"]["status"]) == (code, int(status))
                validate(content["schema"], example["value"])


def test_the_examples_of_each_schema_are_what_it_describes() -> None:
    found = list(schemas(DOCUMENT))
    assert len(found) > 20
    for schema in found:
        for example in schema["examples"]:
            validate(schema, example)


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})


@every_body
def test_a_body_has_an_example_that_its_model_takes(operation: Operation) -> None:
    model = operation.body_model
    assert model
    schema = described(operation)["requestBody"]["content"]["application/json"]["schema"]
    name = schema["$ref"].rpartition("/")[2]
    examples = DOCUMENT["components"]["schemas"][name]["examples"]
    assert examples
    for example in examples:
        model.model_validate(example)


@every_body
def test_a_body_is_required_unless_nothing_of_it_is(operation: Operation) -> None:
    def takes_nothing(model: type[BaseModel]) -> bool:
        try:
            model.model_validate({})
        except ValueError:
            return False
        return True

    assert operation.body_model
    assert described(operation)["requestBody"]["required"] is not takes_nothing(operation.body_model)


def test_what_may_be_answered_otherwise_than_created_says_so() -> None:
    # An order that is paid under another key is there already: 200.
    assert {"200", "201"} <= DOCUMENT["paths"]["/v1/payments/{order_id}"]["post"]["responses"].keys()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/payments/{order_id}",
        "/v1/payments/{order_id}/capture",
        "/v1/payments/{order_id}/cancel",
        "/v1/payments/{order_id}/refunds",
        "/v1/topups",
        "/v1/payouts",
    ],
)
def test_what_waits_for_the_acquirer_may_be_answered_as_accepted(path: str) -> None:
    assert "202" in DOCUMENT["paths"][path]["post"]["responses"]


@pytest.mark.parametrize("path", FILES)
def test_the_page_is_served_with_a_policy_that_allows_nothing_from_elsewhere(
    platform: httpx.Client, path: str
) -> None:
    answer = platform.get(path)
    assert answer.status_code == 200
    types = {"": "text/html", ".js": "text/javascript", ".css": "text/css"}
    suffix = re.search(r"\.\w+$|$", path)
    assert suffix
    assert answer.headers["Content-Type"] == f"{types[suffix[0]]}; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    for sources in policy.values():
        assert not re.search(r"http|\*|//|unsafe-eval", sources)
    assert "script-src" not in policy


def test_the_page_loads_only_what_is_served_here(platform: httpx.Client) -> None:
    page, start, style = (platform.get(path).text for path in (FILES[0], FILES[1], FILES[3]))
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    for address in loaded:
        assert address.startswith("data:") or platform.get(address).status_code == 200, address
    assert {"/docs/start.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"} <= set(loaded)
    for text in (page, start):
        assert not re.search(r"https?://|[\"'(]//", text)
    assert not re.search(r"url\(\s*(?![\"']?data:)|@import", style)
    assert 'url: "/openapi.json"' in start
    assert "validatorUrl: null" in start
