"""What becomes of an event: its place in the log, and a delivery to each endpoint that asked for it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta

from chassis import clock, events, store
from chassis.events import Message
from chassis.writes import Exists
from functions.webhooks import model, table
from functions.webhooks.records import StoredDelivery, StoredEndpoint, StoredEvent
from functions.webhooks.shapes import Attempt, DeliveryStatus, Endpoint, ToldEvent
from functions.webhooks.table import Known

QUEUE = "webhook-deliveries"
SLOW_QUEUE = "webhook-slow-deliveries"
GRACE_SECONDS = 60
"""For which a due delivery is left to its delayed message."""
RETRY_SECONDS = 20.0
"""After which `retry` leaves the rest to its next run."""
PER_RUN, SLOW_PER_RUN = 500, 20
"""Deliveries to one endpoint that `retry` begins in a run: what its lane can do until the next."""


def record(told: Sequence[ToldEvent]) -> dict[int, Exception]:
    """Keep each event once, and have it delivered, however often it is told; returns failures by position."""
    # Dying anywhere here is mended by the messages, which come again and do what is missing.
    endpoints = {
        principal: table.all_endpoints_of(principal) for principal in {each.principal for each in told}
    }
    # Much is told again, such as each day what was of late: reading it costs less than a put that is refused.
    concerned = [_concerned(endpoints[each.principal], each.created_at) for each in told]
    known = table.known(
        (each.id, [one.id for one in those]) for each, those in zip(told, concerned, strict=True)
    )
    begun: dict[int, list[Message]] = {}
    failed: dict[int, Exception] = {}
    for position, event in enumerate(told):
        try:
            begun[position] = _recorded(model.recorded(event), concerned[position], known)
        except Exception as error:  # noqa: BLE001 - whatever it is, this event alone is told again
            failed[position] = error
    try:
        events.send(message for messages in begun.values() for message in messages)
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody knows which of them were sent
        failed |= {position: error for position, messages in begun.items() if messages}
    return failed


def _concerned(endpoints: Iterable[StoredEndpoint], created_at: str) -> list[StoredEndpoint]:
    """Those that an event of that time may have been sent to: no longer those that were deleted before it."""
    return [each for each in endpoints if not each.deleted or each.updated_at >= created_at]


def _recorded(event: StoredEvent, endpoints: Iterable[StoredEndpoint], known: Known) -> list[Message]:
    """Put the event into the log, and its deliveries; returns what begins those that nobody has attempted."""
    if event.id not in known.events:
        with suppress(Exists):
            store.commit(table.create_event(event))
    begun = []
    for each in endpoints:
        # What was begun goes on, whatever its endpoint asks for by now: nobody else would ever attempt it.
        delivery = known.deliveries.get((event.id, each.id))
        if delivery is None and model.is_to_be_told(each, event):
            delivery = _begun(model.new_delivery(event, each))
        if delivery is not None:
            begun.append((delivery, each))
    return [
        attempt_of(delivery, endpoint)
        for delivery, endpoint in begun
        if delivery.status is DeliveryStatus.PENDING and delivery.attempts == 0
    ]


def _begun(delivery: StoredDelivery) -> StoredDelivery:
    """The delivery as it is kept, now or since the event was told before."""
    try:
        store.commit(table.save_delivery(delivery))
    except Exists as existing:
        return table.parsed_delivery(existing.item)
    return table.kept(delivery)


def attempt_of(
    delivery: StoredDelivery, endpoint: StoredEndpoint, delay_seconds: int = 0, *, broken_off: bool = False
) -> Message:
    """The message that begins the next attempt: apart from others where the endpoint would hold them up."""
    attempt = Attempt(
        principal=delivery.principal,
        event=delivery.event,
        endpoint=delivery.endpoint,
        version=delivery.version,
        broken_off=broken_off,
    )
    return Message(SLOW_QUEUE if endpoint.slow or broken_off else QUEUE, attempt, delay_seconds)


def disabling(off: StoredEndpoint) -> StoredEvent:
    """The event of the log that tells of an endpoint that was not disabled by its owner."""
    told = ToldEvent(
        id=str(off.disabled_event),
        type=model.DISABLED,
        created_at=off.updated_at,
        principal=off.principal,
        sequence=off.version + 1,
        data=off.shown().model_dump(mode="json"),
    )
    return model.recorded(told)


def telling(disabling: StoredEvent) -> list[Message]:
    """The messages that tell of it, as other capabilities tell of their records."""
    shown = disabling.shown()
    event = events.Event(
        id=shown.id,
        type=shown.type,
        created_at=shown.created_at,
        principal=disabling.principal,
        sequence=shown.sequence,
        data=Endpoint.model_validate(shown.data),
    )
    return events.told(event)


def retry() -> int:
    """Send a message for each delivery that is due since a while; returns how many.

    The delayed message of the last attempt should have begun it; where there was none, where it got lost, or
    where the calendar has been moved, this does, and the version decides who is first. Of one endpoint only
    so many are begun in a run. What is beyond that is put off to the run whose turn it is, so that a long
    backlog of one is out of the way of all others.
    """
    ends_at, at = clock.monotonic() + RETRY_SECONDS, clock.now()
    found: Counter[str] = Counter()
    sent = 0
    for deliveries in table.due(at - timedelta(seconds=GRACE_SECONDS)):
        endpoints = table.endpoints_of_all(deliveries)
        messages = []
        for delivery in (each for each in deliveries if each.endpoint in endpoints):
            endpoint = endpoints[delivery.endpoint]
            is_slow = endpoint.slow and endpoint.status == "enabled"
            turn = found[endpoint.id] // (SLOW_PER_RUN if is_slow else PER_RUN)
            found[endpoint.id] += 1
            if turn == 0:
                messages.append(attempt_of(delivery, endpoint))
            else:
                with suppress(Exists):
                    later = model.put_off(delivery, at + timedelta(minutes=turn))
                    store.commit(table.save_delivery(later))
        events.send(messages)
        sent += len(messages)
        if clock.monotonic() > ends_at:
            break
    return sent
