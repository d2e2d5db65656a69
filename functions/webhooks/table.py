"""The webhooks table: endpoints by principal, and each event of the log with its deliveries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from chassis import clock, events, paging, store
from chassis.attributes import Item
from chassis.paging import Page, listed, newest
from chassis.writes import ABSENT, Exists, Key, Write, put, replace_version
from functions.webhooks.model import DISABLED, KEPT_DAYS, MAX_KEPT_ENDPOINTS
from functions.webhooks.records import StoredDelivery, StoredEndpoint, StoredEvent
from functions.webhooks.shapes import Attempt, Delivery, DeliveryQuery, DeliveryStatus, Event, EventQuery

TABLE = "webhooks"
_ENDPOINT = "ENDPOINT#"
_ENDPOINTS = (_ENDPOINT, "ENDPOINT$")
_EVENT = "EVENT"
_DELIVERY = "DELIVERY#"
_DELIVERIES = (_DELIVERY, "DELIVERY$")
"""`$` follows `#`."""
DUE_SHARDS = 8
DUE_LIMIT = 100
"""Of one shard, in one read."""

Record = TypeVar("Record", StoredDelivery, StoredEndpoint)


def _endpoint_key(principal: str, endpoint_id: str) -> Key:
    return {"pk": principal, "sk": _ENDPOINT + endpoint_id}


def _event_key(event_id: str) -> Key:
    return {"pk": event_id, "sk": _EVENT}


def _delivery_key(event_id: str, endpoint_id: str) -> Key:
    return {"pk": event_id, "sk": _DELIVERY + endpoint_id}


def save_endpoint(endpoint: StoredEndpoint) -> Write:
    """The endpoint in place of the version that it came from (0: none). Exists holds what stands there."""
    item = endpoint.model_dump(exclude={"version"}, exclude_defaults=True)
    if endpoint.deleted:
        item |= _expiring(endpoint.updated_at)
    key = _endpoint_key(endpoint.principal, endpoint.id)
    if endpoint.version == 0:
        return put(TABLE, key, item, ABSENT, refused=Exists)
    return replace_version(TABLE, key, item, endpoint.version, refused=Exists)


def create_event(event: StoredEvent) -> Write:
    """The event at the end of the log. Exists: it was told before."""
    item = {
        **event.model_dump(),
        **listed(f"event#{event.principal}", event.created_at, event.id),
        **_expiring(event.created_at),
    }
    return put(TABLE, _event_key(event.id), item, ABSENT, refused=Exists)


def save_delivery(delivery: StoredDelivery) -> Write:
    """The delivery in place of the version that it came from (0: none). Exists holds what stands there."""
    item = {
        **delivery.model_dump(exclude={"version"}, exclude_defaults=True),
        **listed(f"delivery#{delivery.endpoint}", delivery.created_at, delivery.event),
        **_expiring(delivery.created_at),
        **_due(delivery),
    }
    key = _delivery_key(delivery.event, delivery.endpoint)
    if delivery.version == 0:
        return put(TABLE, key, item, ABSENT, refused=Exists)
    return replace_version(TABLE, key, item, delivery.version, refused=Exists)


def kept(record: Record) -> Record:
    """The delivery, or the endpoint, at the version that its save left."""
    return record.model_copy(update={"version": record.version + 1})


def _due(delivery: StoredDelivery) -> Item:
    """The keys of the sparse index `due`: of deliveries that are to be tried again, or wait for their turn.

    What begins at once is not among them, and pays for no index.
    """
    if delivery.status is not DeliveryStatus.PENDING or delivery.begins_at_once:
        return {}
    shard = paging.shard_of(delivery.event, DUE_SHARDS)
    due_sk = f"{delivery.next_attempt_at}#{delivery.event}#{delivery.endpoint}"
    return {"due_pk": f"due#{shard}", "due_sk": due_sk}


def _expiring(since: str) -> Item:
    ends = datetime.fromisoformat(since) + timedelta(days=KEPT_DAYS)
    return {"ttl": int(ends.timestamp())}


def parsed_endpoint(item: Item) -> StoredEndpoint:
    """The endpoint that an item says."""
    return StoredEndpoint.model_validate(item)


def parsed_delivery(item: Item) -> StoredDelivery:
    """The delivery that an item says."""
    return StoredDelivery.model_validate(item)


def all_endpoints_of(principal: str) -> list[StoredEndpoint]:
    """The endpoints of a principal as of now, deleted ones included."""
    items = store.query(TABLE, ("pk", principal), ("sk", *_ENDPOINTS), limit=MAX_KEPT_ENDPOINTS)
    return [parsed_endpoint(item) for item in items]


def endpoints_of(principal: str) -> list[StoredEndpoint]:
    """The endpoints of a principal as of now."""
    return [endpoint for endpoint in all_endpoints_of(principal) if not endpoint.deleted]


def endpoint(principal: str, endpoint_id: str) -> StoredEndpoint | None:
    """One of a principal's endpoints as of now; None where it was deleted."""
    item = store.get(TABLE, _endpoint_key(principal, endpoint_id))
    found = parsed_endpoint(item) if item else None
    return None if found is None or found.deleted else found


