"""The payouts table: one record for each payout, which is its idempotency record, and the feed's bookmark."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from chassis import store
from chassis.attributes import Item
from chassis.paging import Page, listed, newest
from chassis.writes import ABSENT, Exists, Key, Write, put, replace_version
from functions.payouts.records import StoredPayout
from functions.payouts.shapes import Payout, PayoutQuery, Status

TABLE = "payouts"
_BOOKMARK: Key = {"pk": "bookmark"}


class Bookmark(BaseModel):
    """How far the bank's feed of changes has been read."""

    model_config = ConfigDict(frozen=True)

    line: int = 0
    version: int = 0


def _key(payout_id: str) -> Key:
    return {"pk": payout_id}


def save(payout: StoredPayout) -> Write:
    """The payout in place of the version that it came from (0: none). Exists holds what stands there."""
    item = {
        **payout.model_dump(exclude={"version"}, exclude_none=True),
        **listed(payout.merchant_id, payout.created_at, payout.id),
    }
    if payout.version == 0:
        return put(TABLE, _key(payout.id), item, ABSENT, refused=Exists)
    return replace_version(TABLE, _key(payout.id), item, payout.version, refused=Exists)


def kept(payout: StoredPayout) -> StoredPayout:
    """The payout at the version that its save left."""
    return payout.model_copy(update={"version": payout.version + 1})


def is_payout(item: Item) -> bool:
    """Whether an item of this table is a payout, and not the bookmark."""
    return str(item["pk"]).startswith("po_")


def parsed(item: Item) -> StoredPayout:
    """The payout that an item says."""
    return StoredPayout.model_validate(item)


def payout(payout_id: str) -> StoredPayout | None:
    """The payout as of now."""
    item = store.get(TABLE, _key(payout_id))
    return parsed(item) if item else None


def payouts_of(merchant_id: str, query: PayoutQuery) -> Page[Payout]:
    """A page of the merchant's payouts."""

    def load(keys: list[Item]) -> list[Payout | None]:
        items = store.get_many((TABLE, _key(key["pk"])) for key in keys)
        return [parsed(item).shown() if item else None for item in items]

    return newest(TABLE, merchant_id, query, load, query.keeps)


def waiting() -> Iterator[StoredPayout]:
    """Every payout that waits for the bank, by a scan: an index would cost every payout a write."""
    items = (item for item in store.scan(TABLE) if is_payout(item))
    return (parsed(item) for item in items if item["status"] == Status.PROCESSING)


def bookmark() -> Bookmark:
    """How far the feed has been read, as of now."""
    item = store.get(TABLE, _BOOKMARK)
    return Bookmark.model_validate(item) if item else Bookmark()


def move(bookmark: Bookmark, line: int) -> Write:
    """The bookmark at a later line. Exists: another reader has moved it meanwhile."""
    item = {"line": line}
    if bookmark.version == 0:
        return put(TABLE, _BOOKMARK, item, ABSENT, refused=Exists)
    return replace_version(TABLE, _BOOKMARK, item, bookmark.version, refused=Exists)


def bookmark_at(bookmark: Bookmark, line: int) -> Bookmark:
    """The bookmark as its move to that line left it."""
    return Bookmark(line=line, version=bookmark.version + 1)
