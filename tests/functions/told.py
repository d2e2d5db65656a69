"""Reads what publications tell as the event log does: it has to understand it, and so has every reader."""

import importlib
import json
from collections.abc import Iterable
from typing import Any

from chassis.events import EventType, Message
from functions.webhooks.shapes import ToldEvent
from infra.declaration import CAPABILITIES

LOG = "webhook-events"
"""The queue that every event is sent to."""
DECLARED: list[EventType] = [
    event
    for name in CAPABILITIES
    for event in importlib.import_module(f"functions.{name}.app").service.events
]
RESOURCES = {event.name: event.resource for event in DECLARED}


def read(message: Message) -> dict[str, Any]:
    """What a message says."""
    said: dict[str, Any] = json.loads(message.body.model_dump_json())
    return said


def told(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """The events among these messages, each of which is of a declared type and has the data it declares."""
    found = [read(message) for message in messages if message.queue == LOG]
    for event in found:
        assert ToldEvent.model_validate_json(json.dumps(event)).model_dump() == event
        resource = RESOURCES[event["type"]].model_validate(event["data"])
        assert resource.model_dump(mode="json") == event["data"]
    return found


def types(messages: Iterable[Message]) -> list[tuple[str, int]]:
    """The type and the sequence of each event among these messages."""
    return [(event["type"], event["sequence"]) for event in told(messages)]


def marks(messages: Iterable[Message]) -> list[tuple[str, str]]:
    """The id of each event among these messages, and when it happened."""
    return [(event["id"], event["created_at"]) for event in told(messages)]
