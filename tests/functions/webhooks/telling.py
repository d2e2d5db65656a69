"""Events as capabilities tell them, and endpoints that want them, for the tests of webhooks."""

import uuid
from typing import Any

from chassis import clock, ids
from functions.webhooks.shapes import ToldEvent
from tests.conftest import new_key
from tests.functions.inside import Answer, Inside

URL = "https://shop.example/hooks"


def an_event(principal: str, kind: str = "payment.captured", created_at: str = "", **data: Any) -> ToldEvent:
    """Something that happened just now to an object of the principal's."""
    return ToldEvent(
        id=ids.random("evt"),
        type=kind,
        created_at=created_at or clock.timestamp(clock.now()),
        principal=principal,
        sequence=1,
        data={"order_id": uuid.uuid4().hex, **data},
    )


def register(merchant: Inside, *patterns: str, url: str = URL) -> Answer:
    """Register an endpoint for these events, or for all."""
    key = new_key()["Idempotency-Key"]
    body = {"url": url, "events": list(patterns or ["*"])}
    return merchant("POST", "/v1/webhook-endpoints", body, idempotency_key=key)
