"""What becomes of an event: its place in the log, and a delivery to each endpoint that asked for it."""

from collections.abc import Iterable, Sequence
from contextlib import suppress

from chassis import events, store
from chassis.events import Message
from chassis.writes import Exists
from functions.webhooks import model, table
from functions.webhooks.records import StoredDelivery, StoredEndpoint
from functions.webhooks.shapes import Attempt, DeliveryStatus, ToldEvent

QUEUE = "webhook-deliveries"
SLOW_QUEUE = "webhook-slow-deliveries"


def record(told: Sequence[ToldEvent]) -> dict[int, Exception]:
    """Keep each event once, and have it delivered, however often it is told; returns failures by position."""
    endpoints: dict[str, list[StoredEndpoint]] = {}
    failed: dict[int, Exception] = {}
    for position, event in enumerate(told):
        try:
            if event.principal not in endpoints:
                endpoints[event.principal] = table.endpoints_of(event.principal)
            _record(event, endpoints[event.principal])
        except Exception as error:  # noqa: BLE001 - whatever it is, this event alone is told again
            failed[position] = error
    return failed


def _record(told: ToldEvent, endpoints: Iterable[StoredEndpoint]) -> None:
    # Dying between any two lines is mended by the message, which comes again and does what is missing.
    event = model.recorded(told)
    with suppress(Exists):
        store.commit(table.create_event(event))
    messages = []
    for endpoint in endpoints:
        if model.wants(endpoint, event.type):
            delivery = _begun(model.new_delivery(event, endpoint))
            if delivery.status is DeliveryStatus.PENDING and delivery.attempts == 0:
                messages.append(attempt_of(delivery, endpoint))
    events.send(messages)


def _begun(delivery: StoredDelivery) -> StoredDelivery:
    """The delivery as it is kept, now or since the event was told before."""
    try:
        store.commit(table.save_delivery(delivery))
    except Exists as existing:
        return table.parsed_delivery(existing.item)
    return table.kept(delivery)


def attempt_of(delivery: StoredDelivery, endpoint: StoredEndpoint, delay_seconds: int = 0) -> Message:
    """The message that begins the next attempt: apart from others where the endpoint would hold them up."""
    attempt = Attempt(
        principal=delivery.principal,
        event=delivery.event,
        endpoint=delivery.endpoint,
        version=delivery.version,
    )
    return Message(SLOW_QUEUE if endpoint.slow else QUEUE, attempt, delay_seconds)
