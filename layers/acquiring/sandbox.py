"""Owns the conversation with the sandbox acquirer: bounded in time, each answer read as one outcome."""

import json
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import urllib3

from acquiring.acquirer import Approved, Card, DeclineCode, Declined, NotFound, Outcome, Unknown
from chassis import clock

CONNECTIONS = 64
BACKOFF_SECONDS = 0.1
MAX_ANSWER_BYTES = 64 * 1024

Answer = tuple[int, bytes]
_DECLINES = {code.value: code for code in DeclineCode}


class SandboxAcquirer:
    """The sandbox acquirer, over HTTP."""

    def __init__(self, url: str, try_seconds: float, total_seconds: float) -> None:
        self._url = url.rstrip("/")
        self._try_seconds = try_seconds
        self._total_seconds = total_seconds
        # Tries are made here, each under the same attempt id; a redirect is no answer of an acquirer.
        self._pool = urllib3.PoolManager(maxsize=CONNECTIONS, retries=False)
        # urllib3 bounds each read from the socket, but neither a name lookup nor an answer that drips in
        # byte by byte. A thread can be left behind, so waiting for it is bounded whatever happens in it.
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="acquirer")

    def verify(self, attempt_id: str, card: Card, cvc: str) -> Outcome:
        """See `Acquirer.verify`."""
        return self._do("verify", {"attempt": attempt_id, "card": {**_card(card), "cvc": cvc}})

    def authorize(self, attempt_id: str, card: Card, amount: int, currency: str, *, capture: bool) -> Outcome:
        """See `Acquirer.authorize`."""
        money = {"amount": amount, "currency": currency, "capture": capture}
        return self._do("authorize", {"attempt": attempt_id, "card": _card(card), **money})

    def capture(self, attempt_id: str, authorization: str, amount: int) -> Outcome:
        """See `Acquirer.capture`."""
        return self._do("capture", {"attempt": attempt_id, "charge": authorization, "amount": amount})

    def refund(self, attempt_id: str, charge: str, amount: int) -> Outcome:
        """See `Acquirer.refund`."""
        return self._do("refund", {"attempt": attempt_id, "charge": charge, "amount": amount})

    def void(self, attempt_id: str) -> Outcome:
        """See `Acquirer.void`."""
        return self._do("void", {"attempt": attempt_id})

    def lookup(self, attempt_id: str) -> Outcome | NotFound:
        """See `Acquirer.lookup`."""
        return self._ask("GET", f"/v1/attempts/{quote(attempt_id, safe='')}", None)

    def _do(self, verb: str, asked: Mapping[str, Any]) -> Outcome:
        found = self._ask("POST", f"/v1/{verb}", json.dumps(asked).encode())
        # Only a question can be answered by "not found".
        return Unknown() if isinstance(found, NotFound) else found

    def _ask(self, method: str, path: str, body: bytes | None) -> Outcome | NotFound:
        """Ask until the answer says how it ended, or the time is up."""
        deadline = clock.monotonic() + self._total_seconds
        tries = 0
        while True:
            seconds = min(self._try_seconds, deadline - clock.monotonic())
            if seconds <= 0:
                return Unknown()
            answer = self._try(method, path, body, seconds)
            found = _read(answer)
            if not isinstance(found, Unknown) or _is_final(answer):
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


@lru_cache(maxsize=4)
def connect(url: str, try_seconds: float, total_seconds: float) -> SandboxAcquirer:
    """The connector for that address, whose connections all threads of this process share."""
    return SandboxAcquirer(url, try_seconds, total_seconds)


def _card(card: Card) -> dict[str, Any]:
    return {
        "number": card.number,
        "brand": card.brand,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
    }


def _is_final(answer: Answer | None) -> bool:
    """Whether the same request would get the same answer again: a refusal of its form, not of this moment."""
    passing = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
    if answer is None or answer[0] in passing:
        return False
    return HTTPStatus.BAD_REQUEST <= answer[0] < HTTPStatus.INTERNAL_SERVER_ERROR


def _read(answer: Answer | None) -> Outcome | NotFound:
    """What an answer means: only one that is understood in full is more than unknown."""
    if answer is None:
        return Unknown()
    status, body = answer
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return Unknown()
    match status, said:
        case HTTPStatus.OK, {"outcome": "approved"}:
            return Approved()
        case HTTPStatus.OK, {"outcome": "declined", "code": str(code)}:
            return Declined(_decline(code))
        # A bare 404 may come from whatever stands between; it must not lead to a void.
        case HTTPStatus.NOT_FOUND, {"outcome": "not_found"}:
            return NotFound()
    return Unknown()


def _decline(code: str) -> DeclineCode:
    # Networks add codes; a refusal for a new reason is a refusal, of which nothing more is known.
    return _DECLINES.get(code, DeclineCode.DO_NOT_HONOR)
