"""Owns card numbers at rest: how they are sealed and revealed, and where they stand in the vault's table."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
from typing import Literal

from cachetools import TTLCache
from pydantic import BaseModel, ConfigDict

from acquiring.acquirer import Card
from chassis import clock, ids, kms, store
from chassis.config import settings
from chassis.writes import Key

TABLE = "vault"
NONCE_BYTES = 12
"""96 bits, random for each number (NIST SP 800-38D, section 8.2.2)."""
CACHE_SECONDS = 300
CACHE_ENTRIES = 1_000


class SealBroken(Exception):
    """What stands in the vault is not what was sealed there for this card of this merchant."""


class DataKey(BaseModel):
    """A merchant's data key, wrapped by KMS for this merchant alone."""

    model_config = ConfigDict(frozen=True)

    id: str
    wrapped: str
    """Base 64."""


class Sealed(BaseModel):
    """A sealed card number, with the wrapped key that opens it: it depends on no other item."""

    model_config = ConfigDict(frozen=True)

    key: DataKey
    nonce: str
    ciphertext: str
    """Both base 64; the ciphertext ends with GCM's 16 bytes of tag."""


class StoredPan(BaseModel):
    """What of a vault item is needed to use the card."""

    model_config = ConfigDict(frozen=True)

    id: str
    merchant_id: str
    status: Literal["active", "deleted", "declined"]
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    sealed: Sealed | None = None


def card_key(merchant_id: str, card_id: str) -> Key:
    """Where a card stands in the vault table; nobody finds it but through its merchant."""
    return {"pk": f"{merchant_id}#{card_id}"}


def data_key_key(merchant_id: str) -> Key:
    """Where the data key that seals this merchant's next numbers stands."""
    return {"pk": f"{merchant_id}#key"}


def new_data_key(merchant_id: str) -> DataKey:
    """A data key for that merchant; one KMS call. Raises Unavailable."""
    plaintext, wrapped = kms.generate_data_key(_context(merchant_id))
    key = DataKey(id=ids.random("dek"), wrapped=base64.b64encode(wrapped).decode())
    with _plaintexts_lock:
        _plaintexts[merchant_id, key.wrapped] = plaintext
    return key


def seal(key: DataKey, merchant_id: str, card_id: str, number: str) -> Sealed:
    """The number, readable only as this card of this merchant. Raises Unavailable."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - most work has no card

    nonce = secrets.token_bytes(NONCE_BYTES)
    cipher = AESGCM(_plaintext(merchant_id, key))
    ciphertext = cipher.encrypt(nonce, number.encode(), _bound_to(merchant_id, card_id))
    return Sealed(
        key=DataKey(id=key.id, wrapped=key.wrapped),
        nonce=base64.b64encode(nonce).decode(),
        ciphertext=base64.b64encode(ciphertext).decode(),
    )


def unseal(sealed: Sealed, merchant_id: str, card_id: str) -> str:
    """The number. Raises SealBroken, or Unavailable when its key is not at hand and KMS does not answer."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as in `seal`
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as in `seal`

    try:
        cipher = AESGCM(_plaintext(merchant_id, sealed.key))
        nonce, ciphertext = base64.b64decode(sealed.nonce), base64.b64decode(sealed.ciphertext)
        return cipher.decrypt(nonce, ciphertext, _bound_to(merchant_id, card_id)).decode()
    except (InvalidTag, ValueError, kms.Refused):
        raise SealBroken(f"the number of {card_id} cannot be opened for {merchant_id}") from None


def reveal(merchant_id: str, card_id: str) -> Card | None:
    """The merchant's card with its full number, or None where there is none to use (any more).

    One read, and a KMS call only when the card's data key was not used here lately. Raises SealBroken, or
    Unavailable.
    """
    item = store.get(TABLE, card_key(merchant_id, card_id))
    if item is None:
        return None
    stored = StoredPan.model_validate(item)
    if stored.status != "active" or stored.sealed is None:
        return None
    return Card(
        number=unseal(stored.sealed, merchant_id, card_id),
        exp_month=stored.exp_month,
        exp_year=stored.exp_year,
        brand=stored.brand,
        last4=stored.last4,
    )


def fingerprint(*parts: str) -> str:
    """A keyed digest of these parts, in which nobody without the key can search for a card number.

    A plain hash would not do: between BIN and last four digits there are only a hundred thousand numbers.
    """
    key = bytes.fromhex(settings().required("fingerprint_key"))
    digest = hmac.new(key, json.dumps(parts).encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:20]).decode().lower()


# Plaintext data keys, bounded in age and number. The wrapped key is part of the name, so that what is
# found here was unwrapped for this very merchant.
_plaintexts: TTLCache[tuple[str, str], bytes] = TTLCache(
    maxsize=CACHE_ENTRIES,
    ttl=CACHE_SECONDS,
    timer=lambda: clock.monotonic(),  # noqa: PLW0108 - looked up at each call, so that tests can move it
)
_plaintexts_lock = threading.Lock()


def _plaintext(merchant_id: str, key: DataKey) -> bytes:
    with _plaintexts_lock:
        cached: bytes | None = _plaintexts.get((merchant_id, key.wrapped))
    if cached is not None:
        return cached
    plaintext = kms.unwrap_data_key(base64.b64decode(key.wrapped), _context(merchant_id))
    with _plaintexts_lock:
        _plaintexts[merchant_id, key.wrapped] = plaintext
    return plaintext


def forget_keys() -> None:
    """Drop every plaintext data key of this process."""
    with _plaintexts_lock:
        _plaintexts.clear()


def _context(merchant_id: str) -> dict[str, str]:
    return {"merchant": merchant_id}


def _bound_to(merchant_id: str, card_id: str) -> bytes:
    return json.dumps([merchant_id, card_id]).encode()
