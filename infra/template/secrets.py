"""The secrets: made by AWS itself, so that nobody has ever seen them who need not."""

import string

from infra.template.keys import DATA_KEY
from infra.template.words import Resources, Value, attribute, kept, logical, sub

PLATFORM_KEY = "platform_key"
# Said twice, by kind and by character: the embedded engine does not know of kinds.
_ALPHANUMERIC: dict[str, Value] = {
    "PasswordLength": 64,
    "ExcludePunctuation": True,
    "ExcludeCharacters": string.punctuation,
    "RequireEachIncludedType": False,
}
_HEXADECIMAL: dict[str, Value] = {
    **_ALPHANUMERIC,
    "ExcludeUppercase": True,
    "ExcludeCharacters": string.punctuation + string.ascii_uppercase + string.ascii_lowercase[6:],
}
"""256 bits, as `chassis.config` takes them."""

SECRETS: dict[str, tuple[str, dict[str, Value]]] = {
    PLATFORM_KEY: (
        "The operator's key: it may do everything.",
        _ALPHANUMERIC,
    ),
    "peppers": (
        "Version -> pepper of API keys, oldest first; add one to rotate, remove one to retire it.",
        {**_HEXADECIMAL, "SecretStringTemplate": "{}", "GenerateStringKey": "1"},
    ),
    "fingerprint_key": (
        "By which a card is recognised again: it must never change.",
        _HEXADECIMAL,
    ),
    "webhook_key": (
        "From which every webhook secret is derived: it must never change.",
        _HEXADECIMAL,
    ),
}


def secret_id(setting: str) -> str:
    """A secret's logical id."""
    return logical(setting, "Secret")


def secret_arn(setting: str) -> Value:
    """A secret's ARN; Ref is that too, but on the embedded engine."""
    return attribute(secret_id(setting), "Id")


def secrets() -> Resources:
    """Every setting that is a secret."""
    return {
        secret_id(setting): kept(
            "SecretsManager::Secret",
            {
                "Name": sub(f"tael/${{Stage}}/{setting.replace('_', '-')}"),
                "Description": description,
                "KmsKeyId": attribute(DATA_KEY),
                "GenerateSecretString": generated,
            },
        )
        for setting, (description, generated) in SECRETS.items()
    }
