"""The acquirer's HTTP face: reads a request, plays the part that its test card has, and answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qs

from pydantic import ValidationError

from local.acquirer.asked import Asked, Authorize, Booked, Capture, Refund, Verify
from local.acquirer.book import APPROVED, Book, Conflict
from local.acquirer.deck import BY_NAME, Act, Fault, Verb

HANG_SECONDS = 60.0
"""A caller that hears nothing gives up long before; one that never does is sent away then."""
ERRORS = 2
MAX_BODY_BYTES = 16 * 1024
STATEMENT_LINES = 500

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Result = TypeVar("Result")
Reply = tuple[int, dict[str, Any]]

BOOKED: dict[str, tuple[Verb, type[Booked]]] = {
    "/v1/verify": ("verify", Verify),
    "/v1/authorize": ("authorize", Authorize),
    "/v1/capture": ("capture", Capture),
    "/v1/refund": ("refund", Refund),
}


class Acquirer:
    """The ASGI application."""

    def __init__(self, book: Book, slow_seconds: float) -> None:
        self._book = book
        self._slow_seconds = slow_seconds
        self._clerk = ThreadPoolExecutor(1, thread_name_prefix="book")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3, HTTP only)."""
        body = await _body(receive)
        play = _Play(receive, send)
        try:
            reply = await self._reply(scope, body, play)
        except Conflict:
            reply = HTTPStatus.CONFLICT, {"error": "this attempt id was used for another request"}
        except ValidationError as error:
            # Places only: what stands there may be a card number.
            places = [
                ".".join(map(str, fault["loc"]))
                for fault in error.errors(include_input=False)
                if fault["type"] != "extra_forbidden"
            ]
            reply = HTTPStatus.UNPROCESSABLE_ENTITY, {"error": "this cannot be read", "at": places}
        if reply is not None:
            await _send(send, *reply)

    async def _reply(self, scope: Scope, body: bytes, play: "_Play") -> Reply | None:
        method, path = scope["method"], scope["path"]
        match method, path:
            case "GET", "/health":
                return HTTPStatus.OK, {"status": "ok"}
            case "GET", "/statement":
                return await self._statement(scope["query_string"].decode("latin-1"))
            case "POST", "/v1/void":
                attempt = Asked.model_validate_json(body).attempt
                act = await self._act("void", attempt)
                return await self._perform(act, play, attempt, lambda: self._book.void(attempt))
            case "POST", _ if path in BOOKED:
                verb, model = BOOKED[path]
                entry = model.model_validate_json(body).entry()
                act = BY_NAME[entry.card].act(verb) if entry.card else await self._act(verb, entry.charge)
                if act.fault is Fault.LATE:
                    await self._write(lambda: self._book.delay(entry))
                    act = Act(fault=Fault.SILENT_BEFORE)
                return await self._perform(act, play, entry.id, lambda: self._book.book(entry, act.decline))
        attempt = path.removeprefix("/v1/attempts/")
        if method == "GET" and attempt != path:
            act = await self._act("lookup", attempt)
            return await self._perform(act, play, attempt, lambda: self._book.lookup(attempt))
        return HTTPStatus.NOT_FOUND, {"error": "there is no such route"}

    async def _act(self, verb: Verb, attempt_id: str | None) -> Act:
        """The part that the card of an attempt in the book plays."""
        name = await self._write(lambda: self._book.card_of(attempt_id))
        return BY_NAME[name].act(verb) if name else Act()

    async def _perform(
        self, act: Act, play: "_Play", attempt_id: str, work: Callable[[], str | None]
    ) -> Reply | None:
        """Do the work with the act's fault before or after it; None where no answer is to be sent."""
        tries = await self._write(lambda: self._book.count_try(attempt_id)) if act.fault else 1
        match act.fault:
            case Fault.SILENT_BEFORE:
                await play.hang()
                return None
            case Fault.SLOW:
                await asyncio.sleep(self._slow_seconds)
            case Fault.ERROR:
                return HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "as this test card has it"}
            case Fault.ERROR_TWICE if tries <= ERRORS:
                return HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "as this test card has it"}
        outcome = await self._write(work)
        match act.fault:
            case Fault.SILENT_AFTER:
                await play.hang()
                return None
            case Fault.CUT_AFTER if tries == 1:
                await play.cut()
                return None
        return _answer(outcome)

    async def _write(self, work: Callable[[], Result]) -> Result:
        """Run it where the book is at hand; one at a time, as the book itself has it."""
        return await asyncio.get_running_loop().run_in_executor(self._clerk, work)

    async def _statement(self, query: str) -> Reply:
        given = {name: int(last) for name, (*_, last) in parse_qs(query).items() if last.isdecimal()}
        after, limit = given.get("cursor", 0), max(1, min(given.get("limit", 100), STATEMENT_LINES))
        lines = await self._write(lambda: self._book.statement(after, limit + 1))
        cursor = str(lines[limit - 1]["line"]) if len(lines) > limit else None
        return HTTPStatus.OK, {"data": lines[:limit], "next_cursor": cursor}


class _Play:
    """What a test card can do to a connection."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    async def hang(self) -> None:
        """Say nothing until the caller goes away: so it is longer than any caller's patience."""
        try:
            async with asyncio.timeout(HANG_SECONDS):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return

    async def cut(self) -> None:
        """Break off in the middle: the server closes a connection whose answer was not finished."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"100")]
        await self._send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        await self._send({"type": "http.response.body", "body": b'{"outcome"', "more_body": True})


def _answer(outcome: str | None) -> Reply:
    if outcome is None:
        return HTTPStatus.NOT_FOUND, {"outcome": "not_found"}
    if outcome == APPROVED:
        return HTTPStatus.OK, {"outcome": "approved"}
    return HTTPStatus.OK, {"outcome": "declined", "code": outcome}


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")[: MAX_BODY_BYTES - len(body)]
        if not message.get("more_body", False):
            return bytes(body)


async def _send(send: Send, status: int, content: dict[str, Any]) -> None:
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
