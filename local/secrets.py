"""The secrets of a system on this machine: generated once, kept in one private file."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

from local.errors import LocalError
from local.state import PRIVATE_FILE

PEPPER_BYTES = 32
OPERATOR_KEY_BYTES = 32
KEY_BYTES = 32
"""Of the key for fingerprints of cards, and of the one for webhooks."""


def _key() -> str:
    return secrets.token_hex(KEY_BYTES)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must be the same after a restart, or no key issued before it would work."""

    peppers: str
    platform_key: str
    # A file from before there were cards, or webhooks, has none yet.
    fingerprint_key: str = field(default_factory=_key)
    webhook_key: str = field(default_factory=_key)
    sandbox_merchant: str | None = None
    sandbox_key: str | None = None

    @classmethod
    def generate(cls) -> Self:
        """A first pepper, an operator key, and the keys for fingerprints and for webhooks."""
        return cls(
            peppers=f"1:{secrets.token_hex(PEPPER_BYTES)}",
            platform_key=f"op_{secrets.token_urlsafe(OPERATOR_KEY_BYTES)}",
        )

    def with_sandbox(self, merchant: str, key: str) -> Self:
        """The same secrets, with a sandbox merchant to show again after a restart."""
        return replace(self, sandbox_merchant=merchant, sandbox_key=key)


def load_or_generate(path: Path) -> Secrets:
    """The secrets in this file; the first time they are made and written."""
    try:
        text = path.read_text()
        path.chmod(PRIVATE_FILE)
    except FileNotFoundError:
        generated = Secrets.generate()
        save(path, generated)
        return generated
    except OSError as error:
        raise LocalError(f"The secrets in {path} cannot be read: {error.strerror}.") from error
    try:
        content = json.loads(text)
        kept = Secrets(**content)
    except (ValueError, TypeError) as error:
        # Never replaced by new ones: every key issued so far depends on this pepper.
        raise LocalError(f"The secrets in {path} are damaged: restore the file, or start afresh.") from error
    if asdict(kept) != content:
        save(path, kept)
    return kept


def save(path: Path, kept: Secrets) -> None:
    """Write the file whole or not at all, readable by nobody else at any moment."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(kept), file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise LocalError(f"The secrets in {path} cannot be written: {error.strerror}.") from error
