"""A running system from the inside: its environment, its tables and what happens when a part of it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.declaration import TABLES
from local.errors import LocalError
from local.ports import answers
from local.system import running

LIST_TABLES = """
from chassis import aws
print(*aws.client("dynamodb").list_tables()["TableNames"])
"""
OTHER_SHAPE = """
from chassis import aws
from chassis.config import table_name
from infra.declaration import TABLES
name = table_name(TABLES[0].name)
dynamodb = aws.client("dynamodb")
dynamodb.delete_table(TableName=name)
dynamodb.create_table(
    TableName=name, BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
)
"""


def python(script: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_a_system_lives_and_dies_as_a_whole(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        environment = dict(system.environment)
        assert answers(system.url, "/health")
        assert system.engine_url == environment["TAEL_ENGINE_URL"]
        tables = {f"tael-local-{table.name}" for table in TABLES}
        assert set(python(LIST_TABLES, environment).split()) == tables

        http = system.children[1]
        http.process.kill()
        with pytest.raises(LocalError, match=r"The HTTP server was ended by SIGKILL.*http\.log"):
            system.supervise()
        python(OTHER_SHAPE, environment)

    assert not answers(system.engine_url, "/_ministack/health")
    with pytest.raises(LocalError, match="has other keys or indexes"), running(tmp_path):
        pass


def test_state_that_the_engine_cannot_read_is_not_overwritten(tmp_path: Path) -> None:
    damaged = tmp_path / "engine" / "dynamodb.json"
    damaged.parent.mkdir()
    damaged.write_text("{")
    with pytest.raises(LocalError, match="could not load its state"), running(tmp_path):
        pass
    assert damaged.read_text() == "{"


def test_a_failure_inside_still_stops_everything(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), running(tmp_path) as system:
        raise ZeroDivisionError
    assert all(child.process.poll() is not None for child in system.children)
    with running(tmp_path):
        pass


def test_a_proxy_is_not_asked_for_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    monkeypatch.setitem(os.environ, "no_proxy", "example.com")
    with running(tmp_path) as system:
        assert system.environment["no_proxy"] == "example.com,127.0.0.1"
        assert "tael-local-ledger" in python(LIST_TABLES, dict(system.environment))
