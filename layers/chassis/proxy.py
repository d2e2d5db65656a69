"""Owns the proxy event: API Gateway's payload formats 1.0 and 2.0, read as one kind of request."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from chassis import ids
from chassis.errors import ContentTooLarge, HeadersTooLarge, MalformedRequest, UriTooLong

Event = dict[str, Any]

MAX_BODY_BYTES = 32 * 1024
MAX_HEADER_BYTES = 8 * 1024
MAX_URI_BYTES = 2 * 1024
_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_WEIGHT = re.compile(r"[01](\.[0-9]{1,3})?")
_REQUEST_ID = re.compile(r"[A-Za-z0-9=_-]{1,64}")


def normalised(event: Event) -> Event:
    """The event in the form 1.0 that Chalice reads, whichever format the gateway sent.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    if event.get("version") == "2.0":
        event = _from_version_2(event)
    context = event["requestContext"]
    return {
        **event,
        "headers": {str(name).lower(): value for name, value in (event.get("headers") or {}).items()},
        "multiValueQueryStringParameters": event.get("multiValueQueryStringParameters"),
        "pathParameters": event.get("pathParameters"),
        "stageVariables": event.get("stageVariables"),
        "body": event.get("body"),
        "requestContext": {"resourcePath": "", "httpMethod": "", **context},
    }


def _from_version_2(event: Event) -> Event:
    # `routeKey` is "POST /v1/payments/{order_id}", or "$default" when no route matched.
    method, _, resource = str(event["routeKey"]).partition(" ")
    http = event["requestContext"]["http"]
    query = event.get("rawQueryString") or ""
    return {
        "path": f"{event.get('rawPath') or ''}?{query}",
        "headers": event.get("headers"),
        "multiValueQueryStringParameters": parse_query(query),
        "pathParameters": event.get("pathParameters"),
        "body": event.get("body"),
        "isBase64Encoded": event.get("isBase64Encoded", False),
        "requestContext": {
            **event["requestContext"],
            "resourcePath": resource,
            "httpMethod": http["method"] if method in {"$default", "ANY"} else method,
        },
    }


def bound(uri: str, headers: Mapping[str, str]) -> None:
    """Raise UriTooLong or HeadersTooLarge for a request that is longer than any operation needs."""
    if len(uri.encode()) > MAX_URI_BYTES:
        raise UriTooLong(f"path and query have more than {MAX_URI_BYTES} bytes")
    if sum(len(name.encode()) + len(value.encode()) for name, value in headers.items()) > MAX_HEADER_BYTES:
        raise HeadersTooLarge(f"the headers have more than {MAX_HEADER_BYTES} bytes")


def parse_query(raw: str) -> dict[str, list[str]] | None:
    """Query parameters as format 1.0 has them: every name with all of its values, or None."""
    try:
        return parse_qs(raw, keep_blank_values=True, max_num_fields=50, errors="strict") or None
    except ValueError:
        raise MalformedRequest("the query string cannot be read") from None


def prefers_csv(accept: str | None) -> bool:
    """Whether a caller with this Accept wants CSV sooner than JSON (RFC 9110, section 12.5.1)."""
    weights = {"text/csv": 0.0, "application/json": 0.0}
    for part in (accept or "*/*").lower().split(","):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        if media_type in weights and _WEIGHT.fullmatch(weight):
            weights[media_type] = float(weight)
    return weights["text/csv"] > weights["application/json"]


def body_of(event: Event) -> bytes:
    """The body's bytes. Raises MalformedRequest for bad base 64, ContentTooLarge over the limit."""
    body = event["body"] or ""
    if event.get("isBase64Encoded"):
        try:
            raw = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise MalformedRequest("the body is not the base 64 that the gateway promised") from None
    else:
        raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
    if len(raw) > MAX_BODY_BYTES:
        raise ContentTooLarge(f"the body has more than {MAX_BODY_BYTES} bytes")
    return raw


def request_id_of(event: Event) -> str:
    """The gateway's request id, or a new one."""
    given = str(event["requestContext"].get("requestId") or "")
    return given if _REQUEST_ID.fullmatch(given) else ids.random("req")


def response(status: int, headers: Mapping[str, str], body: str) -> Event:
    """A proxy response, as both payload formats take it."""
    return {"statusCode": status, "headers": {**_ALWAYS, **headers}, "body": body, "isBase64Encoded": False}
