"""What changes of top-ups tell others: reminders, and events with an id that is the same at each telling."""

from collections.abc import Iterable, Iterator

from chassis import events
from chassis.events import Event, Message
from chassis.sources import Change, each
from functions.topups import resolution, table
from functions.topups.model import Status, StoredTopup


def messages(changes: Iterable[Change]) -> list[Message]:
    """What these changes have to tell."""
    return each(changes, _messages_of)


def _messages_of(change: Change) -> Iterator[Message]:
    if change.entered is None:
        return
    topup = table.parsed(change.entered)
    if topup.status is Status.PROCESSING:
        yield resolution.reminder(topup)
    yield from events.told(_event_of(topup))


def repeat() -> int:
    """Remind of every top-up that waits, and tell once more of those of late; returns how many messages."""
    since = events.repeated_since()
    return events.send_as_found(
        message for topup in table.everything() for message in _told_since(topup, since)
    )


def _told_since(topup: StoredTopup, since: str) -> Iterator[Message]:
    if topup.status is Status.PROCESSING:
        yield resolution.reminder(topup)
    event = _event_of(topup)
    if event.created_at >= since:
        yield from events.told(event)


def _event_of(topup: StoredTopup) -> Event:
    kind = f"topup.{topup.status}"
    begun = topup.status is Status.PROCESSING
    return Event(
        id=events.event_id(table.TABLE, {"pk": topup.id}, topup.status_version, kind),
        type=kind,
        created_at=topup.created_at if begun else topup.updated_at,
        principal=topup.merchant_id,
        sequence=topup.status_version,
        data=topup.shown(),
    )
