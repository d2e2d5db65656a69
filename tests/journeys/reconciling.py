"""Holds the acquirer's own statement against what is kept and what is posted, charge by charge."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import httpx

from chassis import ids, store
from functions.payments import table as payments
from functions.payments.records import StoredPayment
from functions.payments.shapes import CardSource, Status
from functions.topups import model as topups
from functions.topups import table as topup_table
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


def waiting() -> list[str]:
    """The orders and top-ups that wait for the acquirer."""
    orders = [payment.order_id for payment in stored_payments() if payment.pending]
    topups = (topup for topup in topup_table.everything() if topup.status == "processing")
    return orders + [topup.id for topup in topups]


def await_settled(seconds: float = 30) -> None:
    """Wait until the workers have found out about everything."""
    await_until(lambda: not waiting(), seconds)


def stored_payments() -> Iterator[StoredPayment]:
    """Every payment there is."""
    return (payments.parsed(item) for item in store.scan("payments") if payments.is_payment(item))


def reconcile(system: System, platform: httpx.Client) -> None:
    """Every charge has an owner that says the same of it, and the ledger has every penny; nothing waits."""
    assert waiting() == []
    lines = statement(system)
    expected = dict(_expected())
    assert set(lines) <= set(expected), "a charge that nobody owns"
    for attempt, said in expected.items():
        line = lines.get(attempt)
        seen = (line["captured"], line["refunded"], line["voided"]) if line else None
        if said == NEVER:
            assert line is None or (line["voided"] and line["net"] == 0), line
        else:
            assert seen == said, (attempt, line)
    posted = _posted()
    for attempt, line in lines.items():
        assert posted.pop(attempt, 0) == line["net"], line
    assert not any(posted.values()), "money from an acquirer that knows of no charge"
    total = platform.get("/v1/ledger/trial-balance?source=journal").json()
    assert total["balanced"], total
    owed = [part["balance"] for each in total["data"] for part in each["accounts"] if _is_owed(each, part)]
    assert sum(owed) == -sum(line["net"] for line in lines.values())


def _is_owed(currency: dict[str, Any], part: dict[str, Any]) -> bool:
    return (currency["currency"], part["kind"]) == ("GBP", "acquirer_receivable")


def _expected() -> Iterator[tuple[str, tuple[int, int, bool]]]:
    """Attempt -> what its line must say, by the records."""
    for payment in stored_payments():
        for tried in payment.attempts:
            if isinstance(tried.source, CardSource):
                got_the_money = tried.outcome in {Status.CAPTURED, Status.AUTHORIZED}
                is_held = got_the_money and payment.status is not Status.CANCELED
                yield tried.attempt_id, (payment.captured, payment.refunded, False) if is_held else NEVER
    for item in store.scan("topups"):
        topup = topup_table.parsed(item)
        succeeded = topup.status is topups.Status.SUCCEEDED
        yield topup.attempt_id, (topup.amount, 0, False) if succeeded else NEVER


def _posted() -> dict[str, int]:
    """Attempt -> what the journal says that the acquirer holds of it."""
    nets: defaultdict[str, int] = defaultdict(int)
    entries = [Entry.model_validate(item) for item in journal.whole_ledger() if journal.is_entry(item)]
    owner = _owner_of_postings()
    for entry in entries:
        if "acquirer_receivable:GBP" in {entry.source, entry.target}:
            incoming = entry.source == "acquirer_receivable:GBP"
            nets[owner[entry.posting]] += entry.amount if incoming else -entry.amount
    return nets


def _owner_of_postings() -> dict[str, str]:
    """The attempts whose money a posting moves, by the ids that postings derive from what they belong to."""
    owner: dict[str, str] = {}
    charge: dict[str, str] = {}
    for payment in stored_payments():
        charge[f"{payment.merchant_id}#{payment.order_id}"] = payment.latest.attempt_id
        owner[ids.derive("pst", payment.latest.attempt_id, "payment")] = payment.latest.attempt_id
    for item in store.scan("payments"):
        if not payments.is_payment(item):
            owner[ids.derive("pst", str(item["id"]), "refund")] = charge[str(item["pk"])]
    for item in store.scan("topups"):
        attempt = topup_table.parsed(item).attempt_id
        owner[ids.derive("pst", attempt, "topup")] = attempt
    return owner
