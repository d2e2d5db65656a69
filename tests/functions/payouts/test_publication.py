"""What payouts tell: each status once, under ids that stay, and a reminder while the bank is silent."""

from typing import Any

import pytest

from chassis.events import Message
from chassis.sources import Change as TableChange
from functions.payouts import publication, resolution, table
from functions.payouts.records import Accepted, Change, Question, StoredPayout
from functions.payouts.shapes import Payout, Status
from tests.functions.inside import days_later
from tests.functions.payouts.bank import InnerBank
from tests.functions.payouts.test_actions import asking, outcome
from tests.functions.told import marks, told, types
from tests.payee import Payee


def now(payout: Payout) -> StoredPayout:
    found = table.payout(payout.id)
    assert found is not None
    return found


def image(payout: StoredPayout) -> dict[str, Any]:
    return {"pk": payout.id, **payout.model_dump(mode="json")}


def change(new: StoredPayout, old: StoredPayout | None = None) -> list[Message]:
    before = None if old is None else image(old)
    return publication.messages([TableChange("1", {}, before, image(new))])


@pytest.fixture
def begun(payee: Payee, bank: InnerBank) -> StoredPayout:
    """A payout that the bank has taken, without an answer."""
    bank.is_mute = True
    payout = asking(payee)().resource
    bank.is_mute = False
    return now(payout)


def test_one_that_begins_is_told_and_reminded_of(begun: StoredPayout, payee: Payee) -> None:
    found = change(begun)
    (event,) = told(found)
    assert (event["type"], event["sequence"], event["principal"]) == ("payout.processing", 1, payee.shop.id)
    assert event["created_at"] == begun.created_at
    assert event["data"] == payee.payout(begun.id)
    (reminder,) = (message for message in found if message.queue == resolution.QUEUE)
    assert reminder.body == Question(payout_id=begun.id)


def test_every_status_is_told_once_and_can_be_told_again(
    begun: StoredPayout, payee: Payee, monkeypatch: pytest.MonkeyPatch
) -> None:
    days_later(monkeypatch, 1)
    claimed = resolution._abandon(begun)
    assert (claimed.version, change(claimed, old=begun)) == (2, [])
    # What is told of it again is what was told at first.
    assert marks(publication._told_since(claimed, "")) == marks(change(begun))
    stored, steps = claimed, []
    for step in (
        lambda: resolution.concluded(claimed, Accepted()),
        lambda: resolution.follow(Change(line=1, attempt=begun.attempt_id, status="paid")),
        lambda: resolution.follow(Change(line=2, attempt=begun.attempt_id, status="returned")),
    ):
        step()
        before, stored = stored, now(begun.shown())
        found = change(stored, old=before)
        steps += types(found)
        (event,) = told(found)
        assert event["data"] == payee.payout(begun.id)
        assert event["created_at"] == stored.updated_at
        assert told(publication._told_since(stored, "")) == [event]
    assert steps == [("payout.in_transit", 3), ("payout.paid", 4), ("payout.returned", 5)]


def test_one_that_there_is_no_money_for_has_failed(
    payee: Payee, bank: InnerBank, sent: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcome(asking(payee, 10_001)) == "insufficient_funds"
    (failed,) = (payout for payout in table.everything() if payout.merchant_id == payee.shop.id)
    (event,) = told(change(failed))
    assert (event["type"], event["data"]["failure_code"]) == ("payout.failed", "insufficient_funds")
    publication.repeat()
    assert event in told(sent)
    sent.clear()
    days_later(monkeypatch, 3)
    publication.repeat()
    assert event not in told(sent)


def test_a_refusal_of_the_bank_is_told(payee: Payee, bank: InnerBank) -> None:
    bank.decline = "account_closed"
    failed = now(asking(payee)().resource)
    before = failed.model_copy(update={"status": Status.PROCESSING, "version": 1})
    assert types(change(failed, old=before)) == [("payout.failed", 2)]


def test_the_bookmark_tells_nothing() -> None:
    bookmark = {"pk": "bookmark", "line": 7, "version": 1}
    assert publication.messages([TableChange("1", {}, None, bookmark)]) == []
    assert publication.messages([TableChange("1", {}, bookmark, {**bookmark, "version": 2})]) == []


def test_all_that_wait_are_reminded_of_daily(
    begun: StoredPayout, bank: InnerBank, sent: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolution.reconcile()  # leaves a bookmark, or none: no payout either way
    days_later(monkeypatch, 3)
    assert publication.repeat() >= 1
    assert Question(payout_id=begun.id) in [message.body for message in sent]
