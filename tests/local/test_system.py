"""A running system from the inside: its environment, its tables and what happens when a part of it ends."""

import io
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from infra.declaration import TABLES
from local import sandbox, secrets, state
from local.announce import announce
from local.errors import LocalError
from local.ports import answers
from local.process import Child
from local.system import System, running
from tests.conftest import connect

OPERATOR_KEY = "op_" + "k" * 40
AT_ONCE_SECONDS = 5.0
PATIENCE_SECONDS = 20.0
LIST_TABLES = """
from chassis import aws
print(*aws.client("dynamodb").list_tables()["TableNames"])
"""
PROVISION_AGAIN_AND_THEN_OVER_ANOTHER_SHAPE = """
from chassis import aws
from local import provision
from chassis.config import table_name
from infra.declaration import TABLES
provision.main()
name = table_name(TABLES[0].name)
dynamodb = aws.client("dynamodb")
dynamodb.delete_table(TableName=name)
dynamodb.create_table(
    TableName=name, BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
)
print("provisioned again")
provision.main()
"""


def python(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)


def test_a_system_lives_and_dies_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "example.com")
    monkeypatch.setenv("TAEL_PLATFORM_KEY", OPERATOR_KEY)
    seen: list[System] = []
    with pytest.raises(LocalError, match=r"The HTTP server was ended by SIGKILL.*http\.log"):
        live_until_the_server_dies(tmp_path, seen)
    # A failure inside still stops everything.
    (system,) = seen
    assert all(child.process.poll() is not None for child in system.children)
    assert system.engine_url
    assert not answers(system.engine_url, "/_ministack/health")
    with state.opened(tmp_path):
        pass
    assert not any(OPERATOR_KEY in path.read_text() for path in system.state.logs.iterdir())


def live_until_the_server_dies(folder: Path, seen: list[System]) -> None:
    with running(folder) as system:
        seen.append(system)
        # It came up although there is a proxy that nobody can reach.
        assert system.environment["no_proxy"] == "example.com,127.0.0.1"
        assert answers(system.url, "/health")
        assert system.engine_url == system.environment["TAEL_ENGINE_URL"]
        listed = python("-c", LIST_TABLES, environment=system.environment).stdout
        assert set(listed.split()) == {f"tael-local-{table.name}" for table in TABLES}

        the_operator_key_of_the_environment_is_used_and_never_printed(system)
        lost_sandbox_keys_are_replaced(system)
        the_scheduler_stops_at_once(system)
        another_shape_of_a_table_is_not_overwritten(system)

        http = child_of(system, "The HTTP server")
        http.process.kill()
        http.process.wait(PATIENCE_SECONDS)
        # Of the parts that ended, the server comes first.
        system.supervise()


def child_of(system: System, name: str) -> Child:
    return next(child for child in system.children if child.name == name)


def the_operator_key_of_the_environment_is_used_and_never_printed(system: System) -> None:
    assert system.secrets.platform_key != OPERATOR_KEY
    with connect(system, OPERATOR_KEY) as operator:
        assert operator.get("/v1/merchants").status_code == 200
    said = io.StringIO()
    announce(Console(file=said), system, None)
    assert "the one in TAEL_PLATFORM_KEY" in said.getvalue()
    assert OPERATOR_KEY not in said.getvalue()


def the_scheduler_stops_at_once(system: System) -> None:
    """It waits for its next minute, and hears SIGTERM then too; without it the system is not whole."""
    scheduler = child_of(system, "The worker for schedules")
    scheduler.stop(AT_ONCE_SECONDS)
    with pytest.raises(LocalError, match=r"schedules (ended with exit code 0|was ended by SIGTERM)"):
        system.supervise()
    assert scheduler.log.read_text() == ""


def lost_sandbox_keys_are_replaced(system: System) -> None:
    first = sandbox.prepare(system)
    assert sandbox.prepare(remembering(system)) == first

    # Two keys can be live: the third takes the place of the oldest.
    second, third = sandbox.prepare(system), sandbox.prepare(system)
    assert {first.merchant} == {second.merchant, third.merchant}
    assert len({first.key, second.key, third.key}) == 3
    assert sandbox.prepare(remembering(system)) == third


def remembering(system: System) -> System:
    """The system as the next `tael up` finds it."""
    return replace(system, secrets=secrets.load_or_generate(system.state.secrets))


def test_state_that_the_engine_cannot_read_is_not_overwritten(tmp_path: Path) -> None:
    damaged = tmp_path / "engine" / "dynamodb.json"
    damaged.parent.mkdir()
    damaged.write_text("{")
    with pytest.raises(LocalError, match="could not load its state"), running(tmp_path):
        pass
    assert damaged.read_text() == "{"


def another_shape_of_a_table_is_not_overwritten(system: System) -> None:
    changed = python("-c", PROVISION_AGAIN_AND_THEN_OVER_ANOTHER_SHAPE, environment=system.environment)
    assert changed.stdout == "provisioned again\n"
    assert "tael-local-principals has other keys or indexes" in changed.stderr
    assert changed.returncode != 0
