"""Owns who is calling: API keys, the platform's key, and the principal that every operation is given."""

import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from cachetools import TTLCache
from pydantic import BaseModel, ConfigDict, Field

from chassis import clock, ids, store
from chassis.config import settings
from chassis.errors import Forbidden, MalformedRequest, MerchantSuspended, Unauthorized, ValidationFailed
from chassis.writes import Key

TABLE = "principals"
PLATFORM = "platform"
SECRET_BYTES = 32
KEY_SUFFIX_LENGTH = 8

# Revocation, suspension and a new fee plan are seen by every process within this time.
CACHE_SECONDS = 30
CACHE_ENTRIES = 10_000

_KEY = re.compile(rf"sk_({ids.ID_PATTERN})([a-z2-7]{{{KEY_SUFFIX_LENGTH}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})")
_MERCHANT_ID = re.compile(ids.pattern("mer"))


class FeePlan(BaseModel):
    """What a captured payment costs its merchant."""

    model_config = ConfigDict(frozen=True)

    basis_points: int
    fixed: int
    """Minor units of the plan's currency."""


class BankAccount(BaseModel):
    """A bank account that the platform has registered for a merchant."""

    model_config = ConfigDict(frozen=True)

    holder_name: str
    iban: str = Field(repr=False)
    bic: str | None = None
    currency: str


class Merchant(BaseModel):
    """What an operation may know of the merchant in whose name it runs."""

    model_config = ConfigDict(frozen=True)

    id: str
    status: Literal["active", "suspended"]
    fees: dict[str, FeePlan]
    """Currency -> plan."""
    cut_off: str
    """When a settlement day ends, HH:MM in UTC."""
    settlement_delay_days: int
    """From the end of a settlement day until its money is available."""
    bank_accounts: dict[str, BankAccount] = Field(default_factory=dict)
    """Id -> where money may be paid out to."""


class StoredKey(BaseModel):
    """An API key as it is kept: never the key itself."""

    model_config = ConfigDict(frozen=True)

    id: str
    digest: str
    pepper: str
    status: Literal["live", "revoked"]


class Access(StrEnum):
    """Who may call an operation."""

    PUBLIC = "public"
    ANY = "any"
    """The platform, or a merchant."""
    MERCHANT = "merchant"
    """A merchant, or the platform on behalf of one."""
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: the platform, perhaps on behalf of a merchant, or a merchant with its own key."""

    is_platform: bool
    merchant: Merchant | None = None

    @property
    def id(self) -> str:
        """The effective principal: the merchant's id, or `platform`. Never the API key's."""
        return self.merchant.id if self.merchant else PLATFORM

    def owns(self, holder: str) -> bool:
        """Whether an object held by `holder` may be seen and touched by this caller."""
        return self.is_platform or holder == self.id

    @property
    def only_holder(self) -> str | None:
        """The holder that this caller's objects must have, or None where any will do."""
        return None if self.is_platform else self.id

    @property
    def acting_merchant(self) -> Merchant:
        """The merchant in whose name this runs; operations with Access.MERCHANT always have one."""
        if self.merchant is None:
            raise MalformedRequest("this operation runs on behalf of a merchant: send Tael-Merchant: mer_...")
        return self.merchant


def merchant_key(merchant_id: str) -> Key:
    """Where a merchant stands in the principals table."""
    return {"pk": merchant_id, "sk": "MERCHANT"}


def api_key_key(merchant_id: str, key_id: str) -> Key:
    """Where one of its API keys stands."""
    return {"pk": merchant_id, "sk": f"KEY#{key_id}"}


def mint(merchant_id: str, key_id: str) -> tuple[str, StoredKey]:
    """A new secret for that key id: the key to show once, and what to store of it.

    The key carries its merchant's id, so that one read finds both: `sk_<merchant><suffix>_<secret>`.
    """
    text = f"sk_{key_id.removeprefix('key_')}_{secrets.token_hex(SECRET_BYTES)}"
    version = settings().current_pepper_version
    digest = _digest(text, version)
    if digest is None or not _KEY.fullmatch(text) or not text[3:].startswith(merchant_id[4:]):
        raise ValueError(f"{key_id} is not a key id of {merchant_id}")
    return text, StoredKey(id=key_id, digest=digest, pepper=version, status="live")


