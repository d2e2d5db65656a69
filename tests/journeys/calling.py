"""Calls every operation by its own declaration, and holds each answer against what it documents."""

from typing import Any

import httpx
import pytest

from chassis import openapi
from chassis.auth import Access
from chassis.operations import Operation
from tests.conftest import Shop, new_key
from tests.functions.inside import SERVICES
from tests.journeys.bad import valid_bodies

OPERATIONS = {
    operation.name: operation
    for service in SERVICES
    for operation in service.operations
    if operation.access is not Access.PUBLIC
}
DOCUMENT: dict[str, Any] = openapi.document(SERVICES)
"""What is served, without what a laptop serves beside it; test_openapi says so."""

JSON = {"Content-Type": "application/json"}


def some(operations: list[Operation]) -> pytest.MarkDecorator:
    """A test for each of these operations."""
    return pytest.mark.parametrize("operation", operations, ids=lambda operation: operation.name)


every_operation = some(list(OPERATIONS.values()))
every_body = some([operation for operation in OPERATIONS.values() if operation.body_model])


def body_for(operation: Operation) -> Any:
    """A body that its model takes, or None."""
    return bodies_for(operation)[0]


def bodies_for(operation: Operation) -> list[Any]:
    """Bodies that its model takes, one for each thing that a member of it can be; or only None."""
    return list(valid_bodies(operation.body_model)) if operation.body_model else [None]


class Caller:
    """The platform on behalf of a shop, which may call every operation."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        wallet = shop.wallet(10_000)
        self.values = {
            "account": f"wallet:{wallet}",
            "card_id": "card_" + "a" * 24,
            "endpoint_id": "we_" + "a" * 24,
            "entry_id": "ent_WzFd",
            "event_id": "evt_" + "a" * 24,
            "key_id": "key_" + "a" * 32,
            "merchant_id": shop.id,
            "order_id": "1",
            "payout_id": "po_" + "a" * 24,
            "refund_id": "ref_" + "a" * 24,
            "settlement_id": "stl_" + "a" * 24,
            "topup_id": "top_" + "a" * 24,
            "transfer_id": "trf_" + "a" * 24,
            "wallet_id": wallet,
        }

    def __call__(
        self, operation: Operation, path: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        headers = {"Tael-Merchant": self.shop.id, **new_key(), **more.pop("headers", {})}
        url = operation.path.format_map({**self.values, **(path or {})})
        answer = self.shop.platform.request(operation.method, url, headers=headers, **more)
        assert_documented(operation, answer)
        return answer


def assert_documented(operation: Operation, answer: httpx.Response) -> None:
    """The answer is one that the operation documents: its status, and of a problem its code too."""
    responses = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]
    assert str(answer.status_code) in responses, (operation.name, answer.text)
    if answer.status_code >= 400:
        content = responses[str(answer.status_code)]["content"]["application/problem+json"]
        assert answer.json()["code"] in content["examples"], (operation.name, answer.text)


def pointers(answer: httpx.Response, status: int) -> list[str]:
    """Where the faults are, of an answer that must be a problem with this status."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), answer.text
    assert {"type", "title", "detail", "code", "request_id"} <= problem.keys()
    assert "Traceback" not in answer.text
    return [fault["pointer"] for fault in problem.get("errors", ())]
