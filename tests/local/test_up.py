"""`tael up` as a person or a script runs it: a process, its output and its exit code."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from local.acquirer.deck import BY_NAME
from local.announce import commands
from local.api import Api
from local.main import app
from local.ports import answers, free_port
from local.signals import STOP_SIGNALS

TIMEOUT_SECONDS = 60.0
IMPATIENT = {
    "TAEL_ACQUIRER_TRY_SECONDS": 1,
    "TAEL_ACQUIRER_TOTAL_SECONDS": 1,
    # Long enough for the system to be stopped meanwhile.
    "TAEL_RESOLVE_SECONDS": 8,
}
LOST = {"amount": 777, "currency": "GBP"}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TAEL_")]:
        monkeypatch.delenv(name)


def refused(*arguments: str) -> str:
    """The one sentence of a command that exits with 1."""
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(r"tael: [^\n]*\.\n", result.stderr), result.stderr
    return result.stderr


@contextmanager
def up(state: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A `tael up` that is ready, and what it said until then."""
    command = [sys.executable, "-m", "local.main", "up", "--state", str(state), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = ""
        while not said.endswith(f"ready http://127.0.0.1:{port}\n"):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            said += line
        try:
            yield process, said
        finally:
            process.terminate()
            process.wait(TIMEOUT_SECONDS)


def fact(said: str, name: str) -> str:
    match = re.search(rf"^  {name} +(\S+)", said, re.MULTILINE)
    assert match, said
    return match[1]


def bash(script: str) -> str:
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607 - wherever this system has its bash
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_SECONDS,
    )
    return run.stdout


def balance_of(pasted: str) -> tuple[int, int]:
    """What the wallet has, available and held, when every pasted command has run."""
    *earlier, wallet = (json.loads(line) for line in pasted.splitlines())
    assert not [answer for answer in earlier if "code" in answer]
    return wallet["available"], wallet["held"]


def api(port: int, key: str) -> Api:
    return Api(f"http://127.0.0.1:{port}", key)


def pay_and_lose_the_answer(port: int, key: str) -> None:
    """Leave a payment that was charged, though nobody here knows it."""
    number = BY_NAME["charged_silently"].number
    card = {"number": number, "exp_month": 12, "exp_year": 2034, "cvc": "123"}
    with api(port, key) as shop:
        source = {"card": shop.post("/v1/cards", card, key="lost").body["id"]}
        answer = shop.post("/v1/payments/lost", {**LOST, "source": source})
    assert (answer.status, answer.body["status"]) == (202, "processing")


def await_end(port: int, key: str) -> dict[str, Any]:
    """The same payment once it is no longer processing."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with api(port, key) as shop:
        while (payment := shop.get("/v1/payments/lost"))["status"] == "processing":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    return payment


def await_last_child(state: Path) -> None:
    """Wait until nobody holds the state folder: every child does so to its last breath."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with (state / "lock").open() as lock:
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                assert time.monotonic() < deadline
                time.sleep(0.02)


@pytest.mark.skipif(not shutil.which("curl"), reason="the commands to paste use curl")
def test_the_life_of_a_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in IMPATIENT.items():
        monkeypatch.setenv(name, str(seconds))
    state, port = tmp_path / "state", free_port()
    with up(state, port) as (process, said):
        sandbox_key = fact(said, "Sandbox key")
        operator_key = fact(said, "Operator key")
        assert (fact(said, "State"), fact(said, "Logs")) == (str(state), str(state / "logs"))
        assert re.search(r"^  Clock +not moved", said, re.MULTILINE)
        assert "already in use" in refused("up", "--port", str(port), "--state", str(tmp_path / "other"))
        assert "in use by another" in refused("up", "--port", "0", "--state", str(state))
        pasted = bash(commands(f"http://127.0.0.1:{port}", operator_key, sandbox_key))
        assert balance_of(pasted) == (4400, 0)
        charged = httpx.get(f"{fact(said, 'Acquirer')}/statement").json()["data"]
        assert [line["net"] for line in charged] == [300, 1000]
        assert Path(fact(said, "Test cards")).is_file()
        pay_and_lose_the_answer(port, sandbox_key)

        process.terminate()
        assert process.wait(TIMEOUT_SECONDS) == 0
    assert not (tmp_path / "other").exists()

    began_again = datetime.now(UTC)
    with up(state, port) as (process, said):
        assert (fact(said, "Sandbox key"), fact(said, "Operator key")) == (sandbox_key, operator_key)
        # The same paste again: everything is a replay, on balances that survived the restart.
        repeated = bash(commands(f"http://127.0.0.1:{port}", operator_key, sandbox_key))
        assert repeated.splitlines()[-1] == pasted.splitlines()[-1]

        # Nobody asked again: the answer that was lost before the restart was looked for by itself.
        resolved = await_end(port, sandbox_key)
        assert (resolved["status"], resolved["captured"]) == ("captured", LOST["amount"])
        assert datetime.fromisoformat(resolved["updated_at"]) > began_again
        charged = httpx.get(f"{fact(said, 'Acquirer')}/statement").json()["data"]
        assert [line["net"] for line in charged] == [300, 1000, LOST["amount"]]

        process.kill()
        process.wait(TIMEOUT_SECONDS)
        await_last_child(state)
        assert not answers(f"http://127.0.0.1:{port}", "/health")
    # The first run was stopped, in order; in the second one each leaves by itself, whoever still talks to it.
    outside = ("acquirer.log", "bank.log")
    for log in ("engine.log", "http.log", "streams.log", "queues.log", "schedules.log", *outside):
        assert (state / "logs" / f"{log}.1").read_text() == ""
    for log in ("engine.log", "http.log", "schedules.log"):
        assert (state / "logs" / log).read_text() == ""


