"""What changes of settlements tell others: events with an id that is the same at each telling."""

from collections.abc import Iterable, Iterator

from chassis import clock, events
from chassis.events import Event, Message
from chassis.sources import Change, each
from functions.settlement import table
from functions.settlement.records import StoredSettlement


def messages(changes: Iterable[Change]) -> list[Message]:
    """What these changes have to tell, most of which is nothing."""
    return each((change for change in changes if table.is_settlement(change.key)), _messages_of)


def _messages_of(change: Change) -> list[Message]:
    return events.told(_event_of(table.parsed(change.entered))) if change.entered else []


def repeat() -> int:
    """Send what the settlements of late have told, as if it just had; returns how many messages.

    One that is not open any more tells nothing of how it was opened.
    """
    since = events.repeated_since()
    return events.send_as_found(
        message
        for settlement in table.everything()
        for event in _all_events(settlement)
        if event.created_at >= since
        for message in events.told(event)
    )


def _all_events(settlement: StoredSettlement) -> Iterator[Event]:
    yield _event_of(settlement)
    if settlement.status == "released":
        yield _event_of(settlement.when_closed)


def _event_of(settlement: StoredSettlement) -> Event:
    kind = f"settlement.{settlement.status}"
    entered = {
        "open": settlement.opened_at,
        "closed": settlement.closed_at,
        "released": settlement.released_at,
    }
    return Event(
        id=events.event_id(table.TABLE, table.key_of(settlement), settlement.status_version, kind),
        type=kind,
        # One that was open before that was written down is told of as it is found.
        created_at=entered[settlement.status] or clock.timestamp(clock.now()),
        principal=settlement.merchant_id,
        sequence=settlement.status_version,
        data=settlement.shown(),
    )
