"""The payouts table: one record for each payout, which is its idempotency record, and the feed's bookmark."""

import zlib
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from chassis import store
from chassis.attributes import Item
from chassis.paging import Page, listed, newest
from chassis.writes import ABSENT, Exists, Key, Write, put, replace_version
from functions.payouts.records import Change, StoredPayout
from functions.payouts.shapes import Payout, PayoutQuery

TABLE = "payouts"
OVERLAP_LINES = 100
"""So far below the bookmark the feed is read again, for lines that become visible late."""
_BOOKMARK: Key = {"pk": "bookmark"}


class Bookmark(BaseModel):
    """How far the bank's feed of changes has been read, and which lines of it were read last."""

    model_config = ConfigDict(frozen=True)

    line: int = 0
    passed: tuple[int, ...] = ()
    """A checksum of each, so that a line whose number was another's in a feed before is told from that."""
    version: int = 0

    @property
    def reads_after(self) -> int:
        """Where to begin."""
        return max(0, self.line - OVERLAP_LINES)

    def has_passed(self, change: Change) -> bool:
        """Whether the line has been read, and need not be followed again."""
        return _checksum(change) in self.passed


def _checksum(change: Change) -> int:
    return zlib.crc32(change.model_dump_json().encode())


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


def everything() -> Iterator[StoredPayout]:
    """Every payout, by a scan: an index of the unfinished ones would cost every payout a write."""
    return (parsed(item) for item in store.scan(TABLE) if is_payout(item))


def bookmark() -> Bookmark:
    """How far the feed has been read, as of now."""
    item = store.get(TABLE, _BOOKMARK)
    return Bookmark.model_validate(item) if item else Bookmark()


def past(bookmark: Bookmark, changes: Sequence[Change]) -> Bookmark:
    """The bookmark at its next version, when these lines have been followed."""
    return Bookmark(
        line=max(bookmark.line, *(change.line for change in changes)),
        passed=(*bookmark.passed, *map(_checksum, changes))[-OVERLAP_LINES:],
        version=bookmark.version + 1,
    )


def move(bookmark: Bookmark) -> Write:
    """The bookmark in place of the version before it. Exists: another reader has moved that meanwhile."""
    item, before = bookmark.model_dump(exclude={"version"}), bookmark.version - 1
    if before == 0:
        return put(TABLE, _BOOKMARK, item, ABSENT, refused=Exists)
    return replace_version(TABLE, _BOOKMARK, item, before, refused=Exists)
