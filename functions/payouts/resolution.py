"""How a payout comes to its end: by the bank's answer, by finding out when that was lost, and by its feed."""

import math
from collections.abc import Iterable
from datetime import datetime

from chassis import clock, events, observe, store
from chassis.events import Message
from chassis.sources import Change as TableChange
from chassis.sources import each
from chassis.writes import Exists
from functions.payouts import gateway, model, table
from functions.payouts.records import (
    Accepted,
    Change,
    NotFound,
    Outcome,
    Question,
    StoredPayout,
    Unknown,
    payout_of,
)
from functions.payouts.shapes import Status

QUEUE = "payout-resolutions"
SERVICE = "payouts"
FOLLOW_TRIES = 5
READING_SECONDS = 15.0
"""After which no further line of the feed is begun: half of a function's time."""


class StillUnknown(Exception):
    """The bank cannot tell yet: the message comes again, and ends in the dead-letter queue."""


def concluded(asked: StoredPayout, outcome: Outcome) -> StoredPayout:
    """The payout after the bank's answer, committed with its money; as it is while there is none."""
    if isinstance(outcome, Unknown):
        return asked
    step = model.concluded(asked, outcome, clock.now())
    try:
        store.commit(table.save(step.payout), *step.money)
    except Exists as existing:
        # Whoever was faster asked the same bank about the same attempt.
        return table.parsed(existing.item)
    return table.kept(step.payout)


def resolve(question: Question) -> None:
    """Find out what became of the payout. Raises StillUnknown while nobody can tell."""
    if question.change is not None:
        follow(question.change)
        return
    payout = table.payout(question.payout_id)
    if payout is None or payout.status is not Status.PROCESSING:
        return
    if _seconds_until_due(payout) > 0:
        # Whoever asked may still be at work on it.
        events.send([_reminder(payout)])
        return
    if payout.abandoned:
        _end(payout, gateway.give_up(payout))
        return
    found = gateway.find_out(payout)
    if isinstance(found, NotFound):
        payout = _abandon(payout)
        found = gateway.give_up(payout)
    _end(payout, found)


def _end(payout: StoredPayout, outcome: Outcome) -> None:
    if isinstance(outcome, Unknown):
        raise StillUnknown(payout.attempt_id)
    concluded(payout, outcome)


def _abandon(payout: StoredPayout) -> StoredPayout:
    """Claim the right to cancel, before it is done: whoever holds an acceptance commits it first, or never.

    Without the claim, an order that is booked between our question and our cancellation could be posted by
    another, and then be cancelled by us.
    """
    abandoned = model.abandoned(payout, clock.now())
    try:
        store.commit(table.save(abandoned))
    except Exists:
        raise StillUnknown(f"{payout.id} is being resolved by another") from None
    return table.kept(abandoned)


def reconcile() -> int:
    """Follow the bank's feed from where it was left; returns how many lines were read.

    Every line is followed before the bookmark passes it, so none is lost, and it may be followed again.
    Raises StillUnknown while the feed cannot be read.
    """
    deadline = clock.monotonic() + READING_SECONDS
    bookmark = table.bookmark()
    read = 0
    while clock.monotonic() < deadline:
        found = gateway.changes_after(bookmark.line)
        if found is None:
            raise StillUnknown("the bank's feed")
        lines = [line for line in found if line[0] > bookmark.line]
        done = _follow_until(deadline, lines)
        if not done:
            break
        try:
            store.commit(table.move(bookmark, done[-1]))
        except Exists:
            break  # another reader is ahead
        bookmark = table.bookmark_at(bookmark, done[-1])
        read += len(done)
    return read


def _follow_until(deadline: float, lines: Iterable[gateway.Line]) -> list[int]:
    done: list[int] = []
    for number, change in lines:
        if clock.monotonic() >= deadline:
            break
        _follow_or_put_by(number, change)
        done.append(number)
    return done


def _follow_or_put_by(number: int, change: Change | None) -> None:
    """Follow a line of the feed; one that fails waits in the queue by itself, and holds up no other."""
    payout_id = payout_of(change.attempt) if change else None
    if change is None or payout_id is None:
        observe.warn(SERVICE, "a line of the bank's feed is nothing of ours", line=number)
        return
    try:
        follow(change)
    except Exception as error:  # noqa: BLE001 - whatever it is, the lines behind it must go on
        observe.warn(SERVICE, "a line of the bank's feed failed", line=number, failure=type(error).__name__)
        events.send([Message(QUEUE, Question(payout_id=payout_id, change=change))])


def follow(change: Change) -> None:
    """Bring the payout to where a line of the feed says it is, however often the line is told."""
    payout_id = payout_of(change.attempt)
    payout = table.payout(payout_id) if payout_id else None
    if payout is None:
        observe.warn(SERVICE, "a line of the bank's feed is nothing of ours", line=change.line)
        return
    for _ in range(FOLLOW_TRIES):
        if payout.status is Status.PROCESSING:
            # What was paid or returned has been accepted: only the answer to us was lost.
            payout = concluded(payout, Accepted())
            continue
        step = model.followed(payout, change, clock.now())
        if step is None:
            return
        try:
            store.commit(table.save(step.payout), *step.money)
        except Exists as existing:
            payout = table.parsed(existing.item)
        else:
            return
    raise StillUnknown(f"{payout.id} is being changed by others")


def reminders(changes: Iterable[TableChange]) -> list[Message]:
    """A reminder for every payout that has just begun to wait."""
    return each(changes, _reminders_of)


def _reminders_of(change: TableChange) -> list[Message]:
    if change.old is not None or change.new is None or not table.is_payout(change.new):
        return []
    return [_reminder(table.parsed(change.new))] if change.new["status"] == Status.PROCESSING else []


def remind_all() -> int:
    """Remind of every payout that waits, whoever has been reminded of it before; returns how many."""
    sent = 0
    for payout in table.waiting():
        # Each at once: should the scan be cut short, the first ones have been reminded of.
        events.send([_reminder(payout)])
        sent += 1
    return sent


def _reminder(payout: StoredPayout) -> Message:
    delay = min(max(0, _seconds_until_due(payout)), events.MAX_DELAY_SECONDS)
    return Message(QUEUE, Question(payout_id=payout.id), delay_seconds=delay)


def _seconds_until_due(payout: StoredPayout) -> int:
    return math.ceil((datetime.fromisoformat(payout.resolve_at) - clock.now()).total_seconds())
