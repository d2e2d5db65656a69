"""How a payout comes to its end: by the bank's answer, by finding out when that was lost, and by its feed."""

import math
from collections.abc import Iterable
from datetime import datetime

from chassis import clock, events, observe, store
from chassis.events import Message
from chassis.outside import NotFound, Unknown
from chassis.writes import Exists
from functions.payouts import gateway, model, table
from functions.payouts.records import Accepted, Change, Outcome, Question, StoredPayout, payout_of
from functions.payouts.shapes import Status

QUEUE = "payout-resolutions"
SERVICE = "payouts"
FOLLOW_TRIES = 5
READING_SECONDS = 15.0
"""After which no further line of the feed is begun: half of a function's time."""


class StillUnknown(Exception):
    """The bank cannot tell yet: the message comes again, and ends in the dead-letter queue."""


class Overdue(Exception):
    """The bank took the order long ago, and its feed has told no end: that is for people to find out."""


class Unreadable(Exception):
    """A line of the bank's feed that may be about a payout of ours, and cannot be read: it is for people."""


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
    """Find out what became of the payout. Raises StillUnknown while nobody can tell, and Overdue."""
    payout = table.payout(question.payout_id)
    if payout is not None and model.is_overdue(payout, clock.now()):
        raise Overdue(f"{payout.id} is in transit since {payout.updated_at}")
    if payout is None or payout.status is not Status.PROCESSING:
        return
    if _seconds_until_due(payout) > 0:
        # Whoever asked may still be at work on it.
        events.send([reminder(payout)])
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
    """Follow the bank's feed from where it was left; returns how many lines were followed.

    Every line is followed before the bookmark passes it, so none is lost, and it may be followed again.
    Raises StillUnknown while the feed cannot be read.
    """
    deadline = clock.monotonic() + READING_SECONDS
    bookmark = table.bookmark()
    after, followed = bookmark.reads_after, 0
    while clock.monotonic() < deadline:
        page = _page_after(after)
        if not page:
            if after < bookmark.line:
                observe.warn(SERVICE, "the bank's feed ends before its bookmark", line=bookmark.line)
            break
        after = page[-1].line
        done = _follow_until(deadline, (line for line in page if not bookmark.has_passed(line)))
        if not done:
            continue
        bookmark = table.past(bookmark, done)
        try:
            store.commit(table.move(bookmark))
        except Exists:
            break  # another reader is ahead
        followed += len(done)
    return followed


def _page_after(line: int) -> list[Change]:
    found = gateway.changes_after(line)
    if found is None:
        raise StillUnknown("the bank's feed")
    return [change for change in found if change.line > line]


def _follow_until(deadline: float, changes: Iterable[Change]) -> list[Change]:
    done: list[Change] = []
    for change in changes:
        if clock.monotonic() >= deadline:
            break
        _follow_or_put_by(change)
        done.append(change)
    return done


def _follow_or_put_by(change: Change) -> None:
    """Follow a line of the feed; one that fails waits in the queue by itself, and holds up no other."""
    try:
        follow(change)
    except Exception as error:  # noqa: BLE001 - whatever it is, the lines behind it must go on
        failure = type(error).__name__
        observe.warn(SERVICE, "a line of the bank's feed failed", line=change.line, failure=failure)
        events.send([Message(QUEUE, change)])


def follow(change: Change) -> None:
    """Bring the payout to where a line of the feed says it is, however often the line is told.

    Only what names an order of others is passed by. Raises Unreadable for what may be about one of ours.
    """
    payout = _named(change)
    if payout is None:
        observe.warn(SERVICE, "a line of the bank's feed is nothing of ours", line=change.line)
        return
    if change.fate is None:
        raise Unreadable(f"line {change.line} says nothing known of {payout.id}")
    for _ in range(FOLLOW_TRIES):
        if payout.status is Status.PROCESSING:
            # What was paid or returned has been accepted: only the answer to us was lost.
            payout = concluded(payout, Accepted())
            continue
        step = model.followed(payout, change.fate, clock.now())
        if step is None:
            return
        try:
            store.commit(table.save(step.payout), *step.money)
        except Exists as existing:
            payout = table.parsed(existing.item)
        else:
            return
    raise StillUnknown(f"{payout.id} is being changed by others")


def _named(change: Change) -> StoredPayout | None:
    if change.attempt is None:
        raise Unreadable(f"line {change.line} names no order")
    payout_id = payout_of(change.attempt)
    return table.payout(payout_id) if payout_id else None


def reminder(payout: StoredPayout) -> Message:
    """The message that has somebody find out, once whoever asked must be done or dead."""
    delay = min(max(0, _seconds_until_due(payout)), events.MAX_DELAY_SECONDS)
    return Message(QUEUE, Question(payout_id=payout.id), delay_seconds=delay)


def _seconds_until_due(payout: StoredPayout) -> int:
    return math.ceil((datetime.fromisoformat(payout.resolve_at) - clock.now()).total_seconds())
