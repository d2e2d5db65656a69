"""The words of the sandbox acquirer: each answer is one outcome."""

import itertools
import json

from acquiring.acquirer import DeclineCode, Declined
from acquiring.sandbox import SandboxAcquirer, _read
from chassis.outside import NotFound, _understood
from tests.listening import answer, listening, saying
from tests.network import APPROVED, NOT_FOUND, UNKNOWN

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
        assert _understood((status, body), _read) == KNOWN.get((status, body)), (status, body)
    for code in DeclineCode:
        body = json.dumps({"outcome": "declined", "code": code, "more": 1}).encode()
        assert _understood((200, body), _read) == Declined(code)


def test_only_a_lookup_can_say_not_found() -> None:
    with listening(saying(answer("404 Not Found", b'{"outcome": "not_found"}'))) as url:
        connector = SandboxAcquirer(url, 0.3, 0.6)
        assert connector.lookup("pay/1?") == NotFound()
        assert connector.void("pay_1") == UNKNOWN


def test_what_is_not_understood_is_unknown() -> None:
    with listening(saying(answer("200 OK", b'{"outcome": "perhaps"}'))) as url:
        assert SandboxAcquirer(url, 0.2, 0.3).void("pay_1") == UNKNOWN
