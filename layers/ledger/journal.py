"""Owns the journal: immutable entries, each in the partition of the account whose statement it belongs to."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from chassis import ids, paging, store
from chassis.attributes import Item
from chassis.errors import Conflict
from chassis.paging import Page, PageQuery
from chassis.shapes import Resource, Timestamp
from chassis.writes import ABSENT, Key, Write, put
from ledger.accounts import TABLE, Account
from ledger.reasons import Reason

_PREFIX = "ENTRY#"
_RANGE = (_PREFIX, "ENTRY$")
"""`$` follows `#`."""


class Entry(BaseModel):
    """One side of a posting as it is kept: `source` paid and `target` got.

    It stands in the partition of the guarded account whose statement it belongs to, or of neither side.
    """

    model_config = ConfigDict(frozen=True)

    posting: str
    partition: str
    source: str
    target: str
    amount: int
    currency: str
    reason: Reason
    reference: str
    created_at: str

    @property
    def id(self) -> str:
        """An opaque id that leads to the entry without an index."""
        return "ent_" + ids.pack(self.partition, self.created_at, self.posting)


class JournalEntry(Resource):
    """An entry as a statement shows it."""

    id: str
    posting: Annotated[str, Field(description="Both sides of one movement carry the same posting.")]
    account: str
    counterpart: str
    direction: Literal["credit", "debit"]
    amount: Annotated[int, Field(description="Minor units, always positive.")]
    currency: str
    reason: Reason
    reference: str
    created_at: Timestamp


def shown(entry: Entry, account: str | None = None) -> JournalEntry:
    """The entry from the point of view of an account, by default the one it stands with or that got it."""
    viewed = account or (entry.partition if entry.partition == entry.source else entry.target)
    incoming = entry.target == viewed
    return JournalEntry(
        id=entry.id,
        posting=entry.posting,
        account=viewed,
        counterpart=entry.source if incoming else entry.target,
        direction="credit" if incoming else "debit",
        amount=entry.amount,
        currency=entry.currency,
        reason=entry.reason,
        reference=entry.reference,
        created_at=entry.created_at,
    )


def _key(partition: str, created_at: str, posting: str) -> Key:
    return {"pk": partition, "sk": f"{_PREFIX}{created_at}#{posting}"}


def record(entry: Entry) -> Write:
    """Write an entry, once."""
    return put(
        TABLE,
        _key(entry.partition, entry.created_at, entry.posting),
        entry.model_dump(mode="json"),
        ABSENT,
        refused=lambda _: Conflict(f"posting {entry.posting} exists"),
    )


def statement(account: Account, query: PageQuery) -> Page[JournalEntry]:
    """A page of a guarded account's entries, newest first, true as of now."""
    listing = str(account)
    before = paging.bound(query, listing, *_RANGE)
    items = store.query(TABLE, ("pk", listing), ("sk", _PREFIX, before), limit=query.limit + 1)
    here = items[: query.limit]
    return Page(
        data=[shown(Entry.model_validate(item)) for item in here],
        next_cursor=paging.cursor(listing, str(here[-1]["sk"])) if len(items) > len(here) else None,
    )


def find(entry_id: str) -> Entry | None:
    """The entry of that id, or None."""
    parts = ids.unpack(entry_id.removeprefix("ent_"), 3)
    item = store.get(TABLE, _key(*parts)) if parts and all(parts) else None
    return Entry.model_validate(item) if item else None


def whole_ledger() -> Iterator[Item]:
    """Every item of the ledger, balances and entries, by a scan; `is_entry` tells them apart."""
    return store.scan(TABLE)


def is_entry(item: Item) -> bool:
    """Whether a ledger item is a journal entry, and not an account's balance."""
    return str(item["sk"]).startswith(_PREFIX)
