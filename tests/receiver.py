"""A receiver of webhooks: a real HTTP server in a thread, which keeps what comes, and answers as told."""

import asyncio
import ssl
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from standardwebhooks.webhooks import Webhook

from local.ports import LOOPBACK

BACKLOG = 1024
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Received:
    """A request as it came; the names of its headers are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    arrived: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verify(self, secret: str) -> None:
        """Raise unless it was signed with that secret, just now."""
        Webhook(secret).verify(self.body, self.headers)


@dataclass(frozen=True)
class Caller:
    """Whoever has sent a request, and waits for its answer."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def hears(self, said: bytes) -> None:
        self.writer.write(said)
        await self.writer.drain()

    async def waits(self, seconds: float | None = None) -> None:
        """So long, or until it goes away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.reader.read()


Act = Callable[[Caller], Awaitable[None]]
"""What is done about a request that has been received."""


def answers(
    status: int = 204,
    body: bytes = b"",
    *,
    after_seconds: float = 0.0,
    headers: Mapping[str, str] | None = None,
) -> Act:
    fields = {**({} if status == 204 else {"Content-Length": str(len(body))}), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())

    async def act(caller: Caller) -> None:
        if after_seconds:
            await caller.waits(after_seconds)
        await caller.hears(f"HTTP/1.1 {status} So\r\n{head}\r\n".encode() + body)

    return act


def redirects(to: str, status: int = 302) -> Act:
    return answers(status, headers={"Location": to})


async def hangs(caller: Caller) -> None:
    """Never answer."""
    await caller.waits()


async def closes(caller: Caller) -> None:
    """Take it, and go without an answer."""


def says(*parts: bytes, pause_seconds: float = 0.0) -> Act:
    """Say these, and whatever comes last for ever."""

    async def act(caller: Caller) -> None:
        for part in parts:
            await caller.hears(part)
        while pause_seconds:
            await asyncio.sleep(pause_seconds)
            await caller.hears(parts[-1])

    return act


def drips_its_head(pause_seconds: float = 0.02) -> Act:
    return says(b"HTTP/1.1 200 OK\r\nX: ", b"x", pause_seconds=pause_seconds)


def drips_its_body(status: int = 200, pause_seconds: float = 0.02) -> Act:
    head = f"HTTP/1.1 {status} So\r\nContent-Length: 100000000\r\n\r\n"
    return says(head.encode(), b"x", pause_seconds=pause_seconds)


class Receiver:
    """What has been received, and what is done about it: by path, 204 where nothing else was said."""

    def __init__(self, port: int, scheme: str = "http") -> None:
        self.url = f"{scheme}://{LOOPBACK}:{port}"
        self.port = port
        self.received: list[Received] = []
        self.open = 0
        """Connections."""
        self.most_at_once: Counter[str] = Counter()
        """By path, of requests that were not answered yet."""
        self._under_way: Counter[str] = Counter()
        self._acts: dict[str, list[Act]] = {}
        self._changed = threading.Condition()

    def act(self, path: str, *acts: Act) -> None:
        """Do these about the next requests to that path, one each, and the last one for ever."""
        self._acts[path] = list(acts)

    def at(self, path: str) -> list[Received]:
        """What came to that path."""
        return [one for one in self.received if one.path == path]

    def has(self, path: str, number: int, seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait until so many have come to that path; False: they have not."""
        return self.comes_to(lambda: len(self.at(path)) >= number, seconds)

    def comes_to(self, state: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait until it is so; False: it is not."""
        with self._changed:
            return self._changed.wait_for(state, seconds)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, of one request."""
        self._count(connections=1)
        try:
            one = await _read(reader)
            await self._attend(one, Caller(reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # the caller went away
        finally:
            writer.close()
            self._count(connections=-1)

    async def _attend(self, one: Received, caller: Caller) -> None:
        acts = self._acts.get(one.path) or [answers()]
        act = acts.pop(0) if len(acts) > 1 else acts[0]
        with self._changed:
            self.received.append(one)
            self._under_way[one.path] += 1
            self.most_at_once[one.path] = max(self.most_at_once[one.path], self._under_way[one.path])
            self._changed.notify_all()
        try:
            await act(caller)
        finally:
            self._under_way[one.path] -= 1

    def _count(self, connections: int) -> None:
        with self._changed:
            self.open += connections
            self._changed.notify_all()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(request.split(" ")[1], headers, body)


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver while the block runs."""
    made: list[Receiver] = []
    ready = threading.Event()
    over: list[Callable[[], object]] = []

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        connections: set[asyncio.StreamWriter] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.add(writer)
            try:
                await made[0].serve(reader, writer)
            finally:
                connections.discard(writer)

        server = await asyncio.start_server(serve, LOOPBACK, 0, backlog=BACKLOG, ssl=tls)
        made.append(Receiver(server.sockets[0].getsockname()[1], "https" if tls else "http"))
        over.append(lambda: loop.call_soon_threadsafe(stop.set))
        ready.set()
        await stop.wait()
        server.close()
        while connections:  # they end by themselves as soon as nobody is at the other end
            for writer in connections:
                writer.transport.abort()
            await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="receiver")
    thread.start()
    assert ready.wait(PATIENCE_SECONDS)
    try:
        yield made[0]
    finally:
        over[0]()
        thread.join()
