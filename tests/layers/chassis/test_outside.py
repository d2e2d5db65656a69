"""The conversation with a service that is not ours: bounded in time whatever comes back."""

import threading
import time
from http import HTTPStatus
from typing import Any

import pytest

from chassis.outside import Outside
from local.ports import LOOPBACK, free_port
from tests.listening import Serve, answer, listening, saying

TRY_SECONDS, TOTAL_SECONDS = 0.3, 0.6
GRACE_SECONDS = 0.4
"""What a busy machine may add."""

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
    "a redirect to itself": saying(answer("307 Temporary Redirect", b"", b"Location: /v1/pay")),
    "500": saying(answer("500 Internal Server Error", b'{"outcome": "approved"}')),
}


def read(status: int, said: Any) -> str | None:
    """Answers of 200 that have an outcome are understood, and no others."""
    match status, said:
        case HTTPStatus.OK, {"outcome": str(outcome)}:
            return outcome
    return None


def ask(url: str) -> str | None:
    outside = Outside(url, TRY_SECONDS, TOTAL_SECONDS)
    started = time.monotonic()
    outcome = outside.ask("POST", "/v1/pay", {"attempt": "pay_1"}, read)
    assert time.monotonic() - started < TOTAL_SECONDS + GRACE_SECONDS
    return outcome


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_is_unknown_in_bounded_time(name: str) -> None:
    with listening(BAD[name]) as url:
        assert ask(url) is None


def test_nobody_there() -> None:
    assert ask(f"http://{LOOPBACK}:{free_port()}") is None
    assert ask("http://no-such-host.invalid") is None


def serving(asked: list[bytes], *answers: bytes) -> Serve:
    """One answer after the other, and the last one for ever; what was asked is noted."""

    def serve(connection: Any) -> None:
        asked.append(b"")
        connection.sendall(answers[min(len(asked), len(answers)) - 1])

    return serve


@pytest.mark.parametrize("status", ["502 Bad Gateway", "429 Too Many Requests", "408 Request Timeout"])
def test_a_try_that_fails_is_made_again(status: str) -> None:
    asked: list[bytes] = []
    with listening(serving(asked, answer(status, b"?"), answer("200 OK", b"[]"), GOOD)) as url:
        assert Outside(url, 5, 10).ask("GET", "/", None, read) == "approved"
    assert len(asked) == 3


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "409 Conflict", "422 Unprocessable"])
def test_a_refusal_of_the_request_itself_is_not_asked_for_again(status: str) -> None:
    asked: list[bytes] = []
    with listening(serving(asked, answer(status, b"{}"), GOOD)) as url:
        assert Outside(url, 5, 10).ask("GET", "/", None, read) is None
    assert len(asked) == 1


def test_callers_that_are_kept_waiting_do_not_keep_others_beyond_their_time() -> None:
    with listening(saying(then_wait=True)) as url:
        outside = Outside(url, TRY_SECONDS, TOTAL_SECONDS)
        started = time.monotonic()
        asking = [
            threading.Thread(target=outside.ask, args=("POST", f"/{number}", {}, read))
            for number in range(100)
        ]
        for caller in asking:
            caller.start()
        for caller in asking:
            caller.join()
        assert time.monotonic() - started < TOTAL_SECONDS + 2 * GRACE_SECONDS
