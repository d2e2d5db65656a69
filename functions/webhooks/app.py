"""The routes and event handlers of webhooks: events, and where they are sent."""

from collections.abc import Sequence

from chassis.auth import Principal
from chassis.errors import Conflict
from chassis.operations import Intent, KeyRule, Reply
from chassis.paging import Page, PageQuery
from chassis.service import Service
from functions.webhooks import actions, delivery, publication
from functions.webhooks.model import TooManyEndpoints, TooManySecrets
from functions.webhooks.shapes import (
    Attempt,
    Delivery,
    DeliveryQuery,
    Endpoint,
    EndpointChange,
    EndpointId,
    Event,
    EventId,
    EventQuery,
    NewEndpoint,
    Redelivered,
    Redelivery,
    ToldEvent,
)

service = Service("webhooks", "What happened: an event log, and signed deliveries to your endpoints.")
app = service.app

service.event(
    "webhook_endpoint.disabled",
    Endpoint,
    "It answered 410, or failed for five days: nothing more is sent to it.",
)


@service.operation(
    "POST /v1/webhook-endpoints", status=201, key=KeyRule.REQUIRED, refusals=(TooManyEndpoints,)
)
def create_webhook_endpoint(principal: Principal, intent: Intent, body: NewEndpoint) -> Reply[Endpoint]:
    """Register a webhook endpoint.

    The answer has the secret that verifies what is sent to it, and no later one has. Deliveries follow the
    Standard Webhooks specification; they come at least once, in no promised order.
    """
    return actions.create_endpoint(principal, intent, body)


@service.operation("GET /v1/webhook-endpoints")
def list_webhook_endpoints(principal: Principal, query: PageQuery) -> Page[Endpoint]:
    """List the caller's webhook endpoints."""
    return actions.list_endpoints(principal, query)


@service.operation("GET /v1/webhook-endpoints/{endpoint_id}")
def get_webhook_endpoint(principal: Principal, endpoint_id: EndpointId) -> Endpoint:
    """Show a webhook endpoint."""
    return actions.get_endpoint(principal, endpoint_id)


@service.operation("PATCH /v1/webhook-endpoints/{endpoint_id}", refusals=(Conflict,))
def change_webhook_endpoint(principal: Principal, endpoint_id: EndpointId, body: EndpointChange) -> Endpoint:
    """Change a webhook endpoint.

    Enabling it begins with what happens from then on; what was missed can be redelivered.
    """
    return actions.change_endpoint(principal, endpoint_id, body)


@service.operation("DELETE /v1/webhook-endpoints/{endpoint_id}", refusals=(Conflict,))
def delete_webhook_endpoint(principal: Principal, endpoint_id: EndpointId) -> Endpoint:
    """Delete a webhook endpoint."""
    return actions.delete_endpoint(principal, endpoint_id)


@service.operation(
    "POST /v1/webhook-endpoints/{endpoint_id}/rotate-secret",
    key=KeyRule.REQUIRED,
    refusals=(TooManySecrets, Conflict),
)
def rotate_webhook_secret(principal: Principal, intent: Intent, endpoint_id: EndpointId) -> Reply[Endpoint]:
    """Make a new secret for a webhook endpoint.

    The answer has it, and no later one has. For 24 hours the one before it signs every delivery too.
    """
    return actions.rotate_secret(principal, intent, endpoint_id)


@service.operation("GET /v1/webhook-endpoints/{endpoint_id}/deliveries")
def list_webhook_deliveries(
    principal: Principal, endpoint_id: EndpointId, query: DeliveryQuery
) -> Page[Delivery]:
    """List the deliveries to a webhook endpoint, and how they went; they are kept for 30 days."""
    return actions.list_deliveries(principal, endpoint_id, query)


@service.operation("GET /v1/events")
def list_events(principal: Principal, query: EventQuery) -> Page[Event]:
    """List what happened to the caller's payments, wallets and all else; events are kept for 30 days."""
    return actions.list_events(principal, query)


@service.operation("GET /v1/events/{event_id}")
def get_event(principal: Principal, event_id: EventId) -> Event:
    """Show an event."""
    return actions.get_event(principal, event_id)


@service.operation("POST /v1/events/{event_id}/redeliver", status=202, refusals=(Conflict,))
def redeliver_event(principal: Principal, event_id: EventId, body: Redelivery) -> Redelivered:
    """Deliver an event once more.

    It goes to every enabled endpoint whose patterns match, or to the one that is named, whether it had
    arrived there or not; under the same `webhook-id`, by which a receiver knows it.
    """
    return actions.redeliver(principal, event_id, body)


@service.queue("record", queue="webhook-events")
def record(events: Sequence[ToldEvent]) -> dict[int, Exception]:
    """Keep what happened, and have it delivered to the endpoints that asked for it."""
    return publication.record(events)


@service.queue("deliver", queue=publication.QUEUE)
def deliver(attempts: Sequence[Attempt]) -> dict[int, Exception]:
    """Send events to endpoints, side by side; what does not answer soon goes on in the slow lane."""
    return delivery.deliver(attempts, slowly=False)


@service.queue("deliver_slowly", queue=publication.SLOW_QUEUE)
def deliver_slowly(attempts: Sequence[Attempt]) -> dict[int, Exception]:
    """Send events to endpoints that were slow, or failed, at their last attempt."""
    return delivery.deliver(attempts, slowly=True)


@service.schedule("retry", every_minutes=1)
def retry() -> int:
    """Begin the attempts that are due by now."""
    return publication.retry()
