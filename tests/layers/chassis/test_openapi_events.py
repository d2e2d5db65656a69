"""The webhooks of the OpenAPI document: every type of event, with the schema of what is delivered."""

import importlib
from typing import Any

import jsonschema_rs
import pytest

from chassis import openapi
from chassis.openapi_events import EventBody
from chassis.service import Service
from chassis.shapes import Resource
from functions.webhooks.shapes import Event
from infra.declaration import CAPABILITIES, EVENT_TYPES


class Thing(Resource):
    id: str


@pytest.fixture
def document() -> dict[str, Any]:
    service = Service("things", "Things.")
    service.event("thing.made", Thing, "There is a new thing.")
    service.event("thing.lost", Thing, "It is gone.")
    return openapi.document([service])


def test_an_event_is_described_as_it_is_delivered(document: dict[str, Any]) -> None:
    assert set(document["webhooks"]) == {"thing.made", "thing.lost"}
    described = document["webhooks"]["thing.made"]["post"]
    assert (described["summary"], described["tags"]) == ("There is a new thing", ["things"])
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    validator = jsonschema_rs.Draft202012Validator({**document, **schema})
    told = {
        "id": "evt_1",
        "type": "thing.made",
        "created_at": "2026-11-23T09:30:00.000000Z",
        "sequence": 1,
        "data": {"id": "thing_1"},
    }
    validator.validate(told)
    mistakes: tuple[dict[str, Any], ...] = ({"type": "thing.lost"}, {"data": {}}, {"sequence": "1"})
    for wrong in mistakes:
        assert not validator.is_valid({**told, **wrong})
    assert {each["name"] for each in described["parameters"]} == {
        *("webhook-id", "webhook-timestamp", "webhook-signature")
    }


def test_what_is_described_is_what_is_delivered() -> None:
    """The log shows and delivers events whose data it does not know; the members are the same."""
    assert list(EventBody.model_fields) == list(Event.model_fields)


def test_the_merged_document_has_every_type_of_event() -> None:
    services = [importlib.import_module(f"functions.{name}.app").service for name in CAPABILITIES]
    assert sorted(openapi.document(services)["webhooks"]) == sorted(EVENT_TYPES)
