"""Secrets come from Secrets Manager where a variable says which; what cannot be read is told in words."""

import json
import uuid
from collections.abc import Callable, Iterator

import pytest

from chassis import aws
from chassis.config import ConfigurationError, settings
from local.system import System

PLATFORM_KEY, PEPPER = "k" * 40, "0f" * 16
ELSEWHERE = "arn:aws:secretsmanager:us-east-1:000000000000:secret:nowhere-abcdef"
Make = Callable[[str], str]


@pytest.fixture
def make(engine: System) -> Make:
    """Makes a secret of this value; returns its ARN."""
    client = aws.administrator("secretsmanager")

    def made(value: str) -> str:
        arn: str = client.create_secret(Name=f"tael/{uuid.uuid4()}", SecretString=value)["ARN"]
        return arn

    return made


@pytest.fixture
def tell(engine: System, make: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Tells this process where its secrets are, which it has as no variable."""

    def told(**secrets: str) -> None:
        for name in ("PLATFORM_KEY", "PEPPERS", "WEBHOOK_KEY", "FINGERPRINT_KEY"):
            monkeypatch.delenv(f"TAEL_{name}", raising=False)
        monkeypatch.setenv("TAEL_SECRETS", json.dumps(secrets))
        settings.cache_clear()

    yield told
    monkeypatch.undo()
    settings.cache_clear()


def test_they_are_read_as_if_they_were_variables(make: Make, tell: Callable[..., None]) -> None:
    peppers = json.dumps({"1": PEPPER, "2": PEPPER[::-1]})
    tell(platform_key=make(PLATFORM_KEY), peppers=make(peppers), webhook_key=make(PEPPER))
    chosen = settings()
    assert chosen.required("platform_key") == PLATFORM_KEY
    assert chosen.current_pepper_version == "2"
    assert chosen.pepper("1") == bytes.fromhex(PEPPER)
    assert chosen.required("webhook_key") == PEPPER
    assert PEPPER not in repr(chosen)
    assert PLATFORM_KEY not in repr(chosen)
    assert settings() is chosen


def test_they_win_over_variables(
    make: Make, tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(platform_key=make(PLATFORM_KEY))
    monkeypatch.setenv("TAEL_PLATFORM_KEY", "v" * 40)
    assert settings().required("platform_key") == PLATFORM_KEY


def test_what_cannot_be_read_is_named(tell: Callable[..., None]) -> None:
    tell(peppers=ELSEWHERE)
    with pytest.raises(ConfigurationError) as refusal:
        settings()
    why = "TAEL_SECRETS: the secret of peppers cannot be read: ResourceNotFoundException"
    assert str(refusal.value) == why


def test_what_is_read_must_be_of_use_and_is_not_told(make: Make, tell: Callable[..., None]) -> None:
    tell(platform_key=make("short"), peppers=make('{"1": "secret"}'))
    with pytest.raises(ConfigurationError) as refusal:
        settings()
    assert str(refusal.value) == (
        "TAEL_PLATFORM_KEY: must have at least 32 characters; "
        "TAEL_PEPPERS: must look like 1:<hex>,2:<hex> with >= 16 bytes each"
    )


def test_only_what_is_a_secret_can_be_one(tell: Callable[..., None]) -> None:
    tell(stage=ELSEWHERE)
    with pytest.raises(ConfigurationError, match="TAEL_SECRETS"):
        settings()
