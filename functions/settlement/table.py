"""The settlements table: sums, the lines that were counted, and the manifest that tells them in order."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Literal

from chassis import clock, paging, store
from chassis.attributes import Item
from chassis.paging import Page, PageQuery, listed, newest, shard_of
from chassis.writes import (
    ABSENT,
    Exists,
    Key,
    Write,
    absent_or,
    at_most,
    equals,
    put,
    replace_version,
    upsert,
)
from functions.settlement import model
from functions.settlement.records import Carry, Line, StoredSettlement, packed, unpacked
from functions.settlement.shapes import Settlement, SettlementLine, SettlementQuery

TABLE = "settlements"
LINES = store.TRANSACTION_WRITES - 2
"""So many lines fit into one commit, beside their manifest and their settlement."""
LINE_SHARDS = 16
DUE_SHARDS = 8
PAGE = 100
CHUNKS = 50
"""Of the manifest, read at once: together they are far below the megabyte that a query gives."""
_SETTLEMENT = "SETTLEMENT"
_CHUNK = "CHUNK#"
_CHUNKS = (_CHUNK, "CHUNK$")
_PLACE = re.compile(rf"{_CHUNK}[^~]+~\d{{3}}")
"""Of a line: its chunk, and where it stands in that."""
_CARRY = "CARRY#"
_CARRIES = (_CARRY, "CARRY$")
"""`$` follows `#`."""


class Closed(Exception):
    """The settlement takes no more lines."""


class Delayed(Exception):
    """The settlement is available later than these lines are, and stays so."""

    def __init__(self, available_at: str) -> None:
        super().__init__(f"available at {available_at}")
        self.available_at = available_at


class Counted(Exception):
    """One of the lines was counted before."""


class CarryMoved(Exception):
    """Another settlement of the merchant was closed meanwhile."""


def key_of(settlement: StoredSettlement) -> Key:
    """Where a settlement stands."""
    return _key(settlement.id)


def _key(settlement_id: str) -> Key:
    return {"pk": settlement_id, "sk": _SETTLEMENT}


def _line_key(line: Line) -> Key:
    shard = shard_of(line.event_id, LINE_SHARDS)
    return {"pk": f"{line.merchant_id}#{line.currency}#{line.window}#{shard}", "sk": line.event_id}


def count(settlement: StoredSettlement, lines: Sequence[Line], at: datetime) -> tuple[Write, ...]:
    """Add lines of one window to an open settlement, which need not be there yet, each of them once.

    Of several delays the longest counts, so `settlement` must not be available before what is there is.
    Closed, Delayed or Counted is what their commit is refused with.
    """
    initial = {**_item(settlement), **_indexed(settlement), "opened_at": clock.timestamp(at)}
    head = upsert(
        TABLE,
        _key(settlement.id),
        absent_or(equals("status", "open")),
        absent_or(at_most("available_at", settlement.available_at)),
        refused=_closed_or_delayed,
        assign={"available_at": initial.pop("available_at")},
        initial=initial,
        add=model.sums(lines),
    )
    counted = (
        put(TABLE, _line_key(line), {"settlement": settlement.id}, ABSENT, refused=lambda _: Counted())
        for line in lines
    )
    return (head, *counted, _chunk(settlement.id, lines, at))


def _closed_or_delayed(found: Item | None) -> Exception:
    is_open = found is not None and found["status"] == "open"
    return Delayed(found["available_at"]) if found and is_open else Closed()


def _chunk(settlement_id: str, lines: Sequence[Line], at: datetime) -> Write:
    """The manifest of these lines. What all of them share is told once, for many must fit into few units."""
    first = lines[0]
    key = {"pk": settlement_id, "sk": f"{_CHUNK}{clock.timestamp(at)}#{first.event_id}"}
    shared = {"currency": first.currency, "window": first.window}
    return put(TABLE, key, {**shared, "lines": [packed(line) for line in lines]}, ABSENT, refused=Exists)


def not_counted(lines: Sequence[Line], *, as_of_now: bool) -> list[Line]:
    """The lines that no settlement has counted; at half the price of a moment ago, or as of now."""
    found = store.get_many(((TABLE, _line_key(line)) for line in lines), as_of_now=as_of_now)
    return [line for line, item in zip(lines, found, strict=True) if item is None]


def save(settlement: StoredSettlement) -> Write:
    """The settlement in place of the version that it came from. Exists holds what stands there instead."""
    item = {**_item(settlement), **_indexed(settlement)}
    return replace_version(TABLE, _key(settlement.id), item, settlement.version, refused=Exists)


def _item(settlement: StoredSettlement) -> Item:
    return settlement.model_dump(exclude={"version"}, exclude_defaults=True)


def _indexed(settlement: StoredSettlement) -> Item:
    """The attributes of the indexes: the merchant's list, what is due next, and what is not released yet."""
    mine = listed(settlement.merchant_id, settlement.window, settlement.id)
    # By whom and what it is for: a merchant's settlements are due in their order, in which they carry over.
    shard = shard_of(f"{settlement.merchant_id}#{settlement.currency}", DUE_SHARDS)
    if settlement.status == "released":
        return mine
    is_open = settlement.status == "open"
    step, due_at = ("close", settlement.window) if is_open else ("release", settlement.available_at)
    return {
        **mine,
        "due_pk": f"{step}#{shard}",
        "due_sk": f"{due_at}#{settlement.id}",
        "unreleased_pk": settlement.merchant_id,
        "unreleased_sk": f"{settlement.window}#{settlement.id}",
    }


