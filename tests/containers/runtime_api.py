"""Lambda's Runtime API, as one function meets it: it asks for the next event, and posts what came of it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from threading import Thread
from typing import Any

from local.ports import LOOPBACK

ANSWER_SECONDS = 60.0
POLL_SECONDS = 0.2
FUNCTION_SECONDS = 30
PREFIX = "/2018-06-01/runtime/"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:tael-test"


@dataclass(frozen=True)
class Outcome:
    """What the function posted."""

    kind: str
    """`response` or `error`."""
    payload: Any


class NoAnswer(Exception):
    """The function did not post anything in time."""


class RuntimeApi:
    """Gives events to the one function that asks for them."""

    def __init__(self, address: str) -> None:
        self.is_alive: Callable[[], bool] = lambda: True
        """Whether there is any use in waiting."""
        self.address = address
        self.events: Queue[tuple[str, Any]] = Queue()
        self.outcomes: Queue[tuple[str, Outcome]] = Queue()

    def invoke(self, event: Any) -> Outcome:
        """Have the function handle an event."""
        request_id = str(uuid.uuid4())
        self.events.put((request_id, event))
        answered, outcome = self._next_outcome()
        if answered != request_id:
            raise NoAnswer(f"the answer was to {answered}: {outcome}")
        return outcome

    def _next_outcome(self) -> tuple[str, Outcome]:
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline and self.is_alive():
            try:
                return self.outcomes.get(timeout=POLL_SECONDS)
            except Empty:
                continue
        raise NoAnswer("there was no answer")


@contextmanager
def runtime_api() -> Iterator[RuntimeApi]:
    """Serve one function."""
    server = ThreadingHTTPServer((LOOPBACK, 0), _Handler)
    server.daemon_threads = True
    served = RuntimeApi(f"{LOOPBACK}:{server.server_address[1]}")
    server.RequestHandlerClass = type("Handler", (_Handler,), {"api": served})
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: RuntimeApi

    def do_GET(self) -> None:
        if self.path != f"{PREFIX}invocation/next":
            return self._answer(404, {"unknown": self.path})
        request_id, event = self.api.events.get()
        return self._answer(
            200,
            event,
            {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + FUNCTION_SECONDS) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": ARN,
                "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
            },
        )

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null")
        *_, request_id, kind = self.path.removeprefix(PREFIX).split("/")
        # What fails before the first event is told without the id of one.
        self.api.outcomes.put((request_id, Outcome(kind, body)))
        self._answer(202, {"status": "OK"})

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        encoded = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name for it
        """Say nothing: a container's own log tells enough."""
