"""What changes of payments tell others: reminders, and events with an id that is the same at each telling."""

from collections.abc import Iterable, Iterator

from chassis import events
from chassis.attributes import Item
from chassis.events import Event, Message
from chassis.sources import Change, each
from functions.payments import resolution, table
from functions.payments.records import StoredPayment, StoredRefund
from functions.payments.shapes import Status


def messages(changes: Iterable[Change]) -> list[Message]:
    """What these changes have to tell."""
    return each(changes, lambda change: (*resolution.reminders_of(change), *_events_of(change)))


def _events_of(change: Change) -> Iterator[Message]:
    """What the version that a change has left came with, and no version before it."""
    if change.new is not None:
        for event in _all_events(change.new):
            if event.sequence == change.new["version"]:
                yield from events.told(event)


def repeat() -> int:
    """Send what every payment and refund of late has told, as if it just had; returns how many messages."""
    since = events.repeated_since()
    return events.send_as_found(
        message for item in table.everything() for message in _told_since(item, since)
    )


def _told_since(item: Item, since: str) -> Iterator[Message]:
    if table.is_payment(item):
        payment = table.parsed(item)
        if payment.pending:
            yield resolution.reminder(payment, payment.pending)
    for event in _all_events(item):
        if event.created_at >= since:
            yield from events.told(event)


def _all_events(item: Item) -> Iterator[Event]:
    """What can be told of a record as it stands: how it came to be so, and a payment's capture."""
    if not table.is_payment(item):
        yield _of_refund(item, StoredRefund.model_validate(item))
        return
    payment = table.parsed(item)
    if payment.captured_version:
        yield _of_payment(item, payment.when_captured, payment.captured_version)
    if payment.status is not Status.CAPTURED:
        yield _of_payment(item, payment, payment.status_version)


def _of_payment(item: Item, payment: StoredPayment, version: int) -> Event:
    kind = f"payment.{payment.status}"
    begun = payment.status is Status.PROCESSING
    return Event(
        id=events.event_id(table.TABLE, table.key_of(item), version, kind),
        type=kind,
        created_at=payment.latest.created_at if begun else payment.updated_at,
        principal=payment.merchant_id,
        sequence=version,
        data=payment.shown(),
    )


def _of_refund(item: Item, refund: StoredRefund) -> Event:
    # Each version of a refund has a status of its own.
    kind = f"refund.{refund.status}"
    ended_at = {"succeeded": refund.succeeded_at, "failed": refund.failed_at}.get(refund.status)
    return Event(
        id=events.event_id(table.TABLE, table.key_of(item), refund.version, kind),
        type=kind,
        created_at=ended_at or refund.created_at,
        principal=table.merchant_of(item),
        sequence=refund.version,
        data=refund.shown(),
    )
