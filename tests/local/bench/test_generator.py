"""The load generator against a server of a test's own: when it sends, what it counts, and faults."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.bench.generator import Generator
from local.bench.load import Load
from local.bench.plan import Answer, Outcome, Plan, Request
from local.errors import LocalError

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy"
SLOW_SECONDS = 0.2
NO_PORT = 2**16
Act = Callable[[bytes], bytes | None]


@contextmanager
def serving(act: Act) -> Iterator[int]:
    """Answers each request with what `act` makes of it; None closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, act), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, act: Act) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection, act), daemon=True).start()


def _answer(connection: socket.socket, act: Act) -> None:
    with connection:
        while asked := connection.recv(65536):
            answer = act(asked)
            if answer is None:
                return
            connection.sendall(answer)


def send(port: int, *requests: Request, connections: int = 2) -> Outcome:
    return asyncio.run(Generator(Plan(port, connections, requests)).run())


def request(name: str = "1", due: float | None = None) -> Request:
    return Request(f"/v1/payments/{name}", "sk_key", '{"amount": 1}', due)


def test_every_request_is_sent_once_as_it_is() -> None:
    asked: list[bytes] = []

    def act(message: bytes) -> bytes:
        asked.append(message)
        return CREATED

    with serving(act) as port:
        outcome = send(port, *(request(str(number)) for number in range(20)))
    assert [answer.status for answer in outcome.answers] == [201] * 20
    assert sorted(message.split()[1] for message in asked) == sorted(
        f"/v1/payments/{number}".encode() for number in range(20)
    )
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert body == b'{"amount": 1}'
    assert b"Authorization: Bearer sk_key\r\n" in head
    assert b"Content-Length: 13" in head
    assert outcome.processor_seconds > 0


def test_a_closed_model_keeps_every_connection_busy() -> None:
    both = threading.Barrier(2, timeout=10)

    def act(_: bytes) -> bytes:
        # Each waits for another one: with one connection nothing would be answered.
        both.wait()
        return CREATED

    with serving(act) as port:
        outcome = send(port, *[request()] * 6, connections=2)
    assert [answer.status for answer in outcome.answers] == [201] * 6


def test_in_an_open_model_who_waits_behind_a_slow_one_has_waited_too() -> None:
    due = [0.0, 0.01, 0.02]

    def act(message: bytes) -> bytes:
        if message.startswith(b"POST /v1/payments/slow "):
            time.sleep(SLOW_SECONDS)
        return CREATED

    with serving(act) as port:
        outcome = send(
            port, request("slow", due[0]), request("a", due[1]), request("b", due[2]), connections=1
        )
    assert [answer.due for answer in outcome.answers] == due
    # With one connection the others are sent only after the slow one; from when they were due it counts.
    assert all(answer.lag > SLOW_SECONDS / 2 for answer in outcome.answers[1:])
    assert all(answer.latency >= answer.lag for answer in outcome.answers)


def test_nothing_is_sent_before_it_is_due() -> None:
    with serving(lambda _: CREATED) as port:
        outcome = send(port, *(request(due=due) for due in (0.0, 0.05, 0.1)))
    assert all(answer.lag >= 0 for answer in outcome.answers)
    assert outcome.seconds >= 0.1


def test_what_does_not_succeed_is_told() -> None:
    with serving(lambda message: REFUSED if b"/busy " in message else None) as port:
        outcome = send(port, request("busy"), request("hung-up"))
    assert [(answer.status, answer.said) for answer in outcome.answers] == [
        (503, "busy"),
        (0, "IncompleteReadError"),
    ]


def test_a_plan_and_an_outcome_are_what_they_were_when_written(tmp_path: Path) -> None:
    plan = Plan(8080, 2, [request(), request("2", due=0.5)])
    plan.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == plan
    assert (tmp_path / "plan.json").stat().st_mode & 0o077 == 0
    outcome = Outcome(1.5, 0.25, [Answer(201, 0.0, 0.1, 0.2), Answer(0, 0.5, 0.5, 0.9, "TimeoutError")])
    outcome.write(tmp_path / "outcome.json")
    assert Outcome.read(tmp_path / "outcome.json") == outcome
    assert outcome.seconds == 0.9
    assert [answer.latency for answer in outcome.answers] == pytest.approx([0.2, 0.4])


def test_it_is_a_process_of_its_own_that_leaves_no_keys_behind(tmp_path: Path) -> None:
    with serving(lambda _: CREATED) as port:
        outcome = Load(tmp_path).send(port, [request()] * 3)
    assert [answer.status for answer in outcome.answers] == [201] * 3
    assert not (tmp_path / "plan.json").exists()


def test_a_generator_that_fails_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"^The load generator failed"):
        Load(tmp_path).send(NO_PORT, [request()])
