"""What top-ups tell: each status once, under ids that stay, and a reminder while the acquirer is silent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from acquiring.acquirer import Approved, DeclineCode, Declined
from chassis import clock, events, ids, store
from chassis.events import Message
from chassis.operations import Intent
from chassis.sources import Change
from chassis.writes import Write
from functions.topups import app, model, publication, resolution, table
from functions.topups.model import NewTopup, StoredTopup
from tests.functions.inside import days_later
from tests.functions.told import marks, told, types

pytestmark = pytest.mark.usefixtures("engine")
AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
LATER, LAST = AT + timedelta(hours=1), AT + timedelta(hours=2)


def topup(at: datetime = AT) -> StoredTopup:
    """A new one, of a merchant of its own."""
    new = NewTopup(wallet="wal_" + "a" * 24, card="card_" + "a" * 24, amount=500, currency="GBP")
    return model.new_topup(Intent(ids.random("mer"), "POST /v1/topups", "key", "this"), new, at)


def image(write: Write) -> dict[str, Any]:
    """The item that a write leaves."""
    return {**write.key, **(write.item or {})}


def change(new: StoredTopup, old: StoredTopup | None = None) -> list[Message]:
    before = None if old is None else image(table.save(old))
    return publication.messages([Change("1", {}, before, image(table.save(new)))])


def test_one_that_begins_is_told_and_reminded_of() -> None:
    begun = topup()
    found = change(begun)
    (event,) = told(found)
    assert (event["type"], event["sequence"], event["principal"]) == (
        "topup.processing",
        1,
        begun.merchant_id,
    )
    assert event["created_at"] == begun.created_at
    assert event["data"] == begun.shown().model_dump(mode="json")
    (reminder,) = (message for message in found if message.queue == resolution.QUEUE)
    assert reminder.body == model.Resolution(topup_id=begun.id)


@pytest.mark.parametrize(
    ("answer", "kind"), [(Approved(), "succeeded"), (Declined(DeclineCode.LOST_CARD), "failed")]
)
def test_its_end_is_told_and_a_decision_to_void_it_is_not(answer: Approved | Declined, kind: str) -> None:
    begun = topup()
    asked = table.kept(begun)
    abandoned = model.abandoned(asked, LATER)
    assert change(abandoned, old=begun) == []
    # What is told of it again is what was told at first.
    assert marks(publication._told_since(table.kept(abandoned), "")) == marks(change(begun))
    ended = model.concluded(table.kept(abandoned), answer, LAST)
    found = change(ended, old=abandoned)
    (event,) = told(found)
    assert (event["type"], event["sequence"]) == (f"topup.{kind}", 3)
    assert event["created_at"] == ended.updated_at == clock.timestamp(LAST)
    assert {message.queue for message in found}.isdisjoint({resolution.QUEUE})
    assert told(publication._told_since(table.kept(ended), "")) == [event]


def test_those_of_late_are_told_again_and_those_that_wait_reminded_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, ended = topup(clock.now()), topup(clock.now())
    done = model.concluded(table.kept(ended), Declined(DeclineCode.LOST_CARD), clock.now())
    store.commit(table.save(begun))
    store.commit(table.save(ended))
    store.commit(table.save(done))
    sent: list[Message] = []
    monkeypatch.setattr(events, "send", sent.extend)

    def again(days: int) -> tuple[list[str], bool]:
        sent.clear()
        days_later(monkeypatch, days)
        publication.repeat()
        mine = {begun.merchant_id, ended.merchant_id}
        found = [event["type"] for event in told(sent) if event["principal"] in mine]
        return sorted(found), model.Resolution(topup_id=begun.id) in [message.body for message in sent]

    assert again(1) == (["topup.failed", "topup.processing"], True)
    assert again(3) == ([], True)
    monkeypatch.undo()
    # Nobody shall wait for it any more.
    store.commit(table.save(model.concluded(table.kept(begun), Declined(DeclineCode.LOST_CARD), AT)))


def test_the_handlers_do_what_they_are_called() -> None:
    assert [(schedule.name, schedule.every_minutes) for schedule in app.service.schedules] == [
        ("republish", 1440)
    ]
    assert [source.table for source in app.service.streams] == [table.TABLE]
    assert types(change(topup())) == [("topup.processing", 1)]
