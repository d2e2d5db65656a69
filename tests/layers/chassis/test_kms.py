"""Data keys: bound to their context, asked for again when KMS stumbles, and counted."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chassis import aws, clock, kms, observe
from chassis.config import ConfigurationError, settings
from chassis.errors import Unavailable
from local.system import System

CONTEXT = {"merchant": "mer_1"}


def test_a_data_key_comes_back_in_its_context_alone(engine: System) -> None:
    with observe.metered() as counted:
        plaintext, wrapped = kms.generate_data_key(CONTEXT)
        assert len(plaintext) == 32
        assert plaintext not in wrapped
        assert kms.unwrap_data_key(wrapped, CONTEXT) == plaintext
        with pytest.raises(kms.Refused):
            kms.unwrap_data_key(wrapped, {"merchant": "mer_2"})
    assert counted.key_calls == 3
    assert kms.generate_data_key(CONTEXT)[0] != plaintext


class Stumbling:
    """A KMS that fails in the order of a script before it answers."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    def decrypt(self, **_: Any) -> dict[str, bytes]:
        if self.failures:
            raise self.failures.pop(0)
        return {"Plaintext": b"key"}


def throttled() -> Exception:
    failure: Exception = ClientError({"Error": {"Code": "ThrottlingException"}}, "Decrypt")
    return failure


def silent() -> Exception:
    failure: Exception = ReadTimeoutError(endpoint_url="the key service")
    return failure


@pytest.fixture
def stumbling(engine: System, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def stumble(*failures: Exception) -> None:
        client = Stumbling(*failures)
        monkeypatch.setattr(aws, "client", lambda service: client)
        monkeypatch.setattr(clock, "sleep", lambda seconds: None)

    return stumble


@pytest.mark.parametrize("failure", [throttled, silent])
def test_a_stumble_is_tried_again(stumbling: Callable[..., None], failure: Callable[[], Exception]) -> None:
    stumbling(failure())
    assert kms.unwrap_data_key(b"wrapped", CONTEXT) == b"key"
    stumbling(*(failure() for _ in range(kms.TRIES)))
    with pytest.raises(Unavailable, match="repeat the same request"):
        kms.unwrap_data_key(b"wrapped", CONTEXT)


def test_what_no_retry_mends_is_raised_as_it_is(stumbling: Callable[..., None]) -> None:
    stumbling(ClientError({"Error": {"Code": "AccessDeniedException"}}, "Decrypt"))
    with pytest.raises(ClientError):
        kms.unwrap_data_key(b"wrapped", CONTEXT)


def test_without_a_key_the_setting_is_named(engine: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAEL_CARD_KEY")
    settings.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match="TAEL_CARD_KEY is not set"):
            kms.generate_data_key(CONTEXT)
    finally:
        settings.cache_clear()
