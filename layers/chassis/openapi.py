"""Owns the OpenAPI 3.1 document: generated from the same declarations that route and validate."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from pydantic import BaseModel, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core.core_schema import WithDefaultSchema

from chassis import errors
from chassis.auth import Access
from chassis.errors import Problem
from chassis.events import EventType
from chassis.openapi_events import References, body_of, requests_to_receivers
from chassis.operations import KeyRule, Operation

VERSION = "1"
SYSTEM = "system"
"""The tag of what is about the API itself."""
_REFERENCE = "#/components/schemas/{model}"
_EVERYWHERE: tuple[type[Problem], ...] = (
    errors.MalformedRequest,
    errors.UriTooLong,
    errors.HeadersTooLarge,
    errors.InternalError,
    errors.Unavailable,
)
_AUTHENTICATED: tuple[type[Problem], ...] = (errors.Unauthorized, errors.Forbidden)
_WITH_BODY: tuple[type[Problem], ...] = (errors.ContentTooLarge, errors.UnsupportedMediaType)


class FaultDetail(BaseModel):
    """One field at fault."""

    place: str = Field(alias="in", description="`body`, `query`, `path` or `header`.")
    pointer: str = Field(description="JSON pointer (RFC 6901) inside that place.")
    message: str


class ProblemDetail(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    instance: str | None = None
    errors: list[FaultDetail] | None = None


class Described(Protocol):
    """What this module needs to know of a service."""

    name: str
    description: str
    operations: list[Operation]
    events: list[EventType]


class _WithoutNullDefaults(GenerateJsonSchema):
    """A member that can be left out has no default to tell; null would contradict many of their types."""

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        """Leave out `"default": null`."""
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def document(services: Sequence[Described]) -> dict[str, Any]:
    """One OpenAPI 3.1 document for these services; `GET /health` and `/openapi.json` are told once."""
    references, definitions = _schemas(services)
    paths: dict[str, Any] = {}
    for service in services:
        for operation in service.operations:
            tag = SYSTEM if operation.access is Access.PUBLIC else service.name
            described = _operation(operation, tag, references)
            paths.setdefault(operation.path, {}).setdefault(operation.method.lower(), described)
    told = ((service.name, event) for service in services for event in service.events)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tael",
            "version": VERSION,
            "summary": "A payment backend that a team runs in its own AWS account.",
        },
        "servers": [{"url": "/"}],
        "tags": [
            *({"name": service.name, "description": service.description} for service in services),
            {"name": SYSTEM, "description": "About this API itself."},
        ],
        "paths": paths,
        "webhooks": requests_to_receivers(told, references),
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A merchant's API key `sk_...`, or the platform's operator key.",
                }
            },
        },
    }


def _schemas(services: Iterable[Described]) -> tuple[References, dict[str, Any]]:
    modes: dict[tuple[type[BaseModel], Any], None] = {(ProblemDetail, "serialization"): None}
    for service in services:
        for operation in service.operations:
            modes[operation.returns, "serialization"] = None
            if operation.body_model:
                modes[operation.body_model, "validation"] = None
        for event in service.events:
            modes[body_of(event), "serialization"] = None
    references, definitions = models_json_schema(
        list(modes), ref_template=_REFERENCE, schema_generator=_WithoutNullDefaults
    )
    by_model = {(model, str(mode)): schema for (model, mode), schema in references.items()}
    return by_model, {**_parameter_definitions(services), **definitions.get("$defs", {})}


def _parameter_definitions(services: Iterable[Described]) -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    for service in services:
        for operation in service.operations:
            for model in (operation.path_model, operation.query_model):
                definitions.update(model.model_json_schema(ref_template=_REFERENCE).get("$defs", {}))
    return definitions


def _operation(operation: Operation, tag: str, references: References) -> dict[str, Any]:
    summary, _, details = (operation.handler.__doc__ or "").strip().partition("\n")
    described: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "tags": [tag],
        "summary": summary.rstrip("."),
        "parameters": _parameters(operation),
        "responses": _responses(operation, references),
        "security": [] if operation.access is Access.PUBLIC else [{"key": []}],
    }
    if details.strip():
        described["description"] = " ".join(details.split())
    if operation.body_model:
        schema = references[operation.body_model, "validation"]
        described["requestBody"] = {
            "required": operation.body_is_required,
            "content": {"application/json": {"schema": schema}},
        }
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters = [
        *_members(operation.path_model, "path"),
        *_members(operation.query_model, "query"),
    ]
    if operation.key_rule is not KeyRule.NONE:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": operation.key_rule is KeyRule.REQUIRED,
                "description": "Names this one request; repeating it with the same key has no second effect.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
            }
        )
    if operation.access not in {Access.PUBLIC, Access.PLATFORM}:
        parameters.append(
            {
                "name": "Tael-Merchant",
                "in": "header",
                "required": False,
                "description": "With the platform's key: the merchant in whose name to act.",
                "schema": {"type": "string"},
            }
        )
    return parameters


def _members(model: type[BaseModel], place: str) -> list[dict[str, Any]]:
    schema = model.model_json_schema(ref_template=_REFERENCE)
    required = set(schema.get("required", ()))
    return [
        {
            "name": name,
            "in": place,
            "required": name in required,
            **_described(member),
        }
        for name, member in schema.get("properties", {}).items()
    ]


def _described(member: dict[str, Any]) -> dict[str, Any]:
    """A parameter's description and schema: a text in a URL cannot be null, it can only be left out."""
    schema = {key: value for key, value in member.items() if key not in {"title", "description", "anyOf"}}
    choices = [choice for choice in member.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        schema = {**schema, **choices[0]}
    if schema.get("default", ...) is None:
        del schema["default"]
    described = {"description": member["description"]} if "description" in member else {}
    return {**described, "schema": schema}


def _responses(operation: Operation, references: References) -> dict[str, Any]:
    success: dict[str, Any] = {
        "description": "Done, now or by an earlier request that this one repeats.",
        "content": {"application/json": {"schema": references[operation.returns, "serialization"]}},
    }
    if operation.csv:
        success["content"]["text/csv"] = {"schema": {"type": "string"}}
    responses: dict[str, Any] = {str(int(operation.status)): success}
    if operation.key_rule is KeyRule.OPTIONAL:
        responses["200"] = {**success, "description": "Done by an earlier request, with another key or none."}
    if operation.may_wait:
        responses["202"] = {**success, "description": "Accepted; how it ends is not known yet."}
    by_status: dict[int, list[type[Problem]]] = {}
    for problem in dict.fromkeys(_problems(operation)):
        by_status.setdefault(int(problem.status), []).append(problem)
    problem_schema = references[ProblemDetail, "serialization"]
    for status, problems in sorted(by_status.items()):
        responses[str(status)] = {
            "description": "; ".join(f"`{problem.code}`: {problem.title}" for problem in problems),
            "content": {
                "application/problem+json": {
                    "schema": problem_schema,
                    "examples": {problem.code: {"value": _example(problem)} for problem in problems},
                }
            },
        }
    return responses


def _example(problem: type[Problem]) -> dict[str, Any]:
    """A problem as it would look, its detail told by the class's own docstring."""
    return {
        "type": errors.TYPE_PREFIX + problem.code,
        "title": problem.title,
        "status": int(problem.status),
        "detail": (problem.__doc__ or "").partition("\n")[0],
        "code": problem.code,
        "request_id": "req_a2b3c4d5e6f7g2h3i4j5k6l7",
    }


def _problems(operation: Operation) -> Iterable[type[Problem]]:
    yield from _EVERYWHERE
    if operation.access is not Access.PUBLIC:
        yield from _AUTHENTICATED
        if operation.changes and operation.access is not Access.PLATFORM:
            yield errors.MerchantSuspended
    if "{" in operation.path:
        yield errors.NotFound
    if operation.body_model:
        yield from _WITH_BODY
    yield errors.ValidationFailed
    if operation.key_rule is KeyRule.REQUIRED:
        yield errors.IdempotencyMismatch
    yield from operation.refusals
