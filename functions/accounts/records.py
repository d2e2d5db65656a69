"""What is kept of the ledger's sums, and the arithmetic by which its items and their changes become sums."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

from pydantic import BaseModel, ConfigDict

from chassis.attributes import Item
from chassis.sources import Change, FailedAt
from ledger import accounts, journal
from ledger.accounts import Account, Balance
from ledger.journal import Entry
from ledger.reasons import Kind


@dataclass(frozen=True, slots=True)
class Total:
    """What all accounts of one kind hold in one currency."""

    currency: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Count:
    """How many journal entries there are."""


Figure = Account | Total | Count
"""What is added up: an unguarded account by itself, every kind as a whole, and the entries."""
Figures = dict[Figure, int]


def movements(entry: Entry) -> Iterator[tuple[Account, int]]:
    """What an entry means for the unguarded accounts it names.

    A movement between two guarded accounts leaves an entry with each, but one that touches an unguarded
    account leaves a single entry: adding up all entries counts it once.
    """
    for name, signed in ((entry.source, -entry.amount), (entry.target, entry.amount)):
        account = accounts.parse(name)
        if account is None:
            raise ValueError(f"{name} is not an account")
        if not account.guarded:
            yield account, signed


def weighed(item: Item) -> Figures:
    """What an item of the ledger adds to the figures.

    Guarded kinds are added up from their balance items and the others from entries: two sources that know
    nothing of each other, which is why their sum can fail to be zero.
    """
    if not journal.is_entry(item):
        balance = Balance.model_validate(item)
        kind = Kind(str(item["pk"]).partition(":")[0])
        return {Total(balance.currency, kind): balance.available + balance.held}
    entry = Entry.model_validate(item)
    figures: defaultdict[Figure, int] = defaultdict(int, {Count(): 1})
    for account, signed in movements(entry):
        figures[account] += signed
        figures[Total(entry.currency, account.kind)] += signed
    return dict(figures)


def summed(items: Iterable[Item]) -> Figures:
    """The figures of all these items."""
    figures: defaultdict[Figure, int] = defaultdict(int)
    for item in items:
        for figure, value in weighed(item).items():
            figures[figure] += value
    return dict(figures)


def difference(before: Figures, after: Figures) -> Figures:
    """What must be added to get from one to the other; a figure that is new is named even if it is zero."""
    return {
        figure: after.get(figure, 0) - before.get(figure, 0)
        for figure in before | after
        if before.get(figure) != after.get(figure)
    }


@dataclass(slots=True)
class Slice:
    """Changes that follow each other in a shard, as far as one commit can count them."""

    figures: Figures = field(default_factory=dict)
    until: str = ""
    """The sequence number of its last change."""
    newest: str = ""
    """The greatest time of its entries."""

    def take(self, change: Change, moved: Figures) -> None:
        """Count one more change."""
        for figure, value in moved.items():
            self.figures[figure] = self.figures.get(figure, 0) + value
        self.until = change.sequence_number
        if change.new is not None and journal.is_entry(change.new):
            self.newest = max(self.newest, str(change.new["created_at"]))


def slices(changes: Iterable[Change], most: int) -> Iterator[Slice]:
    """The changes, cut where the next one would make it more than so many figures.

    A change that moves no money, such as a hold, adds nothing; a slice of such changes alone needs no commit.
    Raises FailedAt for a change that cannot be read, after what came before it.
    """
    current = Slice()
    for change in changes:
        try:
            before, after = (weighed(image) if image else {} for image in (change.old, change.new))
        except Exception as error:
            if current.figures:
                yield current
            raise FailedAt(change) from error
        moved = difference(before, after)
        if current.figures and len(current.figures.keys() | moved.keys()) > most:
            yield current
            current = Slice()
        current.take(change, moved)
    if current.figures:
        yield current


class Checkpoint(BaseModel):
    """How far one shard of the ledger's stream has been counted."""

    model_config = ConfigDict(frozen=True)

    shard: str
    sequence_number: str | None = None
    """All up to this change is counted. Kept as text: it may have more digits than a number of DynamoDB."""
    counted_until: str | None = None
    """The greatest time of the entries that are counted."""
    version: int = 0

    def has_counted(self, change: Change) -> bool:
        """Whether the change is part of the sums already."""
        return self.sequence_number is not None and int(change.sequence_number) <= int(self.sequence_number)

    def after(self, counted: Slice) -> Self:
        """The checkpoint once the slice is counted too; its version is that which it comes from."""
        newest = max(self.counted_until or "", counted.newest) or None
        return self.model_copy(update={"sequence_number": counted.until, "counted_until": newest})
