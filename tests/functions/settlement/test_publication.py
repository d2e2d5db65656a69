"""What settlements tell: how they are opened, closed and released, and of all their lines nothing."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis import attributes, clock, events, ids, observe, store
from chassis.events import Message
from chassis.sources import Change
from chassis.writes import Write
from functions.settlement import actions, app, publication, table
from functions.settlement.records import StoredSettlement
from tests.functions.settlement.deliveries import captured, count, found, refunded
from tests.functions.told import told, types

pytestmark = pytest.mark.usefixtures("engine")
AT, CLOSED_AT, RELEASED_AT = "2096-11-25T12:00:00", "2096-11-26T00:06:00", "2096-11-28T00:06:00"


@pytest.fixture
def merchant() -> str:
    return ids.random("mer")


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the calendar of this process."""

    def set_to(moment: str) -> None:
        fixed = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda: fixed)

    set_to(AT)
    return set_to


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> list[Change]:
    """What becomes of the settlements table, image by image."""
    taken: list[Change] = []
    commit = store.commit

    def watched(*writes: Write) -> None:
        mine = [write for write in writes if write.table == table.TABLE]
        before = [store.get(table.TABLE, write.key) for write in mine]
        commit(*writes)
        for write, old in zip(mine, before, strict=True):
            new = store.get(table.TABLE, write.key)
            taken.append(Change(str(len(taken)), dict(write.key), old, new))

    monkeypatch.setattr(store, "commit", watched)
    return taken


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    taken: list[Message] = []
    monkeypatch.setattr(events, "send", taken.extend)
    return taken


def settled(merchant: str, at: Callable[[str], None]) -> StoredSettlement:
    """A settlement of one payment and one refund, from its first line to its release."""
    count(captured(merchant, "1"))
    count(refunded(merchant, "1"))
    at(CLOSED_AT)
    assert actions._close(found(merchant))
    at(RELEASED_AT)
    assert actions._release(found(merchant))
    return found(merchant)


def test_a_settlement_tells_of_its_three_statuses(
    merchant: str, at: Callable[[str], None], changes: list[Change]
) -> None:
    settlement = settled(merchant, at)
    # Two lines in two manifests, four versions of the settlement, and what it carries over.
    assert len(changes) == 2 + 2 + 4 + 1
    made = told(publication.messages(changes))
    assert [(event["type"], event["sequence"], event["created_at"][:19]) for event in made] == [
        ("settlement.open", 1, AT),
        ("settlement.closed", 3, CLOSED_AT),
        ("settlement.released", 4, RELEASED_AT),
    ]
    assert {event["principal"] for event in made} == {merchant}
    assert [(event["data"]["payments"], event["data"]["refunds"]) for event in made] == [
        (1, 0),
        (1, 1),
        (1, 1),
    ]
    assert made[-1]["data"] == settlement.shown().model_dump(mode="json")


def test_its_close_and_its_release_are_told_again_word_for_word(
    merchant: str, at: Callable[[str], None], changes: list[Change], sent: list[Message]
) -> None:
    def again() -> list[dict[str, Any]]:
        sent.clear()
        publication.repeat()
        return [event for event in told(sent) if event["principal"] == merchant]

    settled(merchant, at)
    opened, closed, released = told(publication.messages(changes))
    # The release was told last, and the close is two days ago and some seconds less.
    at("2096-11-28T00:05:59")
    assert again() == [released, closed]
    at("2096-11-28T00:07:00")
    assert again() == [released]
    at("2096-11-30T00:06:01")
    assert again() == []

    other = ids.random("mer")
    at(AT)
    count(captured(other, "1"))
    count(captured(other, "2"))
    publication.repeat()
    (event,) = (event for event in told(sent) if event["principal"] == other)
    assert (event["type"], event["sequence"], event["created_at"]) == (
        "settlement.open",
        1,
        opened["created_at"],
    )


def test_looking_for_what_to_tell_again_passes_by_the_lines(merchant: str, at: Callable[[str], None]) -> None:
    def units() -> float:
        with observe.metered() as counted:
            assert merchant in {settlement.merchant_id for settlement in table.everything()}
        return counted.read_units

    count(captured(merchant, "0"))
    before = units()
    count(*(captured(merchant, str(number)) for number in range(400)))
    # Reading that many lines would take 20 more; a settlement that others open meanwhile takes one or two.
    assert units() < before + 10


def test_one_that_was_open_before_that_was_written_down_is_told_of_as_it_is_found(
    merchant: str, at: Callable[[str], None]
) -> None:
    count(captured(merchant, "1"))
    older = found(merchant).model_copy(update={"opened_at": None})
    assert publication._event_of(older).created_at[:19] == AT


def test_a_settlement_stays_below_a_unit(merchant: str, at: Callable[[str], None]) -> None:
    settled(merchant, at)
    item = store.get(table.TABLE, table.key_of(found(merchant)))
    assert item is not None
    assert attributes.size(attributes.encode(item)) < 1000


def test_the_handlers_do_what_they_are_called() -> None:
    assert [source.table for source in app.service.streams] == [table.TABLE]
    assert {schedule.name: schedule.every_minutes for schedule in app.service.schedules} == {
        "settle": 1,
        "republish": 1440,
    }
    gone = Change("1", {"pk": "stl", "sk": "SETTLEMENT"}, {"status": "open"}, None)
    assert types(publication.messages([gone])) == []
