"""The principals table: merchants and their API keys, in the layout that authentication reads."""

from chassis import auth, store
from chassis.attributes import Item
from chassis.auth import TABLE, StoredKey
from chassis.errors import Conflict, NotFound
from chassis.paging import Page, PageQuery, listed, newest
from chassis.writes import ABSENT, Exists, Write, at_most, equals, put, replace_version, update
from functions.merchants.model import MAX_LIVE_KEYS, ApiKey, Merchant, StoredMerchant


def create_merchant(merchant: StoredMerchant) -> Write:
    """The merchant's record, which is the idempotency record of its onboarding."""
    item = {
        **merchant.model_dump(exclude={"version"}),
        **listed("merchant", merchant.created_at, merchant.id),
    }
    return put(TABLE, auth.merchant_key(merchant.id), item, ABSENT, refused=Exists)


def save_merchant(merchant: StoredMerchant) -> Write:
    """The merchant in place of the version that was read; Exists holds what another wrote meanwhile."""
    item = {
        **merchant.model_dump(exclude={"version"}),
        **listed("merchant", merchant.created_at, merchant.id),
    }
    return replace_version(TABLE, auth.merchant_key(merchant.id), item, merchant.version, refused=Exists)


def create_key(merchant_id: str, key: StoredKey, created_at: str) -> Write:
    """The key's record, which is the idempotency record of its creation."""
    item = {
        **key.model_dump(),
        "created_at": created_at,
        **listed(f"key#{merchant_id}", created_at, key.id),
    }
    return put(TABLE, auth.api_key_key(merchant_id, key.id), item, ABSENT, refused=Exists)


def count_key(merchant_id: str) -> Write:
    """One more live key, unless there are as many as may be."""

    def refused(found: Item | None) -> Exception:
        if found is None:
            return NotFound(f"there is no merchant {merchant_id}")
        return Conflict(f"{merchant_id} has {MAX_LIVE_KEYS} live keys: revoke one first")

    return update(
        TABLE,
        auth.merchant_key(merchant_id),
        at_most("live_keys", MAX_LIVE_KEYS - 1),
        refused=refused,
        add={"live_keys": 1},
    )


def revoke_key(merchant_id: str, key_id: str, revoked_at: str) -> tuple[Write, ...]:
    """The key revoked, and one live key less."""

    def refused(found: Item | None) -> Exception:
        return Exists(found) if found else NotFound(f"there is no key {key_id}")

    return (
        update(
            TABLE,
            auth.api_key_key(merchant_id, key_id),
            equals("status", "live"),
            refused=refused,
            assign={"status": "revoked", "revoked_at": revoked_at},
        ),
        update(
            TABLE,
            auth.merchant_key(merchant_id),
            refused=lambda _: NotFound(f"there is no merchant {merchant_id}"),
            add={"live_keys": -1},
        ),
    )


def merchant(merchant_id: str) -> StoredMerchant | None:
    """The merchant as of now."""
    item = store.get(TABLE, auth.merchant_key(merchant_id))
    return StoredMerchant.model_validate(item) if item else None


def api_key(merchant_id: str, key_id: str) -> ApiKey | None:
    """The key as of now."""
    item = store.get(TABLE, auth.api_key_key(merchant_id, key_id))
    return ApiKey.model_validate(item) if item else None


def merchants(query: PageQuery) -> Page[Merchant]:
    """A page of all merchants."""

    def load(keys: list[Item]) -> list[Merchant | None]:
        items = store.get_many((TABLE, {"pk": key["pk"], "sk": key["sk"]}) for key in keys)
        return [StoredMerchant.model_validate(item).shown() if item else None for item in items]

    return newest(TABLE, "merchant", query, load)


def api_keys(merchant_id: str, query: PageQuery) -> Page[ApiKey]:
    """A page of the merchant's keys."""

    def load(keys: list[Item]) -> list[ApiKey | None]:
        items = store.get_many((TABLE, {"pk": key["pk"], "sk": key["sk"]}) for key in keys)
        return [ApiKey.model_validate(item) if item else None for item in items]

    return newest(TABLE, f"key#{merchant_id}", query, load)