def disabling_event_id(endpoint: StoredEndpoint) -> str:
    """The id of the event that the endpoint is disabled, where that is its next change."""
    key = _endpoint_key(endpoint.principal, endpoint.id)
    return events.event_id(TABLE, key, endpoint.version + 1, DISABLED)


def event(event_id: str) -> StoredEvent | None:
    """The event as of now."""
    item = store.get(TABLE, _event_key(event_id))
    return StoredEvent.model_validate(item) if item else None


def deliveries_of_event(event_id: str) -> dict[str, StoredDelivery]:
    """Endpoint -> its delivery of that event, as of now."""
    items = store.query(TABLE, ("pk", event_id), ("sk", *_DELIVERIES), limit=MAX_KEPT_ENDPOINTS)
    return {found.endpoint: found for found in map(parsed_delivery, items)}


def events_of(principal: str, query: EventQuery, between: tuple[str, str]) -> Page[Event]:
    """A page of the principal's events, between two moments."""

    def load(keys: list[Item]) -> list[Event | None]:
        items = store.get_many((TABLE, _event_key(key["pk"])) for key in keys)
        return [StoredEvent.model_validate(item).shown() if item else None for item in items]

    return newest(TABLE, f"event#{principal}", query, load, query.keeps, between=between)


def deliveries_to(endpoint_id: str, query: DeliveryQuery) -> Page[Delivery]:
    """A page of the deliveries to an endpoint, those of the latest events first."""

    def load(keys: list[Item]) -> list[Delivery | None]:
        return [found.shown() if found else None for found in _deliveries(keys)]

    return newest(TABLE, f"delivery#{endpoint_id}", query, load, query.keeps)


def _deliveries(keys: Sequence[Item]) -> list[StoredDelivery | None]:
    items = store.get_many((TABLE, {"pk": key["pk"], "sk": key["sk"]}) for key in keys)
    return [parsed_delivery(item) if item else None for item in items]


def due(at: datetime) -> Iterator[list[StoredDelivery]]:
    """Deliveries that are due since then, some at a time: of each shard in turn, the oldest of it first."""
    until = clock.timestamp(at)
    reads_from = dict.fromkeys(range(DUE_SHARDS), "0")
    while reads_from:
        for shard, lower in list(reads_from.items()):
            keys = store.query(
                TABLE,
                ("due_pk", f"due#{shard}"),
                ("due_sk", lower, until),
                limit=DUE_LIMIT,
                index="due",
                oldest_first=True,
            )
            if len(keys) < DUE_LIMIT:
                del reads_from[shard]
            else:
                reads_from[shard] = keys[-1]["due_sk"] + " "  # just behind it
            yield [found for found in _deliveries(keys) if found and (found.next_attempt_at or ":") < until]


def endpoints_of_all(deliveries: Iterable[StoredDelivery]) -> dict[str, StoredEndpoint]:
    """Id -> endpoint, of all that these deliveries go to, as of a moment ago."""
    keys = {each.endpoint: _endpoint_key(each.principal, each.endpoint) for each in deliveries}
    items = store.get_many(((TABLE, key) for key in keys.values()), as_of_now=False)
    return {item["id"]: parsed_endpoint(item) for item in items if item}


@dataclass(frozen=True, slots=True)
class Known:
    """What is there of some events and their deliveries."""

    events: frozenset[str]
    deliveries: Mapping[tuple[str, str], StoredDelivery]
    """By event and endpoint."""


def known(wanted: Iterable[tuple[str, Iterable[str]]]) -> Known:
    """What was there a moment ago of these events, and of their deliveries to these endpoints."""
    told: dict[str, Key] = {}
    sent: dict[tuple[str, str], Key] = {}
    for event_id, endpoint_ids in wanted:
        told[event_id] = _event_key(event_id)
        sent |= {(event_id, each): _delivery_key(event_id, each) for each in endpoint_ids}
    keys = [(TABLE, key) for key in (*told.values(), *sent.values())]
    found = iter(store.get_many(keys, as_of_now=False))
    there = frozenset(event_id for event_id in told if next(found))
    deliveries = {name: parsed_delivery(item) for name, item in zip(sent, found, strict=True) if item}
    return Known(there, deliveries)


Loaded = tuple[StoredDelivery | None, StoredEndpoint | None, StoredEvent | None]


def load(attempts: Sequence[Attempt]) -> list[Loaded]:
    """What each of these attempts is about, as of now, in one read."""
    wanted = {(key["pk"], key["sk"]): key for attempt in attempts for key in _keys_of(attempt)}
    items = store.get_many((TABLE, key) for key in wanted.values())
    found = dict(zip(wanted, items, strict=True))
    return [_loaded(*(found[key["pk"], key["sk"]] for key in _keys_of(attempt))) for attempt in attempts]


def _keys_of(attempt: Attempt) -> tuple[Key, Key, Key]:
    return (
        _delivery_key(attempt.event, attempt.endpoint),
        _endpoint_key(attempt.principal, attempt.endpoint),
        _event_key(attempt.event),
    )


def _loaded(delivery: Item | None, endpoint: Item | None, event: Item | None) -> Loaded:
    return (
        parsed_delivery(delivery) if delivery else None,
        parsed_endpoint(endpoint) if endpoint else None,
        StoredEvent.model_validate(event) if event else None,
    )
