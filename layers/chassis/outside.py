"""Owns the conversation with somebody else's HTTP service: bounded in time and size, and tried again."""

import json
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import urllib3

from chassis import clock

CONNECTIONS = 64
BACKOFF_SECONDS = 0.1
MAX_ANSWER_BYTES = 64 * 1024

Outcome = TypeVar("Outcome")
Answer = tuple[int, bytes]
Read = Callable[[int, Any], Outcome | None]
"""From the status and the JSON of an answer to what it means; None where it is not understood in full."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say what became of an attempt: it may be done, may not be, or may yet be. Look it up."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """The other side never saw that attempt id, and may see it yet.

    Have it refused for ever before calling it a failure.
    """


class Outside:
    """A service that is not ours, and may do anything at all: whatever it does, a question ends in time.

    A question is repeated as it is, so it must name itself by an id of ours that the service honours.
    """

    def __init__(self, url: str, try_seconds: float, total_seconds: float) -> None:
        self._url = url.rstrip("/")
        self._try_seconds = try_seconds
        self._total_seconds = total_seconds
        # Tries are made here, each under the same attempt id; a redirect is no answer of such a service.
        self._pool = urllib3.PoolManager(maxsize=CONNECTIONS, retries=False)
        # urllib3 bounds each read from the socket, but neither a name lookup nor an answer that drips in
        # byte by byte. A thread can be left behind, so waiting for it is bounded whatever happens in it.
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="outside")

    def ask(
        self, method: str, path: str, asked: Mapping[str, Any] | None, read: Read[Outcome]
    ) -> Outcome | None:
        """Ask until an answer is understood, or the time is up: then None, and nobody knows what was done."""
        body = json.dumps(asked).encode() if asked is not None else None
        deadline = clock.monotonic() + self._total_seconds
        tries = 0
        while True:
            seconds = min(self._try_seconds, deadline - clock.monotonic())
            if seconds <= 0:
                return None
            answer = self._try(method, path, body, seconds)
            found = _understood(answer, read)
            if found is not None or _is_final(answer):
                return found
            tries += 1
            pause = random.uniform(0, BACKOFF_SECONDS * 2 ** min(tries, 4))  # noqa: S311 - jitter, not a secret
            clock.sleep(min(pause, max(0.0, deadline - clock.monotonic())))

    def _try(self, method: str, path: str, body: bytes | None, seconds: float) -> Answer | None:
        """One answer, or None where there was none in time."""
        trying = self._threads.submit(self._exchange, method, path, body, seconds)
        try:
            return trying.result(seconds)
        except (TimeoutError, urllib3.exceptions.HTTPError):
            trying.cancel()
            return None

    def _exchange(self, method: str, path: str, body: bytes | None, seconds: float) -> Answer:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        response = self._pool.request(
            method,
            self._url + path,
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(total=seconds),
            redirect=False,
            preload_content=False,
        )
        answer = response.status, response.read(MAX_ANSWER_BYTES)
        if response.length_remaining != 0:
            response.close()  # it is longer than any answer: the rest is nobody's
        return answer


def _is_final(answer: Answer | None) -> bool:
    """Whether the same request would get the same answer again: a refusal of its form, not of this moment."""
    passing = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
    if answer is None or answer[0] in passing:
        return False
    return HTTPStatus.BAD_REQUEST <= answer[0] < HTTPStatus.INTERNAL_SERVER_ERROR


def _understood(answer: Answer | None, read: Read[Outcome]) -> Outcome | None:
    """What an answer means, where there is one and it is JSON."""
    if answer is None:
        return None
    status, body = answer
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return read(status, said)
