"""Has requests handled by processes that die in the middle of them, and tells the flows to do that to."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from local.system import System
from tests.journeys.till import RESOLVE_SECONDS, Till

LONG_SECONDS = 600
"""Of a record that waits so long that only this test finds out about it."""


@dataclass(frozen=True)
class Request:
    """One request of a client, which it can repeat."""

    path: str
    body: dict[str, Any] | None = None
    key: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {"Idempotency-Key": self.key} if self.key else {}

    def send(self, till: Till) -> httpx.Response:
        """Send it to the server, which lives."""
        return till.shop.http.post(self.path, json=self.body, headers=self.headers)


@dataclass(frozen=True)
class Mortals:
    """Processes that handle one request each, and may die of it."""

    process: subprocess.Popen[str]

    def handle(
        self,
        till: Till,
        request: Request,
        dies_after: int | None,
        kind: str = "any",
        resolve_seconds: int = RESOLVE_SECONDS,
    ) -> Any:
        """The status and body that the request was answered with, or None where the process died."""
        return self._ask(
            key=till.shop.key,
            method="POST",
            path=request.path,
            body=request.body,
            headers=request.headers,
            dies_after=dies_after,
            kind=kind,
            resolve_seconds=resolve_seconds,
        )

    def resolve(self, service: str, message: dict[str, str], dies_after: int | None) -> Any:
        """What the resolver answers once the message is due, or None where the process died."""
        return self._ask(resolver=service, body=message, dies_after=dies_after, seconds_ahead=LONG_SECONDS)

    def run(self, service: str, dies_after: int | None, kind: str = "any") -> Any:
        """What the schedule of that service answers, or None where the process died."""
        return self._ask(schedule=service, dies_after=dies_after, kind=kind)

    def _ask(self, **asked: Any) -> Any:
        standard = {
            "kind": "any",
            "resolver": None,
            "schedule": None,
            "seconds_ahead": 0,
            "resolve_seconds": RESOLVE_SECONDS,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({**standard, **asked}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the parent of the mortals has died too"
        return json.loads(line)


@contextmanager
def mortals(system: System) -> Iterator[Mortals]:
    """Start the process that all mortals are forked from."""
    log = system.state.logs / "mortals.jsonl"
    command = [sys.executable, "-m", "tests.journeys.dying", str(log)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=dict(system.environment), stdin=pipe, stdout=pipe, text=True
    ) as parent:
        yield Mortals(parent)
        assert parent.stdin is not None
        parent.stdin.close()


@dataclass(frozen=True)
class Flow:
    """Something that asks the acquirer once: what must be there first, the request, how it is in the end."""

    name: str
    service: str
    prepare: Callable[[Till, str], Request]
    done: str
    """The status that the payment, or the top-up, has when the acquirer did it."""
    net: int
    """What the acquirer then holds."""
    creates: bool = False
    """Whether it is the charge itself: one that never reached the acquirer fails for ever."""

    def begin(self, till: Till, order: str) -> Request:
        """Make everything ready for the request."""
        return self.prepare(till, order)


def _pay(till: Till, order: str, **more: Any) -> Request:
    body = {"amount": 1000, "currency": "GBP", "source": {"card": till.card()}, **more}
    return Request(f"/v1/payments/{order}", body, key=f"pay {order}")


def _authorize(till: Till, order: str) -> Request:
    return _pay(till, order, capture="manual")


def _follow_up(verb: str, body: dict[str, Any] | None = None) -> Callable[[Till, str], Request]:
    def prepare(till: Till, order: str) -> Request:
        assert _authorize(till, order).send(till).status_code == 201
        return Request(f"/v1/payments/{order}/{verb}", body)

    return prepare


def _refund(till: Till, order: str) -> Request:
    assert _pay(till, order).send(till).status_code == 201
    return Request(f"/v1/payments/{order}/refunds", {"amount": 400}, key=f"refund {order}")


def _top_up(till: Till, order: str) -> Request:
    body = {"wallet": till.shop.wallet(), "card": till.card(), "amount": 1000, "currency": "GBP"}
    return Request("/v1/topups", body, key=f"top up {order}")


FLOWS = (
    Flow("pay", "payments", _pay, "captured", 1000, creates=True),
    Flow("authorize", "payments", _authorize, "authorized", 0, creates=True),
    Flow("capture", "payments", _follow_up("capture"), "captured", 1000),
    Flow("capture-a-part", "payments", _follow_up("capture", {"amount": 600}), "captured", 600),
    Flow("cancel", "payments", _follow_up("cancel"), "canceled", 0),
    Flow("refund", "payments", _refund, "partially_refunded", 600),
    Flow("top-up", "topups", _top_up, "succeeded", 1000, creates=True),
)
