"""The OpenAPI document: what routes and validates is what is described, and every reference resolves."""

import importlib
import json
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from chassis import openapi
from chassis.auth import Access, Principal
from chassis.errors import Conflict
from chassis.operations import Intent, KeyRule, Reply
from chassis.paging import Page, PageQuery
from chassis.service import Service
from chassis.shapes import Input, Resource
from infra.declaration import CAPABILITIES


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Wanted(PageQuery):
    colour: Colour | None = None


class Part(Input):
    size: int


class New(Input):
    parts: list[Part]


class Thing(Resource):
    id: str


@pytest.fixture
def service() -> Service:
    service = Service("things", "Things.")

    @service.operation("POST /v1/things", status=201, key=KeyRule.REQUIRED, refusals=(Conflict,))
    def make_thing(principal: Principal, intent: Intent, body: New) -> Reply[Thing]:
        """Make a thing.

        At length.
        """
        raise NotImplementedError

    @service.operation("GET /v1/things")
    def list_things(query: Wanted) -> Page[Thing]:
        """List the things."""
        raise NotImplementedError

    @service.operation("GET /v1/things/{thing_id}", access=Access.PLATFORM)
    def get_thing(thing_id: Annotated[str, Field(pattern="^x$")]) -> Thing:
        """Show a thing."""
        raise NotImplementedError

    return service


def everything() -> list[Service]:
    return [importlib.import_module(f"functions.{name}.app").service for name in CAPABILITIES]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for member in node.values():
            yield from references(member)
    elif isinstance(node, list):
        for member in node:
            yield from references(member)


def resolve(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def parameters(operation: dict[str, Any]) -> dict[tuple[str, str], bool]:
    return {(each["in"], each["name"]): each["required"] for each in operation["parameters"]}


def test_it_is_a_3_1_document_of_plain_json(service: Service) -> None:
    document = openapi.document([service])
    assert document["openapi"] == "3.1.0"
    assert {"title", "version"} <= document["info"].keys()
    assert json.loads(json.dumps(document)) == document
    assert [tag["name"] for tag in document["tags"]] == ["things", "system"]


def test_an_operation_is_described_by_its_declaration(service: Service) -> None:
    found = dict(operations(openapi.document([service])))
    made, listed, shown = (
        found[f"{name}"] for name in ("POST /v1/things", "GET /v1/things", "GET /v1/things/{thing_id}")
    )
    assert (made["operationId"], made["summary"], made["description"]) == (
        "make_thing",
        "Make a thing",
        "At length.",
    )
    assert made["requestBody"]["required"]
    assert parameters(made) == {("header", "Idempotency-Key"): True, ("header", "Tael-Merchant"): False}
    assert parameters(listed) == {
        ("query", "limit"): False,
        ("query", "cursor"): False,
        ("query", "colour"): False,
        ("header", "Tael-Merchant"): False,
    }
    assert parameters(shown) == {("path", "thing_id"): True}
    assert shown["parameters"][0]["schema"] == {"type": "string", "pattern": "^x$"}


def test_a_key_is_asked_for_where_one_is_needed(service: Service) -> None:
    document = openapi.document([service])
    assert document["components"]["securitySchemes"]["key"] == (
        document["components"]["securitySchemes"]["key"] | {"type": "http", "scheme": "bearer"}
    )
    security = {name: operation["security"] for name, operation in operations(document)}
    public = {"GET /health", "GET /openapi.json"}
    assert security == {name: [] if name in public else [{"key": []}] for name in security}


def test_success_and_every_problem_are_described(service: Service) -> None:
    document = openapi.document([service])
    found = dict(operations(document))
    made = found["POST /v1/things"]["responses"]
    assert set(made) == {
        *("201", "400", "401", "403", "409", "413", "414", "415", "422", "431", "500", "503")
    }
    assert set(found["GET /v1/things/{thing_id}"]["responses"]) == {
        *("200", "400", "401", "403", "404", "414", "422", "431", "500", "503")
    }
    assert "`validation_failed`" in made["422"]["description"]
    assert "`idempotency_mismatch`" in made["422"]["description"]
    for status, response in made.items():
        ((content_type, content),) = response["content"].items()
        schema = resolve(document, content["schema"]["$ref"])
        if status == "201":
            assert (content_type, schema["title"]) == ("application/json", "Thing")
        else:
            assert content_type == "application/problem+json"
            assert {"type", "title", "status", "detail", "code", "request_id"} <= schema["properties"].keys()
            assert "in" in document["components"]["schemas"]["FaultDetail"]["properties"]


def test_references_of_bodies_queries_and_answers_resolve(service: Service) -> None:
    document = openapi.document([service])
    found = set(references(document))
    assert {reference.rpartition("/")[2] for reference in found} >= {"Colour", "Part", "New", "Thing"}
    for reference in found:
        resolve(document, reference)


def test_models_of_one_name_are_kept_apart(service: Service) -> None:
    other = Service("others", "Others.")

    class Thing(BaseModel):
        colour: int

    @other.operation("GET /v1/others")
    def get_other() -> Thing:
        raise NotImplementedError

    document = openapi.document([service, other])
    schemas = [
        operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        for name, operation in operations(document)
        if name in {"GET /v1/others", "GET /v1/things/{thing_id}"}
    ]
    shapes = [set(resolve(document, schema)["properties"]) for schema in schemas]
    assert sorted(shapes, key=sorted) == [{"colour"}, {"id"}]


def test_the_merged_document_has_every_operation_once() -> None:
    services = everything()
    document = openapi.document(services)
    declared = Counter(operation.name for service in services for operation in service.operations)
    assert {name for name, _ in operations(document)} == set(declared)
    twice = {name for name, count in declared.items() if count > 1}
    assert twice == {"GET /health", "GET /openapi.json"}
    identities = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(identities)) == len(identities)
    for reference in references(document):
        resolve(document, reference)


def test_every_operation_says_in_a_line_what_it_does() -> None:
    for name, operation in operations(openapi.document(everything())):
        assert operation["summary"], name
        assert "\n" not in operation["summary"], name


def test_path_parameters_are_those_of_the_path() -> None:
    for name, operation in operations(openapi.document(everything())):
        in_path = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        assert in_path == {part[1:-1] for part in name.split("/") if part.startswith("{")}, name
