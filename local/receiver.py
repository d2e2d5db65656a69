"""A receiver of webhooks on this machine: registered while it listens, and it verifies all that arrives."""

import json
import secrets
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import typer
from standardwebhooks import Webhook, WebhookVerificationError

from local.api import Api, ApiError
from local.ports import LOOPBACK, answers, require_free

ENDPOINTS = "/v1/webhook-endpoints"
PATH = "/tael-listen/"
"""Followed by a name of each run's own: who has the port of an earlier run is not taken for it."""
MAX_BODY_BYTES = 1024 * 1024
MAX_DIGITS = 18
"""Of a number that is read; of very long ones Python makes an error."""
IDLE_SECONDS = 30.0
POLL_SECONDS = 0.05
"""How often it is looked whether to stop."""
UNREADABLE = f"it does not say how long it is, or it has more than {MAX_BODY_BYTES} bytes"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What somebody has sent: an event of ours, unless there is a fault."""

    webhook_id: str | None
    body: bytes
    fault: str | None = None
    """Why it cannot be verified."""

    @property
    def event(self) -> dict[str, Any]:
        """What it tells; there is none in what has a fault."""
        told: dict[str, Any] = json.loads(self.body)
        return told


@dataclass(frozen=True, slots=True)
class Registered:
    """A webhook endpoint that leads here."""

    id: str
    url: str


Hear = Callable[[Delivery], object]
"""Called with every delivery before it is answered, by several threads at once."""


@contextmanager
def receiving(api: Api, events: Sequence[str], hear: Hear, port: int = 0) -> Iterator[Registered]:
    """Register a webhook endpoint on this machine, receive what is sent to it, and delete it in the end.

    Raises ApiError where it is refused: with 422 by a system that sends nothing to loopback addresses.
    """
    _forget_left_behind(api)
    if port:
        require_free(port)
    path = f"{PATH}{secrets.token_hex(8)}"
    with _Server((LOOPBACK, port), _Handler) as server:
        url = f"http://{LOOPBACK}:{server.server_address[1]}{path}"
        body = {"url": url, "events": list(events)}
        made = api.post(ENDPOINTS, body, key=f"receiver-{uuid4()}").body
        # What was sent quicker than this secret came waits at the port, which is open already.
        with server.serving(path, Webhook(made["secret"]), hear):
            try:
                yield Registered(made["id"], url)
            finally:
                _forget(api, made["id"])


def _forget_left_behind(api: Api) -> None:
    """Delete the endpoints of receivers that were killed: nobody listens there any more."""
    for endpoint in api.pages(ENDPOINTS):
        url = urlsplit(endpoint["url"])
        if url.hostname == LOOPBACK and url.path.startswith(PATH) and not answers(endpoint["url"], url.path):
            _forget(api, endpoint["id"])


def _forget(api: Api, endpoint_id: str) -> None:
    try:
        api.delete(f"{ENDPOINTS}/{endpoint_id}")
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            # No more than a remark: what ended the listening may be why, and is the thing to say.
            typer.echo(f"{endpoint_id} stays behind; `tael listen` deletes it next time. {error}", err=True)


def verified(webhook: Webhook, headers: Iterable[tuple[str, str]], body: bytes) -> Delivery:
    """The delivery, with what is wrong with it by the Standard Webhooks specification."""
    given = {name.lower(): value for name, value in headers}
    fault = None
    try:
        webhook.verify(body, given)
    # What is no signature at all, or no text, it does not say in an error of its own.
    except (WebhookVerificationError, ValueError) as error:
        fault = str(error) or "it is no webhook"
    return Delivery(given.get("webhook-id"), body, fault)


class _Server(ThreadingTCPServer):
    """Listens as soon as it is made, and serves when it knows what for."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    path: str
    webhook: Webhook
    hear: Hear

    @contextmanager
    def serving(self, path: str, webhook: Webhook, hear: Hear) -> Iterator[None]:
        """Serve until it ends, in threads."""
        self.path, self.webhook, self.hear = path, webhook, hear
        thread = threading.Thread(target=self.serve_forever, args=(POLL_SECONDS,), name="receiver")
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever goes away in the middle is no error of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self._body()
        if self.path != self.server.path:
            # Of a run before this one: whoever sends there shall give it up.
            self._answer(HTTPStatus.GONE)
            return
        if body is None:
            delivery = Delivery(self.headers.get("webhook-id"), b"", UNREADABLE)
        else:
            delivery = verified(self.server.webhook, self.headers.items(), body)
        self.server.hear(delivery)
        self._answer(HTTPStatus.BAD_REQUEST if delivery.fault else HTTPStatus.NO_CONTENT)

    def do_GET(self) -> None:
        """Say whether it is this run that listens here."""
        self._answer(HTTPStatus.OK if self.path == self.server.path else HTTPStatus.NOT_FOUND)

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > MAX_DIGITS or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response_only(status)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", "0")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is Python's
        """Say nothing: it is told elsewhere what arrives."""