def is_settlement(key: Item) -> bool:
    """Whether what stands there is a settlement, and none of its lines, nor what lists them."""
    return bool(key["sk"] == _SETTLEMENT)


def parsed(item: Item) -> StoredSettlement:
    """The settlement that an item says."""
    return StoredSettlement.model_validate(item)


def settlement(settlement_id: str) -> StoredSettlement | None:
    """The settlement as of now."""
    return next(iter(_load([_key(settlement_id)])))


def settlements_of(merchant_id: str, query: SettlementQuery) -> Page[Settlement]:
    """A page of the merchant's settlements."""

    def load(keys: list[Item]) -> list[Settlement | None]:
        return [found.shown() if found else None for found in _load(keys)]

    return newest(TABLE, merchant_id, query, load, query.keeps)


def everything() -> Iterator[StoredSettlement]:
    """Every settlement, by a scan of the list, where none of their lines are: most of the table is those."""
    keys = store.scan(TABLE, index="list")
    while some := list(islice(keys, PAGE)):
        yield from (found for found in _load(some) if found)


def due(step: Literal["close", "release"], before: str) -> Iterator[StoredSettlement]:
    """Settlements that are to be closed, or released, by then: the oldest of each merchant first."""
    for shard in range(DUE_SHARDS):
        yield from _indexed_by("due", f"{step}#{shard}", before)


def unreleased(merchant_id: str) -> Iterator[StoredSettlement]:
    """The merchant's settlements that are not released yet."""
    return _indexed_by("unreleased", merchant_id, ":")  # follows `9`, and they start with a year


def _indexed_by(index: str, partition: str, before: str) -> Iterator[StoredSettlement]:
    """All in a partition of an index, page by page: one that stays in the way does not hide the others."""
    start = "0"
    while True:
        keys = store.query(
            TABLE,
            (f"{index}_pk", partition),
            (f"{index}_sk", start, before),
            limit=PAGE,
            index=index,
            oldest_first=True,
        )
        yield from (found for found in _load(keys) if found)
        if len(keys) < PAGE:
            return
        start = f"{keys[-1][f'{index}_sk']}~"


def _load(keys: Sequence[Key]) -> list[StoredSettlement | None]:
    items = store.get_many((TABLE, {"pk": key["pk"], "sk": key["sk"]}) for key in keys)
    return [parsed(item) if item else None for item in items]


def lines_of(settlement_id: str, query: PageQuery) -> Page[SettlementLine]:
    """A page of the lines that a settlement has counted, those counted last first."""
    listing = f"{TABLE}/{settlement_id}"
    before = paging.bound(query, listing, *_CHUNKS)
    if query.cursor is not None and not _PLACE.fullmatch(before):
        raise paging.not_a_cursor()
    found = list(islice(_lines_before(settlement_id, before), query.limit + 1))
    here = found[: query.limit]
    more = len(found) > len(here)
    return Page(
        data=[line for _, line in here], next_cursor=paging.cursor(listing, here[-1][0]) if more else None
    )


def all_lines(settlement_id: str) -> Iterator[SettlementLine]:
    """Every line that a settlement has counted, those counted last first."""
    return (line for _, line in _lines_before(settlement_id, _CHUNKS[1]))


def _lines_before(settlement_id: str, before: str) -> Iterator[tuple[str, SettlementLine]]:
    """The lines below that place, each with its own: its chunk's key, and where it stands in that."""
    place, _, position = before.partition("~")
    upper = f"{place}~" if position else place
    while chunks := store.query(TABLE, ("pk", settlement_id), ("sk", _CHUNK, upper), limit=CHUNKS):
        for chunk in chunks:
            lines = list(unpacked(chunk))
            last = min(int(position), len(lines)) if position and chunk["sk"] == place else len(lines)
            for number in reversed(range(last)):
                yield f"{chunk['sk']}~{number:03}", lines[number]
        upper = str(chunks[-1]["sk"])


def carry(merchant_id: str, currency: str) -> Carry:
    """What the merchant's settlements in a currency leave for the next one to make up for, as of now."""
    item = store.get(TABLE, _carry_key(merchant_id, currency))
    return Carry.model_validate(item) if item else Carry(currency=currency)


def carries(merchant_id: str) -> list[Carry]:
    """The same, of every currency in which a settlement of the merchant has been closed."""
    items = store.query(TABLE, ("pk", merchant_id), ("sk", *_CARRIES), limit=2 * PAGE)
    return [Carry.model_validate(item) for item in items]


def save_carry(merchant_id: str, left: Carry) -> Write:
    """The carry in place of the version that it came from (0: none). Raises CarryMoved."""
    key = _carry_key(merchant_id, left.currency)
    item = left.model_dump(exclude={"version"})
    if left.version == 0:
        return put(TABLE, key, item, ABSENT, refused=lambda _: CarryMoved())
    return replace_version(TABLE, key, item, left.version, refused=lambda _: CarryMoved())


def _carry_key(merchant_id: str, currency: str) -> Key:
    return {"pk": merchant_id, "sk": f"{_CARRY}{currency}"}
