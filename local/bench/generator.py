"""Owns the load: a process that sends the requests of a plan over kept-alive connections, and times them.

    python -m local.bench.generator plan.json outcome.json

The requests that are due at a moment are sent then, whatever became of those before (an open model); the
others one after the other on each connection (a closed one). HTTP is spoken by hand: a client library costs
several times as much, on a machine that the system shares with its load.
"""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from local.bench.plan import Answer, Outcome, Plan, Request
from local.ports import LOOPBACK

TIMEOUT_SECONDS = 30.0
IDLE_SECONDS = 3.0
"""A connection that rested longer is not used again: the server closes it after 5 seconds."""
MAX_BODY_BYTES = 64 * 1024
SUCCESS = range(200, 300)


class Connection:
    """One kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._used = time.monotonic()

    @property
    def is_fresh(self) -> bool:
        """Whether the server can be trusted to still have it open."""
        return time.monotonic() - self._used < IDLE_SECONDS and not self._reader.at_eof()

    async def ask(self, message: bytes) -> tuple[int, bytes]:
        """Send a request and read its answer: status and body. The server must tell the body's length."""
        self._writer.write(message)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line[:15].lower() == b"content-length:"
        )
        body = await self._reader.readexactly(length)
        self._used = time.monotonic()
        return int(head[9:12]), body

    def close(self) -> None:
        """Give it up."""
        self._writer.close()


class Generator:
    """Sends what a plan has."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._idle: deque[Connection] = deque()
        self._places = asyncio.Semaphore(plan.connections)
        self._answers: dict[int, Answer] = {}
        self._began = 0.0

    async def run(self) -> Outcome:
        """Send all of it, and wait for the last answer."""
        timed = [number for number, request in enumerate(self._plan.requests) if request.due is not None]
        others = iter([number for number, request in enumerate(self._plan.requests) if request.due is None])
        processor = time.process_time()
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            if timed:
                group.create_task(self._send_when_due(timed, group))
            for _ in range(self._plan.connections):
                group.create_task(self._send_in_turn(others))
        spent = time.process_time() - processor
        for connection in self._idle:
            connection.close()
        answers = [self._answers[number] for number in range(len(self._plan.requests))]
        return Outcome(self._began, spent, answers)

    @property
    def _now(self) -> float:
        return time.monotonic() - self._began

    async def _send_when_due(self, numbers: list[int], group: asyncio.TaskGroup) -> None:
        for number in numbers:
            due = self._plan.requests[number].due or 0.0
            await asyncio.sleep(due - self._now)
            group.create_task(self._send(number, due))

    async def _send_in_turn(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            await self._send(number, self._now)

    async def _send(self, number: int, due: float) -> None:
        request = self._plan.requests[number]
        async with self._places:
            sent = self._now
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    status, body = await self._ask(request)
            except (OSError, EOFError, TimeoutError, ValueError, StopIteration, RuntimeError) as error:
                status, body = 0, type(error).__name__.encode()
            said = "" if status in SUCCESS else body.decode(errors="replace")
            self._answers[number] = Answer(status, due, sent, self._now, said)

    async def _ask(self, request: Request) -> tuple[int, bytes]:
        connection = self._take() or Connection(
            *await asyncio.open_connection(LOOPBACK, self._plan.port, limit=MAX_BODY_BYTES)
        )
        try:
            answer = await connection.ask(_message(request))
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fresh:
                return connection
            connection.close()
        return None


def _message(request: Request) -> bytes:
    body = request.body.encode()
    head = (
        f"POST {request.path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {request.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def main() -> None:
    """Do what the plan says, and write down how it went."""
    plan, outcome = map(Path, sys.argv[1:3])
    asyncio.run(Generator(Plan.read(plan)).run()).write(outcome)


if __name__ == "__main__":
    main()
