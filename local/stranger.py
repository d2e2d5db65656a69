"""The HTTP face that the sandboxes of the outside world share: it reads, plays a part, and answers."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qs

import uvicorn
from pydantic import ValidationError

from local.durable import Conflict, Durable
from local.faults import Act, Fault
from local.ports import LOOPBACK

HANG_SECONDS = 60.0
"""A caller that hears nothing gives up long before; one that never does is sent away then."""
PATIENCE_SECONDS = 1
"""Of a stop with those who are being kept waiting on purpose."""
ERRORS = 2
MAX_BODY_BYTES = 16 * 1024
PAGE_LINES = 500

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Result = TypeVar("Result")
Reply = tuple[int, dict[str, Any]]

NO_ROUTE: Reply = (HTTPStatus.NOT_FOUND, {"error": "there is no such route"})


class Stranger(ABC):
    """The ASGI application of a sandbox with a book."""

    def __init__(self, book: Durable, slow_seconds: float) -> None:
        self._tries = book
        self._slow_seconds = slow_seconds
        self._clerk = ThreadPoolExecutor(1, thread_name_prefix="book")

    @abstractmethod
    async def reply(self, scope: Scope, body: bytes, play: "Play") -> Reply | None:
        """What to answer; None where no answer is to be sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3, HTTP only)."""
        body = await _body(receive)
        try:
            reply = await self._routed(scope, body, Play(receive, send))
        except Conflict:
            reply = HTTPStatus.CONFLICT, {"error": "this attempt id was used for another request"}
        except ValidationError as error:
            # Places only: what stands there may be the number of a card or an account.
            places = [
                ".".join(map(str, fault["loc"]))
                for fault in error.errors(include_input=False)
                if fault["type"] != "extra_forbidden"
            ]
            reply = HTTPStatus.UNPROCESSABLE_ENTITY, {"error": "this cannot be read", "at": places}
        if reply is not None:
            await _send(send, *reply)

    async def _routed(self, scope: Scope, body: bytes, play: "Play") -> Reply | None:
        if (scope["method"], scope["path"]) == ("GET", "/health"):
            return HTTPStatus.OK, {"status": "ok"}
        return await self.reply(scope, body, play)

    async def perform(
        self,
        act: Act,
        play: "Play",
        attempt_id: str,
        work: Callable[[], Result],
        say: Callable[[Result], Reply],
    ) -> Reply | None:
        """Do the work with the act's fault before or after it, and say what came of it."""
        tries = await self.write(lambda: self._tries.count_try(attempt_id)) if act.fault else 1
        match act.fault:
            case Fault.SILENT_BEFORE:
                await play.hang()
                return None
            case Fault.SLOW:
                await asyncio.sleep(self._slow_seconds)
            case Fault.ERROR:
                return HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "as this test number has it"}
            case Fault.ERROR_TWICE if tries <= ERRORS:
                return HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "as this test number has it"}
        result = await self.write(work)
        match act.fault:
            case Fault.SILENT_AFTER:
                await play.hang()
                return None
            case Fault.CUT_AFTER if tries == 1:
                await play.cut()
                return None
        return say(result)

    async def write(self, work: Callable[[], Result]) -> Result:
        """Run it where the book is at hand; one at a time, as the book itself has it."""
        return await asyncio.get_running_loop().run_in_executor(self._clerk, work)

    async def statement(self, scope: Scope, read: Callable[[int, int], Sequence[dict[str, Any]]]) -> Reply:
        """A page of lines after the one that `cursor` names, of those that `read` gives (after, limit)."""
        after, limit = numbers(scope, "cursor")
        lines = await self.write(lambda: read(after, limit + 1))
        cursor = str(lines[limit - 1]["line"]) if len(lines) > limit else None
        return HTTPStatus.OK, {"data": list(lines[:limit]), "next_cursor": cursor}


class Play:
    """What can be done to a connection."""

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


def serve(application: Stranger, port: int) -> None:
    """Serve on the loopback address until SIGTERM."""
    uvicorn.run(
        application,
        host=LOOPBACK,
        port=port,
        access_log=False,
        log_level="warning",
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=PATIENCE_SECONDS,
    )


def numbers(scope: Scope, start: str) -> tuple[int, int]:
    """Where a page starts and how long it is, by the query's members `start` and `limit`."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    given = {name: int(last) for name, (*_, last) in query.items() if last.isdecimal()}
    return given.get(start, 0), max(1, min(given.get("limit", 100), PAGE_LINES))


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
