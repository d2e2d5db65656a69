"""The desk of a system on this machine: for its operator alone, and it tells no secret."""

import httpx
import pytest
from typer.testing import CliRunner

from chassis.config import settings
from chassis.errors import Conflict, NotFound
from local import desk
from local.main import app
from local.system import System
from tests.conftest import Shop


@pytest.fixture
def command(system: System, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """`tael` with the running system in its environment."""
    monkeypatch.setenv("TAEL_URL", system.url)
    monkeypatch.setenv("TAEL_PLATFORM_KEY", system.platform_key)
    return CliRunner()


def test_it_tells_where_the_engine_is_and_no_secret(system: System, platform: httpx.Client) -> None:
    answer = platform.get("/local/system")
    assert answer.status_code == 200
    told = answer.json()
    assert told.pop("now").endswith("Z")
    expected = {"engine": "embedded", "engine_url": system.engine_url, "stage": "local"}
    assert told == {**expected, "clock_ahead_seconds": 0}
    secrets = system.secrets
    keys = (secrets.platform_key, secrets.fingerprint_key, secrets.webhook_key)
    for secret in (*keys, secrets.peppers.removeprefix("1:")):
        assert secret not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/local/system", None),
        ("POST", "/local/clock", {"advance_seconds": 1}),
        ("POST", "/local/runs", {"schedule": "payments.expire"}),
    ],
)
def test_a_merchant_has_no_business_there(
    shop: Shop, platform: httpx.Client, method: str, path: str, body: object
) -> None:
    assert shop.http.request(method, path, json=body).status_code == 403
    assert httpx.request(method, f"{platform.base_url}{path}", json=body).status_code == 401
    assert platform.get("/local/system").json()["clock_ahead_seconds"] == 0


@pytest.mark.parametrize("seconds", [0, -1, 366 * 86400 + 1, 1.5, "3", True, None])
def test_a_clock_that_would_go_back_or_nowhere_is_not_moved(platform: httpx.Client, seconds: object) -> None:
    answer = platform.post("/local/clock", json={"advance_seconds": seconds})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/advance_seconds")
    assert platform.get("/local/system").json()["clock_ahead_seconds"] == 0


def test_a_clock_that_cannot_be_moved_is_not(engine: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAEL_CLOCK_FILE")
    settings.cache_clear()
    try:
        with pytest.raises(Conflict, match="only the clock of the embedded engine"):
            desk.move_clock(desk.Advance(advance_seconds=1))
        assert desk.get_system().clock_ahead_seconds == 0
    finally:
        settings.cache_clear()


def test_only_what_there_is_can_be_run(engine: System) -> None:
    for name in ("payments.nothing", "nothing.expire", "expire", "runtime.http", ""):
        with pytest.raises(NotFound, match=r"only .*payments\.expire, payments\.republish"):
            desk.run(desk.NewRun(schedule=name))


def test_a_command_runs_a_schedule_or_tells_which_there_are(command: CliRunner) -> None:
    ran = command.invoke(app, ["run", "payments.expire"])
    assert (ran.exit_code, ran.stdout) == (0, "payments.expire: 0 done\n")
    refused = command.invoke(app, ["run", "payments.nothing"])
    assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert "there is no schedule payments.nothing, only " in refused.stderr


def test_a_command_shows_the_time(command: CliRunner) -> None:
    shown = command.invoke(app, ["clock", "show"])
    assert (shown.exit_code, shown.stdout[:2]) == (0, "20")
    assert shown.stdout.endswith(" UTC  (not moved)\n")


def test_a_span_that_makes_no_sense_is_refused_before_anybody_is_asked() -> None:
    refused = CliRunner().invoke(app, ["clock", "advance", "soon"])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("tael: 'soon' is no span of time")
