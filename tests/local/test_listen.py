"""`tael listen`: what its receiver takes for verified, what it leaves behind, and what it tells."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest
from typer.testing import CliRunner

from local import listen
from local.api import ApiError
from local.attach import Caller
from local.errors import LocalError
from local.main import app
from local.receiver import MAX_BODY_BYTES, UNREADABLE, Delivery, Registered, receiving
from local.system import System
from tests.conftest import Shop
from tests.local.webhook import CAPTURED, SECRET, Registry, body_of, signed

TIMEOUT_SECONDS = 30.0
LONG_AGO = datetime.now(UTC) - timedelta(minutes=6)
NOBODY = "http://127.0.0.1:9/tael-listen/0123"


@contextmanager
def listening(registry: Registry) -> Iterator[tuple[Registered, list[Delivery]]]:
    heard: list[Delivery] = []
    with registry.api() as api, receiving(api, ["*"], heard.append) as endpoint:
        yield endpoint, heard


def test_an_event_is_heard_and_acknowledged() -> None:
    with listening(registry := Registry()) as (endpoint, heard):
        assert registry.endpoints == {"we_new": endpoint.url}
        answer = httpx.post(endpoint.url, content=body_of(CAPTURED), headers=signed(CAPTURED))
    assert (answer.status_code, answer.content) == (HTTPStatus.NO_CONTENT, b"")
    assert [(delivery.webhook_id, delivery.fault, delivery.event) for delivery in heard] == [
        ("evt_1", None, CAPTURED)
    ]


@pytest.mark.parametrize(
    ("signing", "fault"),
    # Signed when their turn comes: minutes after the tests are collected, a signature is too old.
    [
        (dict, "Missing required headers"),
        (lambda: signed(CAPTURED | {"id": "evt_2"}), "No matching signature"),
        (lambda: signed(CAPTURED, secret=SECRET[:-4] + "AAAA"), "No matching signature"),
        (lambda: signed(CAPTURED, at=LONG_AGO), "too old"),
        (lambda: signed(CAPTURED) | {"webhook-signature": "rubbish"}, "not enough values"),
        (lambda: signed(CAPTURED) | {"webhook-timestamp": "soon"}, "Invalid Signature Headers"),
    ],
    ids=["nothing signed", "another id", "another secret", "too old", "no signature", "no time"],
)
def test_what_does_not_verify_is_told_and_refused(signing: Callable[[], dict[str, str]], fault: str) -> None:
    with listening(Registry()) as (endpoint, heard):
        answer = httpx.post(endpoint.url, content=body_of(CAPTURED), headers=signing())
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert fault in str(heard[0].fault)


def test_a_length_of_thousands_of_digits_is_refused() -> None:
    with listening(Registry()) as (endpoint, heard):
        url = urlsplit(endpoint.url)
        with closing(HTTPConnection(url.netloc, timeout=TIMEOUT_SECONDS)) as connection:
            connection.request("POST", url.path, headers={"Content-Length": "9" * 5000})
            assert connection.getresponse().status == HTTPStatus.BAD_REQUEST
    assert [delivery.fault for delivery in heard] == [UNREADABLE]


def test_a_tampered_body_is_refused() -> None:
    headers = signed(CAPTURED)
    with listening(Registry()) as (endpoint, heard), httpx.Client() as http:
        for body in (body_of(CAPTURED).replace(b"1250", b"9250"), b"\xff", b"", b"x" * (MAX_BODY_BYTES + 1)):
            assert http.post(endpoint.url, content=body, headers=headers).status_code == 400
        chunked = http.post(endpoint.url, content=iter([body_of(CAPTURED)]), headers=headers)
        assert chunked.status_code == HTTPStatus.BAD_REQUEST
        assert all(delivery.fault for delivery in heard)
        assert http.post(endpoint.url, content=body_of(CAPTURED), headers=headers).status_code == 204


def test_what_is_meant_for_another_run_is_given_up() -> None:
    with listening(Registry()) as (endpoint, heard):
        assert httpx.get(endpoint.url).status_code == HTTPStatus.OK
        other = endpoint.url[:-4] + "0000"
        assert httpx.get(other).status_code == HTTPStatus.NOT_FOUND
        gone = httpx.post(other, content=body_of(CAPTURED), headers=signed(CAPTURED))
    assert (gone.status_code, heard) == (HTTPStatus.GONE, [])


def test_the_endpoint_is_deleted_whatever_ends_the_listening() -> None:
    with pytest.raises(ZeroDivisionError), listening(registry := Registry()):
        raise ZeroDivisionError
    assert (registry.deleted, registry.endpoints) == (["we_new"], {})


def test_what_a_killed_run_has_left_behind_is_deleted() -> None:
    with listening(Registry()) as (other_run, _):
        urls = (NOBODY, other_run.url, "http://127.0.0.1:9/hooks", "https://shop.example/tael-listen/0123")
        with listening(registry := Registry(*urls)):
            assert registry.deleted == ["we_0"]


def test_an_endpoint_that_cannot_be_deleted_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with listening(registry := Registry()):
        registry.refusal = HTTPStatus.SERVICE_UNAVAILABLE
    assert capsys.readouterr().err.startswith(
        "we_new stays behind; `tael listen` deletes it next time. DELETE "
    )
    with listening(registry := Registry()):
        registry.endpoints.clear()
    assert capsys.readouterr().err == ""


def test_a_system_that_does_not_send_to_here_refuses() -> None:
    registry = Registry()
    registry.refusal = HTTPStatus.UNPROCESSABLE_ENTITY
    with pytest.raises(ApiError, match="422 No: no reason"), listening(registry):
        pass
    assert not registry.deleted


def test_a_port_that_is_taken_is_refused_before_anything_is_registered() -> None:
    with listening(Registry()) as (endpoint, heard), Registry().api() as api:
        port = httpx.URL(endpoint.url).port
        assert port
        with pytest.raises(LocalError, match="already in use"), receiving(api, ["*"], heard.append, port):
            pass


@pytest.mark.parametrize(
    ("merchant", "key", "said"),
    [
        ("mer_1", "sk_1", "KEY=sk_1\n"),
        ("mer_1", None, "KEY=sk_...   # a key of mer_1\n"),
        (None, None, "the platform itself"),
    ],
)
def test_the_beginning_says_what_to_do(merchant: str | None, key: str | None, said: str) -> None:
    caller = Caller(Registry().api(), "http://127.0.0.1:1", merchant, key)
    text = listen.beginning(caller, ["payment.*", "refund.*"], Registered("we_1", "http://here"))
    assert "http://here, as we_1" in text
    assert "payment.* and refund.*" in text
    assert said in text
    assert ("/v1/payments/" in text) == (merchant is not None)


def test_what_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    listen.tell(Delivery("evt_1", body_of(CAPTURED)), as_json=False)
    listen.tell(Delivery("evt_1", body_of(CAPTURED)), as_json=True)
    listen.tell(Delivery("evt_1", b"{}", "No matching signature found"), as_json=True)
    line, document = (told := capfd.readouterr()).out.splitlines()
    assert line.endswith(" status=captured amount=1250 currency=GBP  evt_1  verified")
    assert json.loads(document) == CAPTURED
    assert told.err == "NOT VERIFIED, answered 400: No matching signature found (evt_1, 2 bytes)\n"


@contextmanager
def tael_listen(system: System, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A running `tael listen`; it is killed in the end, should nobody have stopped it."""
    command = [sys.executable, "-m", "local.main", "listen", *arguments]
    there = {"TAEL_URL": system.url, "TAEL_PLATFORM_KEY": system.platform_key}
    with subprocess.Popen(command, env=os.environ | there, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], ending: str) -> str:
    assert process.stdout is not None
    said = ""
    while not said.endswith(ending):
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def test_a_newcomers_first_webhook(system: System, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAEL_URL", system.url)
    monkeypatch.setenv("TAEL_PLATFORM_KEY", system.platform_key)
    merchant = ("--merchant", shop.id)
    with tael_listen(system, "--events", "wallet.*", *merchant) as process:
        read_until(process, "echo\n\n")
        assert len(shop.http.get("/v1/webhook-endpoints").json()["data"]) == 1
        wallet = shop.wallet()
        line = read_until(process, "verified\n")
        assert f"wallet.opened              {wallet} " in line
        event_id = line.split()[-2]

        listed = CliRunner().invoke(app, ["events", "list", *merchant, "--type", "wallet.*"])
        assert listed.stdout == line.replace("  verified", "")
        shown = CliRunner().invoke(app, ["events", "show", event_id, *merchant])
        assert json.loads(shown.stdout)["data"]["id"] == wallet
        again = CliRunner().invoke(app, ["events", "redeliver", event_id, *merchant])
        assert again.stdout.startswith("wallet.opened goes to we_")
        assert read_until(process, "verified\n") == line

        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_SECONDS) == 0
    assert shop.http.get("/v1/webhook-endpoints").json()["data"] == []
