"""What can be done with endpoints, and what can be read of events and their deliveries."""

from collections.abc import Callable
from datetime import UTC, datetime

from chassis import clock, events, paging, store
from chassis.auth import Principal
from chassis.errors import Conflict, NotFound, ValidationFailed
from chassis.operations import Intent, Reply
from chassis.paging import Page, PageQuery
from chassis.writes import Exists
from functions.webhooks import addresses, model, publication, table
from functions.webhooks.records import StoredDelivery, StoredEndpoint, StoredEvent
from functions.webhooks.shapes import (
    Delivery,
    DeliveryQuery,
    Endpoint,
    EndpointChange,
    Event,
    EventQuery,
    NewEndpoint,
    Redelivered,
    Redelivery,
)

RACES = 20
"""How often others may be faster in changing an endpoint."""


def create_endpoint(principal: Principal, intent: Intent, new: NewEndpoint) -> Reply[Endpoint]:
    """Register an endpoint; its secret is in the first answer only."""
    _check(new.url, new.events)
    made = model.new_endpoint(principal.id, intent, new, clock.now())
    there = table.all_endpoints_of(principal.id)
    if made.id not in {endpoint.id for endpoint in there}:
        model.require_room(there)
    try:
        store.commit(table.save_endpoint(made))
    except Exists as existing:
        stored = table.parsed_endpoint(existing.item)
        intent.check(stored.fingerprint)
        return Reply(_existing(principal, stored.id).shown(), replayed=True)
    return Reply(made.shown(model.secret_of(made, made.secret_id)))


def _check(url: str | None, patterns: list[str] | None) -> None:
    if url is not None:
        addresses.check_url(url)
    if patterns is not None:
        model.check_patterns(patterns)


def list_endpoints(principal: Principal, query: PageQuery) -> Page[Endpoint]:
    """The caller's endpoints, newest first."""
    shown = (endpoint.shown() for endpoint in table.endpoints_of(principal.id))
    listing = f"{principal.id}/webhook-endpoints"
    return paging.of_few(listing, shown, query, key=lambda endpoint: f"{endpoint.created_at}#{endpoint.id}")


def get_endpoint(principal: Principal, endpoint_id: str) -> Endpoint:
    """One of the caller's endpoints."""
    return _existing(principal, endpoint_id).shown()


def change_endpoint(principal: Principal, endpoint_id: str, change: EndpointChange) -> Endpoint:
    """Change its address, what it is told, or whether it is."""
    _check(change.url, change.events)
    return _move(principal, endpoint_id, lambda found: model.changed(found, change, clock.now())).shown()


def delete_endpoint(principal: Principal, endpoint_id: str) -> Endpoint:
    """Send it nothing more, and forget it; shows it as it was."""
    return _move(principal, endpoint_id, lambda found: model.deleted(found, clock.now())).shown()


def rotate_secret(principal: Principal, intent: Intent, endpoint_id: str) -> Reply[Endpoint]:
    """A new secret, in the first answer only; those before it sign too for a day."""
    secret_id = intent.id("whk")
    try:
        rotated = _move(principal, endpoint_id, lambda found: model.rotated(found, secret_id, clock.now()))
    except model.Rotated as earlier:
        return Reply(earlier.endpoint.shown(), replayed=True)
    return Reply(rotated.shown(model.secret_of(rotated, secret_id)))


def _move(
    principal: Principal, endpoint_id: str, move: Callable[[StoredEndpoint], StoredEndpoint]
) -> StoredEndpoint:
    for _ in range(RACES):
        moved = move(_existing(principal, endpoint_id))
        try:
            store.commit(table.save_endpoint(moved))
        except Exists:
            continue
        return moved
    raise Conflict(f"{endpoint_id} is being changed by other requests")


def _existing(principal: Principal, endpoint_id: str) -> StoredEndpoint:
    endpoint = table.endpoint(principal.id, endpoint_id)
    if endpoint is None:
        raise NotFound(f"there is no webhook endpoint {endpoint_id}")
    return endpoint


def list_deliveries(principal: Principal, endpoint_id: str, query: DeliveryQuery) -> Page[Delivery]:
    """What was sent to one of the caller's endpoints, of the latest events first."""
    return table.deliveries_to(_existing(principal, endpoint_id).id, query)


def list_events(principal: Principal, query: EventQuery) -> Page[Event]:
    """The caller's events, newest first."""
    between = (
        _moment("created_after", query.created_after, "0"),
        _moment("created_before", query.created_before, ":"),
    )
    if between[0] > between[1]:
        raise ValidationFailed.of("query", "/created_before", "is before created_after")
    return table.events_of(principal.id, query, between)


def _moment(name: str, text: str | None, otherwise: str) -> str:
    """A bound of the list: a moment as it is written there. Raises ValidationFailed for what is none."""
    if text is None:
        return otherwise
    try:
        moment = datetime.fromisoformat(text)
        return clock.timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ValidationFailed.of("query", f"/{name}", "is not a time such as 2026-11-23T09:30:00Z") from None


def get_event(principal: Principal, event_id: str) -> Event:
    """One of the caller's events."""
    return _event(principal, event_id).shown()


def _event(principal: Principal, event_id: str) -> StoredEvent:
    event = table.event(event_id)
    if event is None or event.principal != principal.id:
        raise NotFound(f"there is no event {event_id}")
    return event


def redeliver(principal: Principal, event_id: str, asked: Redelivery) -> Redelivered:
    """Send the event once more, with all its attempts before it, to whoever wants it or to one endpoint."""
    event = _event(principal, event_id)
    if asked.endpoint is not None:
        endpoint = table.endpoint(principal.id, asked.endpoint)
        if endpoint is None:
            raise ValidationFailed.of("body", "/endpoint", "is none of your webhook endpoints")
        if endpoint.status == "disabled":
            raise Conflict(f"{endpoint.id} is disabled: enable it first")
        endpoints = [endpoint]
    else:
        endpoints = [each for each in table.endpoints_of(principal.id) if model.wants(each, event.type)]
    earlier = table.deliveries_of_event(event.id)
    deliveries = [_again(event, endpoint, earlier.get(endpoint.id)) for endpoint in endpoints]
    events.send(
        publication.attempt_of(delivery, endpoint)
        for delivery, endpoint in zip(deliveries, endpoints, strict=True)
    )
    return Redelivered(data=[delivery.shown() for delivery in deliveries])


def _again(event: StoredEvent, endpoint: StoredEndpoint, earlier: StoredDelivery | None) -> StoredDelivery:
    asked = model.asked_again(earlier or model.new_delivery(event, endpoint), clock.now())
    for _ in range(RACES):
        try:
            store.commit(table.save_delivery(asked))
        except Exists as existing:
            asked = model.asked_again(table.parsed_delivery(existing.item), clock.now())
        else:
            return table.kept(asked)
    raise Conflict(f"the delivery to {endpoint.id} is being changed by others")
