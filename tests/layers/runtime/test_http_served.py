"""The HTTP server as a process: raw connections, a bad environment, several workers, a clean end."""

import json
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from chassis import ids
from chassis.config import settings
from local import process
from local.ports import answers, free_port
from local.process import Logs
from local.system import System
from runtime import http
from tests.layers.runtime.workshop import Worker, await_until, lines

Exchange = Callable[[bytes], bytes]


@pytest.fixture
def exchange(system: System) -> Exchange:
    """Sends raw bytes, and returns all that comes back until the server closes or hangs up."""
    address = urlsplit(system.url)

    def send(raw: bytes) -> bytes:
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            received = b""
            with suppress(ConnectionResetError, BrokenPipeError):
                connection.sendall(raw)
                while part := connection.recv(65536):
                    received += part
            return received

    return send


def request(system: System, path: str, *lines: str, method: str = "GET") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: tael", f"Authorization: Bearer {system.platform_key}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PATCH"])
@pytest.mark.parametrize("path", ["/health", "/v1/wallets", "/v1/nothing"])
def test_unusual_methods_get_a_problem_detail(platform: httpx.Client, method: str, path: str) -> None:
    found = platform.request(method, path)
    assert found.status_code == (404 if path == "/v1/nothing" else 405)
    assert found.headers["Content-Type"] == "application/problem+json"
    assert bool(found.content) == (method != "HEAD")


def test_huge_headers_are_refused_and_the_server_serves_on(
    system: System, platform: httpx.Client, exchange: Exchange
) -> None:
    found = exchange(request(system, "/v1/wallets", f"X-Huge: {'x' * 200_000}", "Connection: close"))
    assert not found or found.split(b" ", 2)[1] in {b"400", b"431"}
    assert platform.get("/health").status_code == 200


def test_pipelined_requests_are_answered_in_order(system: System, exchange: Exchange) -> None:
    wallets = [ids.random("wal") for _ in range(20)]
    requests = [request(system, f"/v1/wallets/{wallet}") for wallet in wallets]
    requests.append(request(system, "/health", "Connection: close"))
    found = exchange(b"".join(requests)).decode()
    assert found.count("HTTP/1.1 404") == len(wallets)
    positions = [found.index(wallet) for wallet in wallets]
    assert positions == sorted(positions)


def test_a_served_braced_segment_is_no_internal_error(system: System, exchange: Exchange) -> None:
    found = exchange(request(system, "/v1/wallets/{}", "Connection: close"))
    assert found.startswith(b"HTTP/1.1 422")


@pytest.mark.parametrize("missing", ["TAEL_PLATFORM_KEY", "TAEL_PEPPERS"])
def test_a_bad_environment_ends_it_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    for name in [name for name in os.environ if name.startswith("TAEL_")]:
        monkeypatch.delenv(name)
    good = {"TAEL_PLATFORM_KEY": "k" * 32, "TAEL_PEPPERS": "1:" + "00" * 16}
    del good[missing]
    for name, value in good.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    try:
        assert http.main(["functions.wallets.app", "--port", str(free_port())]) == 2
    finally:
        settings.cache_clear()
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        f"runtime.http cannot start: {missing} is not set, and this function needs it\n",
    )


def test_two_workers_serve_until_they_are_asked_to_stop(engine: System, tmp_path: Path) -> None:
    port = free_port()
    services = ["functions.wallets.app", "functions.accounts.app"]
    command = ["runtime.http", *services, "--port", str(port), "--workers", "2"]
    url, log = f"http://127.0.0.1:{port}", tmp_path / "log"
    child = process.start("HTTP", command, engine.environment, Logs.together(log))
    try:
        child.await_until(lambda: answers(url, "/health"), 30)
        headers = {"Authorization": f"Bearer {engine.platform_key}"}
        with (
            httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client,
            ThreadPoolExecutor(8) as pool,
        ):
            found = list(pool.map(lambda _: client.get("/v1/wallets?limit=1").status_code, range(40)))
        assert found == [200] * 40
        child.stop(20)
    finally:
        child.kill()
    assert not answers(url, "/health")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["operation"] for line in lines] == ["GET /v1/wallets"] * 40


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_stop_answers_what_is_under_way_and_takes_nothing_new(engine: System, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = Worker("http", tmp_path / "notes", {}, "--port", str(port))
    try:
        await_until(lambda: answers(url, "/health"))
        server.hold.write_text("held")
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client, ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(client.get, "/v1/notes/held")
            await_until(lambda: lines(server.notes) == ["held"])
            server.process.send_signal(signal.SIGTERM)
            await_until(lambda: is_refused(port))
            assert not under_way.done()
            server.hold.unlink()
            assert under_way.result(20).json() == {"text": "held"}
        assert server.process.wait(10) in process.CLEAN_EXITS
    finally:
        server.kill()
