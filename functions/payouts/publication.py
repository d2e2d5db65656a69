"""What changes of payouts tell others: reminders, and events with an id that is the same at each telling."""

from collections.abc import Iterable, Iterator

from chassis import clock, events
from chassis.events import Event, Message
from chassis.sources import Change, each
from functions.payouts import model, resolution, table
from functions.payouts.records import StoredPayout
from functions.payouts.shapes import Status


def messages(changes: Iterable[Change]) -> list[Message]:
    """What these changes have to tell."""
    return each(changes, _messages_of)


def _messages_of(change: Change) -> Iterator[Message]:
    if change.entered is None or not table.is_payout(change.entered):
        return
    payout = table.parsed(change.entered)
    if payout.status is Status.PROCESSING:
        yield resolution.reminder(payout)
    yield from events.told(_event_of(payout))


def repeat() -> int:
    """Ask about every payout that waits or is overdue, and tell once more of those of late.

    Returns how many messages that takes.
    """
    since = events.repeated_since()
    return events.send_as_found(
        message for payout in table.everything() for message in _told_since(payout, since)
    )


def _told_since(payout: StoredPayout, since: str) -> Iterator[Message]:
    if payout.status is Status.PROCESSING or model.is_overdue(payout, clock.now()):
        yield resolution.reminder(payout)
    event = _event_of(payout)
    if event.created_at >= since:
        yield from events.told(event)


def _event_of(payout: StoredPayout) -> Event:
    kind = f"payout.{payout.status}"
    begun = payout.status is Status.PROCESSING
    return Event(
        id=events.event_id(table.TABLE, {"pk": payout.id}, payout.status_version, kind),
        type=kind,
        created_at=payout.created_at if begun else payout.updated_at,
        principal=payout.merchant_id,
        sequence=payout.status_version,
        data=payout.shown(),
    )
