"""The topups table: one record for each top-up, which is its idempotency record."""

from collections.abc import Iterator

from chassis import store
from chassis.attributes import Item
from chassis.paging import Page, listed, newest
from chassis.writes import ABSENT, Exists, Key, Write, put, replace_version
from functions.topups.model import StoredTopup, Topup, TopupQuery
from ledger import accounts
from ledger.accounts import Balance

TABLE = "topups"


def _key(topup_id: str) -> Key:
    return {"pk": topup_id}


def save(topup: StoredTopup) -> Write:
    """The top-up in place of the version that it came from (0: none). Exists holds what stands there."""
    item = {
        **topup.model_dump(exclude={"version"}, exclude_none=True),
        **listed(topup.merchant_id, topup.created_at, topup.id),
    }
    if topup.version == 0:
        return put(TABLE, _key(topup.id), item, ABSENT, refused=Exists)
    return replace_version(TABLE, _key(topup.id), item, topup.version, refused=Exists)


def kept(topup: StoredTopup) -> StoredTopup:
    """The top-up at the version that its save left."""
    return topup.model_copy(update={"version": topup.version + 1})


def parsed(item: Item) -> StoredTopup:
    """The top-up that an item says."""
    return StoredTopup.model_validate(item)


def topup(topup_id: str) -> StoredTopup | None:
    """The top-up as of now."""
    item = store.get(TABLE, _key(topup_id))
    return parsed(item) if item else None


def topup_and_wallet(topup_id: str, wallet_id: str) -> tuple[StoredTopup | None, Balance | None]:
    """The top-up, should it exist, and the wallet's balance, in one read."""
    keys = [(TABLE, _key(topup_id)), (accounts.TABLE, accounts.wallet(wallet_id).key)]
    record, balance = store.get_many(keys)
    return (parsed(record) if record else None, Balance.model_validate(balance) if balance else None)


def topups_of(merchant_id: str, query: TopupQuery) -> Page[Topup]:
    """A page of the merchant's top-ups."""

    def load(keys: list[Item]) -> list[Topup | None]:
        items = store.get_many((TABLE, _key(key["pk"])) for key in keys)
        return [parsed(item).shown() if item else None for item in items]

    return newest(TABLE, merchant_id, query, load, query.keeps)


def everything() -> Iterator[StoredTopup]:
    """Every top-up, by a scan: an index of those that wait would cost every top-up a write."""
    return map(parsed, store.scan(TABLE))
