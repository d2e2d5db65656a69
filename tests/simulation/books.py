"""Makes the books of a run that is over: everything that is stored, as plain values, by what it is."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chassis.attributes import Item, decode
from tests.simulation.observer import kind_of


@dataclass(slots=True)
class Books:
    """All records by kind, and what the ledger adds up to."""

    records: Mapping[str, list[Item]]
    postings: dict[str, list[Item]] = field(default_factory=dict)
    """Posting -> its journal entries."""
    sums: dict[tuple[str, str], int] = field(default_factory=dict)
    """Account and currency -> what its entries add up to."""
    balances: dict[str, Item] = field(default_factory=dict)
    """Guarded account -> its item."""

    @classmethod
    def of(cls, stored: Iterable[tuple[str, Mapping[str, Any]]]) -> "Books":
        """From pairs of a table's name and an item as DynamoDB has it."""
        records: defaultdict[str, list[Item]] = defaultdict(list)
        for table, encoded in stored:
            item = decode(encoded)
            records[kind_of(table, item)].append(item)
        books = cls(records)
        sums: defaultdict[tuple[str, str], int] = defaultdict(int)
        for entry in records["entry"]:
            known = books.postings.setdefault(entry["posting"], [])
            known.append(entry)
            if len(known) == 1:
                sums[entry["source"], entry["currency"]] -= entry["amount"]
                sums[entry["target"], entry["currency"]] += entry["amount"]
        books.sums = dict(sums)
        books.balances = {item["pk"]: item for item in records["account"]}
        return books


def is_guarded(account: str) -> bool:
    """Whether an account has a balance item."""
    return account.startswith(("wallet:", "merchant_available:"))