def key_id_for(merchant_id: str, intent_id: str) -> str:
    """The id of the API key that an operation creates for this merchant."""
    return f"key_{merchant_id.removeprefix('mer_')}{intent_id.rpartition('_')[2][:KEY_SUFFIX_LENGTH]}"


def authenticate(authorization: str | None, on_behalf_of: str | None) -> Principal:
    """Who sent these two headers. Raises Unauthorized, or Forbidden for a merchant that names another."""
    scheme, _, presented = (authorization or "").partition(" ")
    presented = presented.strip()
    if scheme.lower() != "bearer":
        raise Unauthorized
    if hmac.compare_digest(presented.encode(), settings().required("platform_key").encode()):
        return _platform(on_behalf_of)
    match = _KEY.fullmatch(presented)
    if match is None:
        raise Unauthorized
    merchant, key = _lookup(f"mer_{match[1]}", f"key_{match[1]}{match[2]}")
    if merchant is None or key is None or key.status != "live" or not _verifies(presented, key):
        raise Unauthorized
    if on_behalf_of is not None:
        raise Forbidden("only the platform may act on behalf of a merchant (Tael-Merchant)")
    return Principal(is_platform=False, merchant=merchant)


def as_of_now(merchant: Merchant) -> Merchant:
    """The merchant read anew, for what may have been added since it was cached."""
    with _found_lock:
        _found.pop((merchant.id, None), None)
    return _lookup(merchant.id, None)[0] or merchant


def require(principal: Principal, access: Access, *, changes: bool) -> None:
    """Raise unless the caller may run an operation with this access; `changes`: it is no mere reading."""
    if access is Access.PLATFORM:
        if not principal.is_platform:
            raise Forbidden("only the platform may do this")
        return
    merchant = principal.acting_merchant if access is Access.MERCHANT else principal.merchant
    if changes and merchant is not None and merchant.status == "suspended":
        raise MerchantSuspended("this merchant is suspended: it may read, but not act")


def _platform(on_behalf_of: str | None) -> Principal:
    if on_behalf_of is None:
        return Principal(is_platform=True)
    merchant = _lookup(on_behalf_of, None)[0] if _MERCHANT_ID.fullmatch(on_behalf_of) else None
    if merchant is None:
        raise ValidationFailed.of("header", "/Tael-Merchant", "names no merchant")
    return Principal(is_platform=True, merchant=merchant)


Found = tuple[Merchant | None, StoredKey | None]
# Bounded in size and age. What was not found is remembered too: ids are too long to be guessed before
# they are issued, so a negative entry can only be a stranger's.
_found: TTLCache[tuple[str, str | None], Found] = TTLCache(
    maxsize=CACHE_ENTRIES,
    ttl=CACHE_SECONDS,
    timer=lambda: clock.monotonic(),  # noqa: PLW0108 - looked up at each call, so that tests can move it
)
_found_lock = threading.Lock()


def _lookup(merchant_id: str, key_id: str | None) -> Found:
    with _found_lock:
        cached: Found | None = _found.get((merchant_id, key_id))
    if cached is not None:
        return cached
    keys = [(TABLE, merchant_key(merchant_id))]
    if key_id is not None:
        keys.append((TABLE, api_key_key(merchant_id, key_id)))
    items = store.get_many(keys)
    merchant = Merchant.model_validate(items[0]) if items[0] else None
    key = StoredKey.model_validate(items[1]) if key_id is not None and items[1] else None
    with _found_lock:
        _found[merchant_id, key_id] = (merchant, key)
    return merchant, key


def _verifies(presented: str, key: StoredKey) -> bool:
    digest = _digest(presented, key.pepper)
    return digest is not None and hmac.compare_digest(digest, key.digest)


def _digest(text: str, version: str) -> str | None:
    pepper = settings().pepper(version)
    return hmac.new(pepper, text.encode(), hashlib.sha256).hexdigest() if pepper else None
