"""Calls services in this process as Lambda would, with a clock to move and storage that fails as told."""

import contextlib
import importlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chassis import auth, aws, clock, store
from chassis.auth import Principal
from chassis.operations import Intent
from infra.declaration import CAPABILITIES, TABLES
from runtime.http import Router

Fault = Callable[[Callable[..., Any], dict[str, Any]], Any]
"""From a client's method and its parameters to what the caller gets."""

SERVICES = [importlib.import_module(f"functions.{name}.app").service for name in CAPABILITIES]
WRITES = {"put_item", "update_item", "transact_write_items"}


@dataclass(frozen=True)
class Answer:
    """What Lambda would have got."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def is_replay(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"

    @property
    def code(self) -> str | None:
        return self.body.get("code")


@dataclass(frozen=True)
class Inside:
    """A caller with a bearer key, whose requests never leave this process."""

    key: str

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        service, operation, values = Router(SERVICES).match(method, path)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        response = service.app(
            {
                "headers": {
                    "authorization": f"Bearer {self.key}",
                    "content-type": "application/json",
                    **given,
                },
                "pathParameters": values or None,
                "requestContext": {"resourcePath": operation.path, "httpMethod": method},
                "body": None if body is None else json.dumps(body),
            },
            None,
        )
        return Answer(response["statusCode"], response["headers"], json.loads(response["body"]))

    def pay(self, order_id: str, wallet_id: str, amount: int, **headers: str) -> Answer:
        body = {"amount": amount, "currency": "GBP", "source": {"wallet": wallet_id}}
        return self("POST", f"/v1/payments/{order_id}", body, **headers)

    @property
    def principal(self) -> Principal:
        return auth.authenticate(f"Bearer {self.key}", None)

    def intent(self, operation: str, key: str | None, asked: str = "this") -> Intent:
        """What `chassis` makes of the headers of a request."""
        return Intent(principal=self.principal.id, operation=operation, key=key, fingerprint=asked)


class Time:
    """The clock of this process: it stands still unless moved, and whoever sleeps moves it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = time.monotonic()
        self.naps = 0
        monkeypatch.setattr(clock, "monotonic", lambda: self.seconds)
        monkeypatch.setattr(clock, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.naps += 1
        self.seconds += seconds


def days_later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Set the calendar of this process so many days ahead."""
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(days=days))


class Faulty:
    """The real client in front, whose next writes go wrong in the order of the script."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *script: Fault, for_ever: Fault | None = None
    ) -> None:
        self.real = aws.client("dynamodb")
        self.script = list(script)
        self.for_ever = for_ever
        self.written: list[dict[str, Any]] = []
        monkeypatch.setattr(aws, "client", lambda service: self)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.real, name)
        return self._faulty(method) if name in WRITES else method

    def _faulty(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            self.written.append(parameters)
            fault = self.script.pop(0) if self.script else self.for_ever
            return fault(method, parameters) if fault else method(**parameters)

        return call


def conflict(method: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """Another transaction was at the same items: nothing is written."""
    if "TransactItems" not in parameters:
        raise ClientError({"Error": {"Code": "TransactionConflictException"}}, "PutItem")
    others = [{"Code": "None"} for _ in parameters["TransactItems"][1:]]
    answer = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [*others, {"Code": "TransactionConflict"}],
    }
    raise ClientError(answer, "TransactWriteItems")


def lost(method: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """The write is made, whatever it answers, and nobody hears of it."""
    with contextlib.suppress(ClientError):
        method(**parameters)
    raise ReadTimeoutError(endpoint_url="the engine")


def everything() -> dict[str, list[dict[str, Any]]]:
    """All that is stored, to show that nothing was written; what workers write in passing is none of it."""
    stored = {
        table.name: sorted(store.scan(table.name), key=lambda item: (item["pk"], item.get("sk", "")))
        for table in TABLES
        if table.writer != "runtime" and table.name not in {"rollups", "settlements"}
    }
    # In any minute the bank may tell what became of the payouts of other tests: of these it matters which
    # there are, and nothing of the accounts that they move money between.
    moved_by_payouts = ("bank:", "bank_in_transit:", "merchant_available:")
    stored["payouts"] = [{"pk": item["pk"]} for item in stored["payouts"] if item["pk"].startswith("po_")]
    stored["ledger"] = [item for item in stored["ledger"] if not item["pk"].startswith(moved_by_payouts)]
    endpoints = (item for item in stored["webhooks"] if item["sk"].startswith("ENDPOINT#"))
    asked = ("pk", "sk", "url", "events", "status", "secret_id", "deleted")
    stored["webhooks"] = [{name: item.get(name) for name in asked} for item in endpoints]
    return stored
