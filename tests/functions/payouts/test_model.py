"""A payout moves as its table says, and its money with it: never made, never lost, never below zero."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import attributes, clock
from chassis.operations import Intent
from chassis.writes import Write
from functions.payouts import model, table
from functions.payouts.model import TRANSITIONS, Impossible, Step
from functions.payouts.records import Accepted, Refused, StoredPayout, attempt_of, payout_of
from functions.payouts.shapes import FailureCode, NewPayout, Source, Status
from ledger import journal

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MERCHANT = "mer_" + "a" * 24
WALLET = "wal_" + "a" * 24
AMOUNT = 1000
START = 1500

pytestmark = pytest.mark.usefixtures("engine")


def asked(wallet: str | None = None) -> StoredPayout:
    source = Source(wallet=wallet) if wallet else None
    new = NewPayout(amount=AMOUNT, currency="GBP", source=source, bank_account="ba_" + "a" * 24)
    return model.new_payout(MERCHANT, Intent(MERCHANT, "POST /v1/payouts", "k", "f"), new, AT)


def in_status(status: Status) -> StoredPayout:
    return asked().model_copy(update={"status": status})


EVENTS: dict[str, Callable[[StoredPayout], Step | None]] = {
    "accepted": lambda payout: model.concluded(payout, Accepted(), AT),
    "refused": lambda payout: model.concluded(payout, Refused(FailureCode.REJECTED), AT),
    "paid": lambda payout: model.followed(payout, Status.PAID, AT),
    "returned": lambda payout: model.followed(payout, Status.RETURNED, AT),
}
LEADS_TO = {
    "accepted": Status.IN_TRANSIT,
    "refused": Status.FAILED,
    "paid": Status.PAID,
    "returned": Status.RETURNED,
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("status", Status)
def test_only_what_the_table_declares_happens(status: Status, event: str) -> None:
    after = LEADS_TO[event]
    told_before = event in {"paid", "returned"} and status in {after, Status.RETURNED}
    if told_before:
        assert EVENTS[event](in_status(status)) is None
    elif after in TRANSITIONS[status]:
        step = EVENTS[event](in_status(status))
        assert step is not None
        assert step.payout.status is after
    else:
        with pytest.raises(Impossible):
            EVENTS[event](in_status(status))


def moved(step: Step, books: Counter[str]) -> None:
    """Add up what a step does to the guarded account, and what its entries tell of all accounts."""
    for write in step.money:
        if write.item is None:
            books.update({name: write.add.get(name, 0) for name in ("available", "held")})
        else:
            books[write.item["target"]] += write.item["amount"]
            books[write.item["source"]] -= write.item["amount"]


@given(st.lists(st.sampled_from(sorted(EVENTS)), max_size=8), st.sampled_from([None, WALLET]))
def test_whatever_is_told_in_whatever_order_the_money_is_where_the_status_says(
    told: list[str], wallet: str | None
) -> None:
    step = model.begun(asked(wallet))
    books = Counter({"available": START})
    moved(step, books)
    payout = step.payout
    for event in told:
        try:
            after = EVENTS[event](payout)
        except Impossible:
            continue
        if after is not None:
            assert after.payout.status in TRANSITIONS[payout.status]
            moved(after, books)
            payout = after.payout
        assert books["available"] >= 0
        assert books["held"] >= 0
    gone = payout.status in {Status.IN_TRANSIT, Status.PAID}
    assert books["held"] == (AMOUNT if payout.status is Status.PROCESSING else 0)
    assert books["available"] + books["held"] == START - (AMOUNT if gone else 0)
    assert books["bank_in_transit:GBP"] == (AMOUNT if payout.status is Status.IN_TRANSIT else 0)
    assert books["bank:GBP"] == (AMOUNT if payout.status is Status.PAID else 0)
    assert books[str(payout.source)] == (-AMOUNT if gone else 0)


def written(write: Write) -> int:
    return attributes.size(attributes.encode({**write.key, **(write.item or {})}))


def test_it_stays_below_a_kilobyte_whatever_becomes_of_it() -> None:
    payout = asked()
    for event in ("accepted", "paid", "returned"):
        step = EVENTS[event](payout)
        assert step is not None
        payout = step.payout
    assert len(payout.entries) == 3
    assert written(table.save(payout)) <= 1024


def test_its_entries_are_those_that_are_committed_with_it() -> None:
    step = model.concluded(asked(WALLET), Accepted(), AT)
    (entry,) = [journal.Entry.model_validate(write.item) for write in step.money if write.item]
    assert step.payout.shown().entries == [entry.id]
    assert (entry.source, entry.target) == (f"wallet:{WALLET}", "bank_in_transit:GBP")
    assert (entry.created_at, entry.reference) == (clock.timestamp(AT), step.payout.id)


def test_the_attempt_of_a_payout_leads_back_to_it() -> None:
    payout = asked()
    assert payout.attempt_id == attempt_of(payout.id)
    assert payout_of(payout.attempt_id) == payout.id
    others = ("", "att_", payout.id, f"{payout.attempt_id}a", "att_" + "A" * 24)
    assert not any(payout_of(other) for other in others)


def test_a_new_payout_waits_for_the_bank_and_for_those_who_find_out() -> None:
    payout = asked()
    assert (payout.status, payout.entries, payout.failure_code) == (Status.PROCESSING, (), None)
    assert datetime.fromisoformat(payout.resolve_at) > AT
    assert model.abandoned(payout, AT + timedelta(hours=1)).abandoned
