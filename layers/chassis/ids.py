"""Owns identifiers: derived from what names an operation, or random where nothing does."""

import base64
import hashlib
import json
import re
import secrets

# 15 bytes are 24 characters of base 32 without padding; 120 bits leave no room for an accident.
_DERIVED_BYTES = 15
ID_LENGTH = 24
ID_PATTERN = f"[a-z2-7]{{{ID_LENGTH}}}"


def derive(prefix: str, *parts: str) -> str:
    """The identifier that these parts always give, such as `wal_` and 24 characters.

    The parts are hashed as a JSON array, so that no two lists of parts read alike.
    """
    digest = hashlib.sha256(json.dumps([prefix, *parts]).encode()).digest()
    return f"{prefix}_{_text(digest[:_DERIVED_BYTES])}"


def random(prefix: str) -> str:
    """An identifier that nothing else has."""
    return f"{prefix}_{_text(secrets.token_bytes(_DERIVED_BYTES))}"


def fingerprint(content: str) -> str:
    """A digest that tells whether two requests ask the same."""
    return _text(hashlib.sha256(content.encode()).digest()[:_DERIVED_BYTES])


def pattern(prefix: str) -> str:
    """The regular expression of identifiers with that prefix, for pydantic and OpenAPI."""
    return f"^{prefix}_{ID_PATTERN}$"


def pack(*parts: str) -> str:
    """Several texts as one opaque token, for cursors and entry ids."""
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def unpack(token: str, count: int) -> tuple[str, ...] | None:
    """What `pack` was given, or None when it was not `pack` that made this token."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,512}", token):
        return None
    try:
        parts = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError:
        return None
    if not isinstance(parts, list) or len(parts) != count:
        return None
    if not all(isinstance(part, str) and part.isascii() and part.isprintable() for part in parts):
        return None
    return tuple(parts)


def _text(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()
