"""Owns reading a request: headers, path, query and body become the typed arguments of an operation."""

import json
import re
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from chassis import ids
from chassis.auth import Principal
from chassis.errors import Fault, MalformedRequest, Place, Problem, UnsupportedMediaType, ValidationFailed
from chassis.operations import Intent, KeyRule, Operation
from chassis.proxy import Event, body_of
from chassis.shapes import located

MAX_FAULTS = 20
MAX_POINTER_LENGTH = 200
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
# A member that nobody knows is named in the refusal as it was sent, and might be a card number.
_CARD_NUMBER = re.compile(r"[0-9](?:[ -]?[0-9]){11,}")
_JSON = re.compile(r"application/json\s*(;.*)?", re.IGNORECASE)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def read_request(operation: Operation, event: Event, principal: Principal | None) -> dict[str, Any]:
    """The arguments for the operation's handler.

    Raises MalformedRequest, UnsupportedMediaType, ContentTooLarge, or ValidationFailed naming each field.
    """
    path = _validated(operation.path_model, event["pathParameters"] or {}, "path")
    query = _validated(operation.query_model, _single_values(event), "query")
    body = _read_body(operation, event)
    intent = _intent(operation, event, body, principal) if "intent" in operation.arguments else None
    return operation.bind(path, query, body, principal, intent)


def _intent(
    operation: Operation, event: Event, body: BaseModel | None, principal: Principal | None
) -> Intent:
    if principal is None:
        raise TypeError(f"{operation.name} is public, so nobody could own what it intends")
    parameters: dict[str, str] = event["pathParameters"] or {}
    full_path = operation.path.format_map({name: quote(value, safe="") for name, value in parameters.items()})
    asked = _canonical(body) if body is not None else ""
    return Intent(
        principal=principal.id,
        operation=f"{operation.method} {full_path}",
        key=_idempotency_key(operation.key_rule, event["headers"].get("idempotency-key")),
        fingerprint=ids.fingerprint(asked),
    )


def _canonical(body: BaseModel) -> str:
    # Through the validated model, so that a default that is spelt out and one that is left out are the same.
    return _CANONICAL.encode(body.model_dump(mode="json"))


def _idempotency_key(rule: KeyRule, header: str | None) -> str | None:
    if rule is KeyRule.NONE:
        return None
    if header is None:
        if rule is KeyRule.REQUIRED:
            raise _bad_key("is required here: any text that names this one request, such as a UUID")
        return None
    key = header[1:-1] if len(header) > 1 and header[0] == header[-1] == '"' else header
    if not _KEY.fullmatch(key):
        raise _bad_key("has 1 to 255 printable ASCII characters, bare or in quotes")
    return key


def _bad_key(message: str) -> Problem:
    fault = Fault("header", "/Idempotency-Key", message)
    return MalformedRequest(f"Idempotency-Key {message}", faults=(fault,))


def _single_values(event: Event) -> dict[str, str]:
    given: dict[str, list[str]] = event["multiValueQueryStringParameters"] or {}
    for name, values in given.items():
        if len(values) != 1:
            raise ValidationFailed.of("query", _pointer((name,)), "is given more than once")
    return {name: values[0] for name, values in given.items()}


def _read_body(operation: Operation, event: Event) -> BaseModel | None:
    model = operation.body_model
    if model is None:
        return None
    if not event["body"] and not operation.body_is_required:
        return model()
    content_type = event["headers"].get("content-type")
    if content_type is None or not _JSON.fullmatch(content_type):
        raise UnsupportedMediaType("the body must be JSON: Content-Type: application/json")
    raw = body_of(event)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise _problem(error, "body") from None


def _validated(model: type[BaseModel], values: dict[str, str], place: Place) -> BaseModel:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _problem(error, place) from None


def _problem(error: ValidationError, place: Place) -> Problem:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return MalformedRequest("the body is not JSON: " + found[0]["msg"].removeprefix("Invalid JSON: "))
    if place == "body" and not found[0]["loc"] and found[0]["type"].startswith("model_"):
        return MalformedRequest("the body must be a JSON object")
    faults = tuple(
        Fault(place, _pointer(fault["loc"]), fault["msg"].removeprefix("Value error, "))
        for fault in found[:MAX_FAULTS]
    )
    first = faults[0]
    return ValidationFailed(f"{first.pointer.lstrip('/') or f'the {place}'}: {first.message}", faults=faults)


def _pointer(location: tuple[str | int, ...]) -> str:
    """A JSON pointer, RFC 6901, section 3."""
    # Pydantic marks an error in a mapping's key, and not in its value, by one more part.
    parts = (_CARD_NUMBER.sub("***", str(part)) for part in located(location) if part != "[key]")
    escaped = (part.replace("~", "~0").replace("/", "~1") for part in parts)
    return "".join(f"/{part}" for part in escaped)[:MAX_POINTER_LENGTH]