@pytest.mark.parametrize("number", STOP_SIGNALS, ids=lambda number: number.name)
def test_each_way_to_ask_it_to_stop_ends_it_cleanly(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    stopped: list[str] = []

    def serve(*_: object) -> None:
        try:
            signal.raise_signal(number)
        finally:
            # Whoever is impatient and asks again disturbs nothing.
            signal.raise_signal(number)
            stopped.append("whole")

    monkeypatch.setattr("local.main.serve", serve)
    before = [signal.getsignal(each) for each in STOP_SIGNALS]
    result = CliRunner().invoke(app, ["up"])
    assert (result.exit_code, result.output, stopped) == (0, "", ["whole"])
    assert [signal.getsignal(each) for each in STOP_SIGNALS] == before


def test_an_unwritable_state_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sentence = refused("up", "--port", "0", "--state", str(tmp_path / "file" / "state"))
    assert "cannot be written" in sentence


def test_a_missing_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ministack", None)
    sentence = refused("up", "--port", "0", "--state", str(tmp_path))
    assert "The embedded engine is missing" in sentence
    assert "make setup" in sentence


def test_an_engine_that_dies_at_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ministack").mkdir()
    (tmp_path / "ministack" / "app.py").write_text("raise RuntimeError('no engine today')")
    (tmp_path / "ministack" / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    state = tmp_path / "state"
    sentence = refused("up", "--port", "0", "--state", str(state))
    assert "RuntimeError: no engine today" in sentence
    assert f"Its log is {state / 'logs' / 'engine.log'}" in sentence


def test_the_cloud_needs_its_own_secrets(tmp_path: Path) -> None:
    sentence = refused("up", "--port", "0", "--state", str(tmp_path), "--engine", "aws")
    assert "TAEL_PLATFORM_KEY, TAEL_PEPPERS, TAEL_STAGE" in sentence


def test_help_and_version_explain_themselves() -> None:
    text = CliRunner().invoke(app, ["--help"]).stdout
    assert "up " in text
    assert "demo " in text
    text = CliRunner().invoke(app, ["dlq", "--help"]).stdout
    assert "Dead letters" in text
    assert "clock advance 8d" in CliRunner().invoke(app, ["clock", "advance", "--help"]).stdout
    assert "tael run payments.expire" in CliRunner().invoke(app, ["run", "--help"]).stdout
    assert "list " in text
    assert "redrive " in text
    assert re.fullmatch(r"tael \d+\.\d+\.\d+\S*\n", CliRunner().invoke(app, ["--version"]).stdout)


@pytest.mark.parametrize("sandbox_key", [None, "sk_1"])
@pytest.mark.parametrize("operator_key", [None, "op_1"])
def test_the_commands_to_paste_are_bash(operator_key: str | None, sandbox_key: str | None) -> None:
    text = commands("http://127.0.0.1:1", operator_key, sandbox_key)
    bash(f"set -n\n{text}")
    assert ('OPERATOR="$TAEL_PLATFORM_KEY"' in text) == (operator_key is None)
    assert ("/v1/merchants" in text) == (sandbox_key is None)
