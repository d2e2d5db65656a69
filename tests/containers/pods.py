"""What every image is tried with by the command that Kubernetes gives it: HTTP, a drain, and no shell."""

import json
import socket
import time
from http.client import HTTPConnection
from typing import Any

from infra.functions import PAGES, Function, Routes
from local.ports import LOOPBACK, free_port
from tests.containers.box import Box, running
from tests.containers.engine import Engine, Unable
from tests.containers.lambdas import Trial, request

START_SECONDS = 60.0
POLL_SECONDS = 0.01
NO_SHELL = ("--tmpfs", "/bin:ro,notmpcopyup")


def tried(engine: Engine, function: Function) -> Trial:
    """Serve an image's services, and stop in the middle of a request."""
    trial = Trial()
    port = free_port()
    services = [] if function.name == PAGES else [f"functions.{function.image}.app"]
    command = ["-m", "runtime.http", *services, "--host", LOOPBACK, "--port", str(port)]
    started = time.monotonic()
    with running(engine, function.image, command, None, "--entrypoint", "python3", *NO_SHELL) as box:
        try:
            health = _first_answer(box, port)
            trial.first_seconds = time.monotonic() - started
            if health["status"] != "ok":
                trial.faults.append(f"{function.name} over HTTP: its health is {health}")
            trial.spent = box.spent()
            trial.faults += [f"{function.name} over HTTP: {fault}" for fault in _drain(box, port, function)]
        except (OSError, Unable) as error:
            trial.faults.append(f"{function.name} over HTTP: {error}; it said: {box.said()[-2000:]}")
    return trial


def _first_answer(box: Box, port: int) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and box.process.poll() is None:
        connection = HTTPConnection(LOOPBACK, port, timeout=START_SECONDS)
        try:
            connection.request("GET", "/health")
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        except ConnectionError:
            time.sleep(POLL_SECONDS)
        else:
            return answer
        finally:
            connection.close()
    raise TimeoutError("it does not answer")


def _drain(box: Box, port: int, function: Function) -> list[str]:
    """Ask it to end while it reads a request's body: it finishes that, takes nothing new, and ends."""
    feed = function.feed
    route = "POST /v1/nowhere" if function.name == PAGES or not isinstance(feed, Routes) else feed.names[0]
    expected = 404 if function.name == PAGES else 401
    method, path = route.partition(" ")[0], request(route)["rawPath"]
    faults = []
    with socket.create_connection((LOOPBACK, port), START_SECONDS) as connection:
        connection.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: pod\r\nContent-Type: application/json\r\n"
            "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        reader = connection.makefile("rb")
        # It says so when it begins to read the body.
        if b" 100 " not in reader.readline() or reader.readline() != b"\r\n":
            return ["it did not begin to read"]
        box.terminate()
        faults += _still_open(port)
        connection.sendall(b"{}")
        answer = reader.readline()
        if f" {expected} ".encode() not in answer:
            faults.append(f"the request under way ended with {answer!r}")
    code = box.ended()
    # Uvicorn finishes, and then ends by the signal that it was sent.
    return faults if code in {0, 143} else [*faults, f"it ended with {code}: {box.said()[-2000:]}"]


def _still_open(port: int) -> list[str]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection((LOOPBACK, port), 1).close()
        except ConnectionError:
            return []
        time.sleep(POLL_SECONDS)
    return ["it goes on to take connections"]
