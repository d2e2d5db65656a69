"""The conversation with an acquirer: bounded in time whatever comes back, and each answer is one outcome."""

import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from acquiring.acquirer import DeclineCode, Declined, NotFound, Outcome, Unknown
from acquiring.sandbox import SandboxAcquirer, _read
from local.ports import LOOPBACK, free_port
from tests.network import APPROVED, NOT_FOUND, UNKNOWN, card

TRY_SECONDS, TOTAL_SECONDS = 0.3, 0.6
GRACE_SECONDS = 0.4
"""What a busy machine may add."""

BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"approved"',
    b"{}",
    b"[" * 60_000,
    b"\xff\xfe",
    b'{"outcome": "approve"}',
    b'{"outcome": true}',
    b'{"outcome": "declined"}',
    b'{"outcome": "declined", "code": 5}',
    b"<html>not found</html>",
]
STATUSES = [200, 201, 204, 301, 400, 401, 404, 409, 422, 429, 500, 502, 503, 504]
KNOWN = {
    (200, b'{"outcome": "approved"}'): APPROVED,
    (200, b'{"outcome": "declined", "code": "lost_card"}'): Declined(DeclineCode.LOST_CARD),
    (200, b'{"outcome": "declined", "code": "a_new_one"}'): Declined(DeclineCode.DO_NOT_HONOR),
    (404, b'{"outcome": "not_found"}'): NOT_FOUND,
}


def test_every_answer_is_one_outcome() -> None:
    bodies = [*BODIES, *(body for _, body in KNOWN)]
    for status, body in itertools.product(STATUSES, bodies):
        assert _read((status, body)) == KNOWN.get((status, body), Unknown()), (status, body)
    assert _read(None) == Unknown()
    for code in DeclineCode:
        body = json.dumps({"outcome": "declined", "code": code, "more": 1}).encode()
        assert _read((200, body)) == Declined(code)


Serve = Callable[[socket.socket], None]


@contextmanager
def listening(serve: Serve) -> Iterator[str]:
    """A server that does this to every connection, in a thread each."""
    with socket.create_server((LOOPBACK, 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=attend, args=(connection,), daemon=True).start()

        def attend(connection: socket.socket) -> None:
            with connection:
                try:
                    connection.recv(65536)
                    serve(connection)
                except OSError:
                    return  # the caller went away

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://{LOOPBACK}:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def saying(*parts: bytes, pause_seconds: float = 0.0, then_wait: bool = False) -> Serve:
    def serve(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_seconds)
        if then_wait:
            connection.recv(1)

    return serve


def answer(status: str, body: bytes, *headers: bytes) -> bytes:
    head = [f"HTTP/1.1 {status}".encode(), f"Content-Length: {len(body)}".encode(), *headers]
    return b"\r\n".join([*head, b"", body])


GOOD = answer("200 OK", b'{"outcome": "approved"}')
BAD: dict[str, Serve] = {
    "silence": saying(then_wait=True),
    "closed at once": saying(),
    "a dripping head": saying(*(bytes([byte]) for byte in GOOD), pause_seconds=0.05),
    "a dripping body": saying(GOOD[:-20], *(bytes([byte]) for byte in GOOD[-20:]), pause_seconds=0.1),
    "endless headers": saying(b"HTTP/1.1 200 OK\r\n", *(b"X: y\r\n" for _ in range(500)), pause_seconds=0.01),
    "cut short": saying(GOOD[:-3]),
    "no HTTP": saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "an endless body": saying(
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", *(b" " * 65536 for _ in range(100))
    ),
    "broken gzip": saying(answer("200 OK", b"x" * 40, b"Content-Encoding: gzip")),
    "a redirect to itself": saying(answer("307 Temporary Redirect", b"", b"Location: /v1/authorize")),
    "500": saying(answer("500 Internal Server Error", b'{"outcome": "approved"}')),
}


def ask(url: str) -> Outcome:
    connector = SandboxAcquirer(url, TRY_SECONDS, TOTAL_SECONDS)
    started = time.monotonic()
    outcome = connector.authorize("pay_1", card(), 1000, "GBP", capture=True)
    assert time.monotonic() - started < TOTAL_SECONDS + GRACE_SECONDS
    return outcome


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_is_unknown_in_bounded_time(name: str) -> None:
    with listening(BAD[name]) as url:
        assert ask(url) == UNKNOWN


def test_nobody_there() -> None:
    assert ask(f"http://{LOOPBACK}:{free_port()}") == UNKNOWN
    assert ask("http://no-such-host.invalid") == UNKNOWN


def test_a_try_that_fails_is_made_again_under_the_same_attempt_id() -> None:
    asked: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        asked.append(b"")
        connection.sendall(GOOD if len(asked) == 3 else answer("502 Bad Gateway", b"?"))

    with listening(serve) as url:
        connector = SandboxAcquirer(url, 5, 10)
        assert connector.capture("cap_1", "pay_1", 5) == APPROVED
    assert len(asked) == 3


def test_only_a_lookup_can_say_not_found() -> None:
    with listening(saying(answer("404 Not Found", b'{"outcome": "not_found"}'))) as url:
        connector = SandboxAcquirer(url, TRY_SECONDS, TOTAL_SECONDS)
        assert connector.lookup("pay/1?") == NotFound()
        assert connector.void("pay_1") == UNKNOWN


def test_callers_that_are_kept_waiting_do_not_keep_others_beyond_their_time() -> None:
    with listening(saying(then_wait=True)) as url:
        connector = SandboxAcquirer(url, TRY_SECONDS, TOTAL_SECONDS)
        started = time.monotonic()
        callers = [threading.Thread(target=connector.void, args=(f"pay_{n}",)) for n in range(100)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert time.monotonic() - started < TOTAL_SECONDS + 2 * GRACE_SECONDS
