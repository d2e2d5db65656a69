"""Owns the section of the OpenAPI document on events: every type of them, as it reaches a receiver."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from chassis.events import EventType
from chassis.shapes import Timestamp

DataT = TypeVar("DataT", bound=BaseModel)
References = dict[tuple[type, str], Any]
"""Model and mode -> its schema's `$ref`."""

_HEADERS = {
    "webhook-id": "The event's id: what comes twice has it twice.",
    "webhook-timestamp": "When this attempt was made, in epoch seconds.",
    "webhook-signature": "`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64; several, separated by "
    "spaces, while a secret is being replaced. Verify it before anything else.",
}


class EventBody(BaseModel, Generic[DataT]):
    """What happened, as it is delivered (Standard Webhooks 1.0.0)."""

    id: str
    type: str
    created_at: Timestamp
    sequence: int = Field(
        description="Of two events about one object, the greater one is the later. No order is promised."
    )
    data: DataT = Field(description="The object as of then, as the API shows it.")


def body_of(event: EventType) -> type[BaseModel]:
    """The model of what is delivered for a type of event."""
    body: type[BaseModel] = EventBody[event.resource]  # type: ignore[name-defined]  # known at run time only
    return body


def requests_to_receivers(tagged: Iterable[tuple[str, EventType]], references: References) -> dict[str, Any]:
    """Type of event -> the request that a receiver gets; each comes with its service's tag."""
    return {event.name: {"post": _request(tag, event, references)} for tag, event in tagged}


def _request(tag: str, event: EventType, references: References) -> dict[str, Any]:
    this_type = {"properties": {"type": {"const": event.name}}}
    schema = {"allOf": [references[body_of(event), "serialization"], this_type]}
    return {
        "operationId": f"on_{event.name.replace('.', '_')}",
        "tags": [tag],
        "summary": event.summary.rstrip("."),
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": told,
                "schema": {"type": "string"},
            }
            for name, told in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "2XX": {"description": "Received. Answer within 10 seconds, and do the work afterwards."},
            "410": {"description": "Send no more: the endpoint is disabled."},
            "default": {"description": "Failed: it is sent again, ten times in all over three days."},
        },
    }
