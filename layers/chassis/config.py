"""Owns the settings of a process: read once from `TAEL_*` variables, refused in one readable sentence."""

import json
import os
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AliasGenerator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from chassis.clock import FILE_VARIABLE

PEPPER_MIN_BYTES = 16
PLATFORM_KEY_MIN_LENGTH = 32
Secret = Literal["platform_key", "peppers", "fingerprint_key", "webhook_key"]
"""The settings that can come from Secrets Manager."""


class ConfigurationError(Exception):
    """The environment of this process cannot be used; the message says which variable and why."""


class Engine(StrEnum):
    """Where DynamoDB and SQS are."""

    EMBEDDED = "embedded"
    LOCALSTACK = "localstack"
    AWS = "aws"


def _variable(name: str) -> str:
    return f"TAEL_{name.upper()}"


class Settings(BaseModel):
    """Everything a process learns from its environment: it is validated from variables, by their names."""

    # Not pydantic-settings, whose import takes as long as half of pydantic's: it brings asyncio and argparse.
    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=_variable), frozen=True, hide_input_in_errors=True
    )

    engine: Engine = Engine.AWS
    engine_url: str | None = None
    stage: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,15}$")] = "local"
    region: Annotated[str, Field(validation_alias="AWS_REGION")] = "us-east-1"
    secrets: dict[Secret, str] = Field(default_factory=dict)
    """Setting -> the ARN of the secret with its value, which wins over a variable; given as a JSON object."""
    # Only what answers HTTP needs these two: who handles a queue's messages asks nobody who they are.
    platform_key: SecretStr | None = None
    peppers: dict[str, SecretStr] = Field(default_factory=dict)
    """Version -> hexadecimal secret, oldest first; given as `1:<hex>,2:<hex>`, or as a JSON object."""
    # Only the functions that work with bank cards need these.
    card_key: str | None = None
    """KMS key that wraps the data keys of card numbers: an alias, an id or an ARN."""
    fingerprint_key: SecretStr | None = None
    """Hexadecimal secret, the same for ever: by it a card is recognised again."""
    acquirer_url: str | None = None
    bank_url: str | None = None
    resolve_seconds: Annotated[int, Field(ge=1, le=900)] = 60
    """After which whoever asked the acquirer is done or dead: longer than any function that asks may take."""
    acquirer_try_seconds: Annotated[float, Field(gt=0, le=30)] = 2.0
    """After which one call to the acquirer is given up, and repeated under the same attempt id."""
    acquirer_total_seconds: Annotated[float, Field(gt=0, le=30)] = 5.0
    """After which the outcome is unknown, however many tries that were."""
    bank_try_seconds: Annotated[float, Field(gt=0, le=30)] = 2.0
    """As with the acquirer."""
    bank_total_seconds: Annotated[float, Field(gt=0, le=30)] = 5.0
    subscriptions: dict[str, tuple[str, ...]] | None = None
    """Type of an event, or a pattern -> the queues that are told of it; given as a JSON object."""
    event_types: tuple[str, ...] = ()
    """Every type of event that there is; given as a JSON array."""
    webhook_key: SecretStr | None = None
    """Hexadecimal secret, the same for ever: every signing secret of a webhook endpoint comes from it."""
    webhook_allow_loopback: bool = False
    """Whether webhooks may go to this very machine, by plain HTTP; for a laptop only."""
    clock_file: Path | None = None
    """Where the embedded engine's calendar has been moved to; `chassis.clock` reads it."""

    @field_validator("secrets", "subscriptions", "event_types", mode="before")
    @classmethod
    def _parse_json(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("must be JSON") from None

    @field_validator("platform_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < PLATFORM_KEY_MIN_LENGTH:
            raise ValueError(f"must have at least {PLATFORM_KEY_MIN_LENGTH} characters")
        return value

    @field_validator("peppers", mode="before")
    @classmethod
    def _parse_peppers(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        peppers: dict[str, str] = {}
        for version, secret in _pairs(value):
            if not version or version in peppers or not _is_long_hexadecimal(secret):
                raise ValueError(f"must look like 1:<hex>,2:<hex> with >= {PEPPER_MIN_BYTES} bytes each")
            peppers[version] = secret
        return peppers

    @field_validator("fingerprint_key", "webhook_key")
    @classmethod
    def _a_long_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_long_hexadecimal(value.get_secret_value()):
            raise ValueError(f"must be hexadecimal, of at least {PEPPER_MIN_BYTES} bytes")
        return value

    @model_validator(mode="after")
    def _embedded_has_a_url(self) -> Self:
        if self.engine is Engine.EMBEDDED and not self.engine_url:
            raise ValueError("TAEL_ENGINE_URL is required when TAEL_ENGINE is embedded")
        return self

    @model_validator(mode="after")
    def _only_the_embedded_engine_moves_in_time(self) -> Self:
        if self.clock_file is not None and self.engine is not Engine.EMBEDDED:
            raise ValueError(f"{FILE_VARIABLE} is only for the embedded engine")
        return self

    def pepper(self, version: str) -> bytes | None:
        """The secret of that version, or None when it has been retired."""
        self.require_peppers()
        secret = self.peppers.get(version)
        return bytes.fromhex(secret.get_secret_value()) if secret else None

    def required(
        self,
        name: Literal[
            "acquirer_url", "bank_url", "card_key", "fingerprint_key", "platform_key", "webhook_key"
        ],
    ) -> str:
        """An optional setting that this function cannot do without. Raises ConfigurationError when unset."""
        value = getattr(self, name)
        if not value:
            raise _unset(name)
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

    def require_peppers(self) -> None:
        """Raise ConfigurationError where there are none: no API key would be anybody's."""
        if not self.peppers:
            raise _unset("peppers")

    @property
    def current_pepper_version(self) -> str:
        """The version that new API keys are sealed with: the last one listed."""
        self.require_peppers()
        return list(self.peppers)[-1]


def _unset(name: str) -> ConfigurationError:
    return ConfigurationError(f"{_variable(name)} is not set, and this function needs it")


def _pairs(text: str) -> list[tuple[str, str]]:
    """Versions and secrets, as a JSON object or as `1:<hex>,2:<hex>`."""
    if text.lstrip().startswith("{"):
        try:
            pairs = json.loads(text, object_pairs_hook=list)
        except ValueError:
            return [("", text)]
        return [(str(version), str(secret)) for version, secret in pairs]
    split = (part.strip().partition(":") for part in text.split(","))
    return [(version, secret) for version, _, secret in split]


def _is_long_hexadecimal(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) >= PEPPER_MIN_BYTES
    except ValueError:
        return False


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process. Raises ConfigurationError naming every variable at fault."""
    try:
        plain = Settings.model_validate(dict(os.environ))
        return Settings.model_validate({**os.environ, **_read_secrets(plain)}) if plain.secrets else plain
    except ValidationError as error:
        raise ConfigurationError("; ".join(_sentences(error))) from None


def _read_secrets(plain: Settings) -> dict[str, str]:
    """The variables that are secrets, with their values, once per process: a cold start waits for it."""
    from chassis import aws  # noqa: PLC0415 - it is told by settings where to connect to

    values: dict[str, str] = {}
    for name, arn in plain.secrets.items():
        try:
            values[_variable(name)] = aws.secret_value(arn, plain)
        except aws.TROUBLE as error:
            why = aws.error_code(error) or type(error).__name__
            raise ConfigurationError(f"TAEL_SECRETS: the secret of {name} cannot be read: {why}") from None
    return values


def _sentences(error: ValidationError) -> list[str]:
    sentences = []
    for problem in error.errors(include_input=False):
        where = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        sentences.append(f"{where}: {message}" if where else message)
    return sentences


def table_name(table: str) -> str:
    """The physical name of a declared table in this stage, such as `tael-local-payments`."""
    return f"tael-{settings().stage}-{table}"


def queue_name(queue: str) -> str:
    """The physical name of a declared queue in this stage, such as `tael-local-captures`."""
    return f"tael-{settings().stage}-{queue}"
