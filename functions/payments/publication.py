"""What changes of payments tell others: reminders, and events with an id that is the same at each telling."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from chassis import clock, events
from chassis.attributes import Item
from chassis.events import Event, Message
from chassis.sources import Change, each
from functions.payments import resolution, table
from functions.payments.records import StoredPayment, StoredRefund

REPEATED_DAYS = 2
"""How far back what was told is told again each day: a stream forgets after one."""


def messages(changes: Iterable[Change]) -> list[Message]:
    """What these changes have to tell."""
    return each(changes, lambda change: (*resolution.reminders_of(change), *_events_of(change)))


def _events_of(change: Change) -> list[Message]:
    if change.new is None or not _has_just_happened(change.new, change.old):
        return []
    event = _event_of(change.new)
    return events.told(event) if event else []


def _has_just_happened(new: Item, old: Item | None) -> bool:
    if table.is_payment(new):
        return bool(new.get("captured_version") == new["version"])
    return old is None or old["status"] != new["status"]


def repeat() -> int:
    """Send what every payment and refund of late has told, as if it just had; returns how many messages."""
    since = clock.timestamp(clock.now() - timedelta(days=REPEATED_DAYS))
    return events.send_as_found(
        message for item in table.everything() for message in _told_since(item, since)
    )


def _told_since(item: Item, since: str) -> Iterator[Message]:
    if table.is_payment(item):
        payment = table.parsed(item)
        if payment.pending:
            yield resolution.reminder(payment, payment.pending)
    event = _event_of(item)
    if event and event.created_at >= since:
        yield from events.told(event)


def _event_of(item: Item) -> Event | None:
    """What a payment that was captured, or a refund that succeeded, has to tell of that."""
    if table.is_payment(item):
        payment = table.parsed(item)
        return _captured(item, payment) if payment.captured_version else None
    refund = StoredRefund.model_validate(item)
    return _refunded(item, refund) if refund.status == "succeeded" else None


def _captured(item: Item, payment: StoredPayment) -> Event:
    version, kind = payment.captured_version or 0, "payment.captured"
    return Event(
        id=events.event_id(table.TABLE, table.key_of(item), version, kind),
        type=kind,
        created_at=payment.captured_at or payment.updated_at,
        principal=payment.merchant_id,
        sequence=version,
        data=payment.shown(),
    )


def _refunded(item: Item, refund: StoredRefund) -> Event:
    kind = "refund.succeeded"
    return Event(
        id=events.event_id(table.TABLE, table.key_of(item), refund.version, kind),
        type=kind,
        created_at=refund.succeeded_at or refund.created_at,
        principal=table.merchant_of(item),
        sequence=refund.version,
        data=refund.shown(),
    )
