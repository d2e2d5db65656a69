"""Holds the acquirer's own statement against what is kept and what is posted, charge by charge."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import httpx

from chassis import ids, store
from chassis.attributes import Item
from functions.payments import table as payments
from functions.payments.records import StoredPayment
from functions.payments.shapes import CardSource, Status
from functions.topups import model as topups
from functions.topups import table as topup_table
from functions.topups.model import StoredTopup
from ledger import journal
from ledger.journal import Entry
from local.system import System
from tests.journeys.till import await_until

Line = dict[str, Any]
NEVER = (0, 0, True)
"""What a charge that must not be looks like once it is voided: captured, refunded, voided."""


def statement(system: System) -> dict[str, Line]:
    """Attempt -> its line; an attempt has at most one."""
    lines: list[Line] = []
    cursor: str | None = "0"
    with httpx.Client(base_url=str(system.acquirer_url), trust_env=False) as acquirer:
        while cursor is not None:
            page = acquirer.get("/statement", params={"limit": 500, "cursor": cursor}).json()
            lines += page["data"]
            cursor = page["next_cursor"]
    found = {line["attempt"]: line for line in lines}
    assert len(found) == len(lines)
    return found


@dataclass(frozen=True)
class Records:
    """What is kept of all payments, refunds and top-ups: read once, for a look at a whole table is costly."""

    payments: list[StoredPayment]
    refunds: list[Item]
    topups: list[StoredTopup]

    @classmethod
    def read(cls) -> Self:
        """All there are now."""
        items = list(store.scan("payments"))
        return cls(
            [payments.parsed(item) for item in items if payments.is_payment(item)],
            [item for item in items if not payments.is_payment(item)],
            list(topup_table.everything()),
        )

    def waiting(self) -> list[StoredPayment | StoredTopup]:
        """Those that wait for the acquirer."""
        begun = (topup for topup in self.topups if topup.status is topups.Status.PROCESSING)
        return [*(payment for payment in self.payments if payment.pending), *begun]


def waiting() -> list[str]:
    """The orders and top-ups that wait for the acquirer."""
    found = Records.read().waiting()
    return [each.id if isinstance(each, StoredTopup) else each.order_id for each in found]


def await_settled(seconds: float = 30) -> None:
    """Wait until the workers have found out about everything."""
    open_ones: list[StoredPayment | StoredTopup] = []

    def nothing_waits() -> bool:
        # While one that waited still does, there is no need to look at all the others.
        if open_ones and _still_waits(open_ones[0]):
            return False
        open_ones[:] = Records.read().waiting()
        return not open_ones

    await_until(nothing_waits, seconds)


def _still_waits(one: StoredPayment | StoredTopup) -> bool:
    if isinstance(one, StoredTopup):
        topup = topup_table.topup(one.id)
        return topup is not None and topup.status is topups.Status.PROCESSING
    payment = payments.payment(one.merchant_id, one.order_id)
    return payment is not None and bool(payment.pending)


def stored_payments() -> Iterator[StoredPayment]:
    """Every payment there is."""
    return (payments.parsed(item) for item in store.scan("payments") if payments.is_payment(item))


def reconcile(system: System, platform: httpx.Client) -> None:
    """Every charge has an owner that says the same of it, and the ledger has every penny; nothing waits."""
    records = Records.read()
    assert records.waiting() == []
    lines = statement(system)
    expected = dict(_expected(records))
    assert set(lines) <= set(expected), "a charge that nobody owns"
    for attempt, said in expected.items():
        line = lines.get(attempt)
        seen = (line["captured"], line["refunded"], line["voided"]) if line else None
        if said == NEVER:
            assert line is None or (line["voided"] and line["net"] == 0), line
        else:
            assert seen == said, (attempt, line)
    posted = _posted(records)
    for attempt, line in lines.items():
        assert posted.pop(attempt, 0) == line["net"], line
    assert not any(posted.values()), "money from an acquirer that knows of no charge"
    total = platform.get("/v1/ledger/trial-balance?source=journal").json()
    assert total["balanced"], total
    owed = [part["balance"] for each in total["data"] for part in each["accounts"] if _is_owed(each, part)]
    assert sum(owed) == -sum(line["net"] for line in lines.values())


def _is_owed(currency: dict[str, Any], part: dict[str, Any]) -> bool:
    return (currency["currency"], part["kind"]) == ("GBP", "acquirer_receivable")


def _expected(records: Records) -> Iterator[tuple[str, tuple[int, int, bool]]]:
    """Attempt -> what its line must say, by the records."""
    for payment in records.payments:
        for tried in payment.attempts:
            if isinstance(tried.source, CardSource):
                got_the_money = tried.outcome in {Status.CAPTURED, Status.AUTHORIZED}
                is_held = got_the_money and payment.status is not Status.CANCELED
                yield tried.attempt_id, (payment.captured, payment.refunded, False) if is_held else NEVER
    for topup in records.topups:
        succeeded = topup.status is topups.Status.SUCCEEDED
        yield topup.attempt_id, (topup.amount, 0, False) if succeeded else NEVER


def _posted(records: Records) -> dict[str, int]:
    """Attempt -> what the journal says that the acquirer holds of it."""
    nets: defaultdict[str, int] = defaultdict(int)
    entries = [Entry.model_validate(item) for item in journal.whole_ledger() if journal.is_entry(item)]
    owner = _owner_of_postings(records)
    for entry in entries:
        if "acquirer_receivable:GBP" in {entry.source, entry.target}:
            incoming = entry.source == "acquirer_receivable:GBP"
            nets[owner[entry.posting]] += entry.amount if incoming else -entry.amount
    return nets


def _owner_of_postings(records: Records) -> dict[str, str]:
    """The attempts whose money a posting moves, by the ids that postings derive from what they belong to."""
    owner: dict[str, str] = {}
    charge: dict[str, str] = {}
    for payment in records.payments:
        charge[f"{payment.merchant_id}#{payment.order_id}"] = payment.latest.attempt_id
        owner[ids.derive("pst", payment.latest.attempt_id, "payment")] = payment.latest.attempt_id
    for refund in records.refunds:
        owner[ids.derive("pst", str(refund["id"]), "refund")] = charge[str(refund["pk"])]
    for topup in records.topups:
        owner[ids.derive("pst", topup.attempt_id, "topup")] = topup.attempt_id
    return owner
