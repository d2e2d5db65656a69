"""How commands find a running system: what the environment says wins over the state folder."""

import json
import os
from pathlib import Path

import pytest

from local import attach, secrets
from local.errors import LocalError
from local.system import System

KEY = "op_" + "k" * 40
STATE_URL = "http://127.0.0.1:9999"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("TAEL_")]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a system that runs."""
    (tmp_path / "running.json").write_text(json.dumps({"url": STATE_URL}))
    return tmp_path


def base_url(folder: Path) -> str:
    with attach.platform(folder) as api:
        return str(api._client.base_url).rstrip("/")


def key(folder: Path) -> str:
    with attach.platform(folder) as api:
        return api._client.headers["Authorization"].removeprefix("Bearer ")


def test_the_state_folder_tells_url_and_key(folder: Path) -> None:
    kept = secrets.load_or_generate(folder / "secrets.json")
    assert (base_url(folder), key(folder)) == (STATE_URL, kept.platform_key)


def test_the_environment_wins(folder: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAEL_PLATFORM_KEY", KEY)
    assert (base_url(folder), key(folder)) == (STATE_URL, KEY)
    environment.setenv("TAEL_URL", "http://127.0.0.1:1")
    assert (base_url(folder), key(folder)) == ("http://127.0.0.1:1", KEY)
    assert not (folder / "secrets.json").exists()


def test_a_key_alone_is_for_the_usual_address(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAEL_PLATFORM_KEY", KEY)
    assert base_url(tmp_path) == "http://127.0.0.1:8080"


def test_without_either_it_says_what_to_name(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        LocalError, match=r"No system runs on the state folder .*TAEL_URL and TAEL_PLATFORM_K"
    ):
        attach.platform(tmp_path)
    environment.setenv("TAEL_URL", STATE_URL)
    with pytest.raises(LocalError, match=r"The operator key of http://127.* is missing"):
        attach.platform(tmp_path)


def test_the_sandbox_of_a_folder_acts_for_its_own_system_only(
    folder: Path, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("TAEL_PLATFORM_KEY", KEY)
    assert acting(folder, None) == (None, None)
    kept = secrets.load_or_generate(folder / "secrets.json")
    secrets.save(folder / "secrets.json", kept.with_sandbox("mer_sandbox", "sk_sandbox"))
    assert acting(folder, None) == acting(folder, "mer_sandbox") == ("mer_sandbox", "sk_sandbox")
    assert acting(folder, "mer_other") == ("mer_other", None)
    environment.setenv("TAEL_URL", f"{STATE_URL}/")
    assert acting(folder, None) == ("mer_sandbox", "sk_sandbox")
    environment.setenv("TAEL_URL", "http://127.0.0.1:1")
    assert acting(folder, None) == (None, None)


def acting(folder: Path, merchant: str | None) -> tuple[str | None, str | None]:
    """In whose name a command calls, and the key that is known of it."""
    caller = attach.in_the_name_of(folder, merchant)
    with caller.api as api:
        assert api._client.headers.get("Tael-Merchant") == caller.merchant
    return caller.merchant, caller.sandbox_key


def test_a_damaged_folder_is_told(folder: Path) -> None:
    (folder / "running.json").write_text("{")
    with pytest.raises(LocalError, match="cannot be read: start that system again"):
        attach.platform(folder)


def test_nobody_there(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAEL_PLATFORM_KEY", KEY)
    environment.setenv("TAEL_URL", "http://127.0.0.1:9")
    with pytest.raises(LocalError, match=r"GET /local/system got no answer"):
        attach.attach(tmp_path)


def test_what_is_no_system_of_this_machine_has_to_be_named(
    system: System, tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    assert system.acquirer_url
    environment.setenv("TAEL_PLATFORM_KEY", KEY)
    environment.setenv("TAEL_URL", system.acquirer_url)
    with pytest.raises(LocalError, match="is not served by `tael up`: name its engine in TAEL_ENGINE"):
        attach.attach(tmp_path)
