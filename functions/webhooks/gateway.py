"""The merchants' endpoints: asked side by side, at addresses that were checked, none beyond its deadline."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

import httpcore

from chassis import clock
from chassis.errors import ValidationFailed
from functions.webhooks.addresses import Address, Target, target_of
from functions.webhooks.records import Outcome
from functions.webhooks.shapes import Failure

MAX_ANSWER_BYTES = 64 * 1024
"""Of an answer, with its head and all that came before it."""
MAX_PARTS = 64
"""Of its body: a part of a byte costs as much as a long one."""
LOOKUPS = 64
"""At once in a process: a name server can hang, and nothing ends a lookup before it ends by itself."""
LOOK_AGAIN_SECONDS = 0.02
SHARES = 4
"""An address that does not answer may take this part of the time, so that there is some left for others."""
HEADERS = {"content-type": "application/json", "user-agent": "Tael-Webhooks/1", "connection": "close"}

_lookups = threading.BoundedSemaphore(LOOKUPS)


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be sent where."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class _Unreachable(Exception):
    """There is nobody to send it to, for that reason."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


def post_all(letters: Sequence[Letter], seconds: float) -> list[Outcome | BaseException]:
    """Send all of them at the same time, each for so long at most; whatever an endpoint does is an outcome.

    An exception in the place of one is a defect of ours, and concerns no other letter.
    """
    if not letters:
        return []
    _tls()  # read from files once, at nobody's expense
    return asyncio.run(_post_all(letters, seconds))


async def _post_all(letters: Sequence[Letter], seconds: float) -> list[Outcome | BaseException]:
    return await asyncio.gather(*(_post(letter, seconds) for letter in letters), return_exceptions=True)


async def _post(letter: Letter, seconds: float) -> Outcome:
    started = clock.monotonic()
    status: int | None = None
    failure: Failure | None = None
    try:
        async with asyncio.timeout(seconds):
            target = target_of(letter.url)
            pinned = await _checked_addresses(target)
            async with _answer(letter, target, pinned, seconds) as answer:
                status = answer.status
                await _read_some(answer)
    except _Unreachable as unreachable:
        failure = unreachable.failure
    except ValidationFailed:
        failure = Failure.ADDRESS  # it could be registered under settings that have changed since
    except (TimeoutError, httpcore.TimeoutException):
        failure = Failure.TIMEOUT
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        failure = _failure_of(error)
    if status is not None:
        # Once the status is here it says how it went, whatever becomes of the rest of the answer.
        failure = _failure_by(status)
    return Outcome(status, failure, round((clock.monotonic() - started) * 1000))


def _failure_by(status: int) -> Failure | None:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    is_redirect = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    return Failure.REDIRECT if is_redirect else Failure.STATUS


def _failure_of(error: BaseException) -> Failure:
    """TLS, where an error of it is the reason for this one: a broken connection, and no more, otherwise."""
    reason: BaseException | None = error
    while reason is not None and not isinstance(reason, ssl.SSLError):
        reason = reason.__context__  # httpcore's pool takes away the cause
    return Failure.CONNECTION if reason is None else Failure.TLS


async def _checked_addresses(target: Target) -> list[Address]:
    """Where the connection may go. Raises _Unreachable where one address of the answer is not allowed.

    The name is resolved here, once, and by nobody again: the answer that is checked is the one that is used.
    """
    found = [target.literal] if target.literal else await _resolved(target)
    if not all(map(target.may_lead_to, found)):
        raise _Unreachable(Failure.ADDRESS)
    return found


async def _resolved(target: Target) -> list[Address]:
    # Whoever ends a lookup may belong to another loop, or to one that is over: there is no event to wait for.
    while not _lookups.acquire(blocking=False):  # noqa: ASYNC110
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    answer: Future[list[str]] = Future()
    # A daemon: a lookup that hangs holds up neither the batch, nor the end of the process.
    threading.Thread(target=_look_up_into, args=(answer, target), name="lookup", daemon=True).start()
    try:
        found = await asyncio.wrap_future(answer)
    except (socket.gaierror, UnicodeError):
        found = []
    if not found:
        raise _Unreachable(Failure.NAME)
    return [ip_address(text) for text in dict.fromkeys(found)]


def _look_up_into(answer: Future[list[str]], target: Target) -> None:
    try:
        if answer.set_running_or_notify_cancel():
            answer.set_result(look_up(target.host, target.port))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the answer is awaited
        answer.set_exception(error)
    finally:
        _lookups.release()


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, the best one first, as this machine resolves names."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(where[0]) for *_, where in found]


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that is at its end when enough was read, whatever the other side has to say."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._left = MAX_ANSWER_BYTES

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        if self._left == 0:
            return b""
        said = await self._inner.read(min(max_bytes, self._left), timeout)
        self._left -= len(said)
        return said

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that were checked, whatever it is asked for, and closes what it opened."""

    def __init__(self, addresses: Sequence[Address], seconds: float) -> None:
        self._addresses = addresses
        self._seconds = seconds / min(len(addresses), SHARES)
        self._network = httpcore.AnyIOBackend()
        self._opened: list[httpcore.AsyncNetworkStream] = []

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - this is the name
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the whole attempt has a deadline
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError("there is no address")
        for address in self._addresses:
            try:
                opened = await self._network.connect_tcp(
                    str(address), port, self._seconds, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                self._opened.append(opened)
                return _Stream(opened)
        raise failure

    async def aclose(self) -> None:
        """Close what httpcore forgets: the connection of a handshake that was cancelled."""
        for opened in self._opened:
            await opened.aclose()


@asynccontextmanager
async def _answer(
    letter: Letter, target: Target, pinned: Sequence[Address], seconds: float
) -> AsyncIterator[httpcore.Response]:
    """The answer to a letter, its body unread; no connection outlives it."""
    network = _Pinned(pinned, seconds)
    headers = {
        "host": target.authority,
        **HEADERS,
        **letter.headers,
        "content-length": str(len(letter.body)),
    }
    url = httpcore.URL(
        scheme=target.scheme.encode(),
        host=target.host.encode(),
        port=target.port,
        target=target.path.encode(),
    )
    try:
        # Nothing of the environment's proxies is known to it, it follows no redirect and keeps no cookie.
        async with (
            httpcore.AsyncConnectionPool(ssl_context=_tls(), network_backend=network) as pool,
            pool.stream("POST", url, headers=list(headers.items()), content=letter.body) as answer,
        ):
            yield answer
    finally:
        await network.aclose()


async def _read_some(answer: httpcore.Response) -> None:
    """Let the endpoint say what it has to say, up to a limit, and forget it."""
    parts = 0
    async for _ in answer.aiter_stream():
        parts += 1
        if parts == MAX_PARTS:
            break


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """What certificates are verified by: this machine's authorities, and certifi's."""
    return httpcore.default_ssl_context()
