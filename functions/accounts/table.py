"""The rollups table: the ledger's sums in parts, and how far each shard of its stream has been counted."""

from collections import defaultdict
from dataclasses import dataclass, field

from chassis import paging, store
from chassis.attributes import Item
from chassis.writes import ABSENT, Condition, Key, Write, equals, put, replace_version, upsert
from functions.accounts.records import Checkpoint, Count, Figure, Figures, Total
from ledger import accounts
from ledger.accounts import Account
from ledger.money import DECIMALS
from ledger.reasons import Kind

TABLE = "rollups"
PARTS = 8
"""Over how many items each sum is spread, so that shards seldom meet at one. It may only grow."""
FIGURES_PER_COMMIT = store.TRANSACTION_WRITES - 1
"""Beside the checkpoint."""

_ACCOUNT = "PART#"
_TOTALS = "TOTALS#"
_COUNT = "ENTRIES"
_SHARDS = "SHARDS"
_MOST_TOTALS = len(DECIMALS) * len(Kind) + 1
_RECENT_SHARDS = 1000
_EVERY = ("!", "~")
"""All sort keys lie between."""


class Overtaken(Exception):
    """Another worker has counted changes of this shard meanwhile."""


class Unquiet(Exception):
    """The sums were changed while they were held against the journal."""


def _shard_key(shard: str) -> Key:
    return {"pk": _SHARDS, "sk": shard}


def checkpoint(shard: str) -> Checkpoint:
    """How far the shard has been counted."""
    item = store.get(TABLE, _shard_key(shard))
    return Checkpoint.model_validate(item) if item else Checkpoint(shard=shard)


def advance(to: Checkpoint) -> Write:
    """The checkpoint in place of the version that it came from. Raises Overtaken."""
    key, item = _shard_key(to.shard), to.model_dump(exclude={"version"}, exclude_none=True)

    def refused(_: Item | None) -> Exception:
        return Overtaken()

    if to.version == 0:
        return put(TABLE, key, item, ABSENT, refused=refused)
    return replace_version(TABLE, key, item, to.version, refused=refused)


def kept(advanced: Checkpoint) -> Checkpoint:
    """The checkpoint at the version that its advance left."""
    return advanced.model_copy(update={"version": advanced.version + 1})


def counted_until() -> str | None:
    """The greatest time of the entries that are counted, of the shards with the greatest ids: the newest."""
    found = store.query(TABLE, ("pk", _SHARDS), ("sk", *_EVERY), limit=_RECENT_SHARDS)
    return max((str(item.get("counted_until", "")) for item in found), default="") or None


def part_of(shard: str) -> int:
    """The part to which a shard's changes are added."""
    return paging.shard_of(shard, PARTS)


def _key(figure: Figure, part: int) -> Key:
    match figure:
        case Account():
            return {"pk": str(figure), "sk": f"{_ACCOUNT}{part}"}
        case Total(currency=currency, kind=kind):
            return {"pk": f"{_TOTALS}{part}", "sk": f"{currency}#{kind}"}
        case Count():
            return {"pk": f"{_TOTALS}{part}", "sk": _COUNT}


def _figure(item: Item) -> Figure:
    """What an item is a part of."""
    if str(item["pk"]).startswith(_TOTALS):
        return Count() if item["sk"] == _COUNT else Total(item["currency"], Kind(item["kind"]))
    account = accounts.parse(str(item["pk"]))
    if account is None:
        raise ValueError(f"{item['pk']} is not an account")
    return account


def add(figure: Figure, value: int, part: int, *conditions: Condition) -> Write:
    """Add to one part of a sum."""
    named = {"currency": figure.currency, "kind": figure.kind.value} if isinstance(figure, Total) else {}

    def refused(_: Item | None) -> Exception:
        return Unquiet("money moved meanwhile")

    return upsert(TABLE, _key(figure, part), *conditions, refused=refused, initial=named, add={"sum": value})


def correct(figure: Figure, value: int, version: int) -> Write:
    """Add to the first part of a sum as it stood at that version (0: not there). Raises Unquiet."""
    return add(figure, value, 0, equals("version", version) if version else ABSENT)


def balance(account: Account) -> int:
    """The balance of an unguarded account, as far as it has been counted: 0 when it never moved."""
    parts = store.query(TABLE, ("pk", str(account)), ("sk", *_EVERY), limit=PARTS)
    return sum(int(item["sum"]) for item in parts)


def totals() -> Figures:
    """The totals and the count of entries, as far as they have been counted."""
    figures: defaultdict[Figure, int] = defaultdict(int)
    for part in range(PARTS):
        pk = f"{_TOTALS}{part}"
        for item in store.query(TABLE, ("pk", pk), ("sk", *_EVERY), limit=_MOST_TOTALS):
            figures[_figure(item)] += item["sum"]
    return dict(figures)


@dataclass(slots=True)
class Snapshot:
    """All that is counted, at one moment if nothing changes meanwhile."""

    figures: Figures = field(default_factory=dict)
    versions: Figures = field(default_factory=dict)
    """Of the first part of each figure, where there is one."""
    changes: int = 0
    """The sum of all versions. They only grow and no item goes, so whatever changes makes it greater."""


def snapshot() -> Snapshot:
    """Read all of it, by a scan."""
    seen = Snapshot()
    for item in store.scan(TABLE):
        seen.changes += item["version"]
        if item["pk"] == _SHARDS:
            continue
        figure = _figure(item)
        seen.figures[figure] = seen.figures.get(figure, 0) + item["sum"]
        if item.items() >= _key(figure, 0).items():
            seen.versions[figure] = item["version"]
    return seen
