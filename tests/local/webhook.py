"""The API's side of a webhook endpoint: registers it with a secret, and signs what it sends there."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
from standardwebhooks import Webhook

from local.api import Api

SECRET = "whsec_" + "c2VjcmV0" * 4
CAPTURED = {
    "id": "evt_1",
    "type": "payment.captured",
    "created_at": "2026-11-23T09:30:00.123456Z",
    "sequence": 2,
    "data": {"order_id": "order-1", "status": "captured", "amount": 1250, "currency": "GBP", "fee": 39},
}


class Registry:
    """As little of the API as a receiver needs."""

    def __init__(self, *urls: str) -> None:
        self.endpoints = {f"we_{number}": url for number, url in enumerate(urls)}
        self.asked: list[httpx.Request] = []
        self.deleted: list[str] = []
        self.refusal: int | None = None
        """Of everything but reading."""

    def api(self) -> Api:
        return Api("http://registry", "key", httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.method == "GET":
            shown = [{"id": name, "url": url} for name, url in self.endpoints.items()]
            return httpx.Response(200, json={"data": shown, "next_cursor": None})
        if self.refusal:
            return httpx.Response(self.refusal, json={"title": "No", "detail": "no reason"})
        if request.method == "DELETE":
            self.deleted.append(request.url.path.rpartition("/")[2])
            return httpx.Response(200 if self.endpoints.pop(self.deleted[-1], None) else 404, json={})
        self.endpoints["we_new"] = json.loads(request.content)["url"]
        return httpx.Response(201, json={"id": "we_new", "secret": SECRET})


def body_of(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


def signed(event: dict[str, Any], secret: str = SECRET, at: datetime | None = None) -> dict[str, str]:
    """The headers of a delivery."""
    sent_at = at or datetime.now(UTC)
    return {
        "webhook-id": event["id"],
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event["id"], sent_at, body_of(event).decode()),
    }
