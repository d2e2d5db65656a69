"""The rules of webhooks: what matches, how it is signed, when it is tried again, what ends an endpoint."""

import base64
import hashlib
import hmac
import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from chassis import clock
from chassis.config import settings
from chassis.errors import Conflict, ValidationFailed
from chassis.operations import Intent
from functions.webhooks.records import FormerSecret, Outcome, StoredDelivery, StoredEndpoint, StoredEvent
from functions.webhooks.shapes import (
    DeliveryStatus,
    DisabledReason,
    EndpointChange,
    Event,
    Failure,
    NewEndpoint,
    ToldEvent,
)

MAX_ENDPOINTS = 16
"""Of one principal."""
MAX_KEPT_ENDPOINTS = 100
"""Of one principal, those that were deleted within the last days included."""
FORMER_HOURS = 24
"""How long the secrets before a rotation sign too."""
MAX_FORMER = 3
MAX_KNOWN = 12
"""Rotations that are known as such when they are asked for again."""
KEPT_DAYS = 30
"""How long events, and what became of their deliveries, can be read."""
PAUSES_SECONDS = (5, 60, 600, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600, 24 * 3600)
"""After each failed attempt until the next one: ten attempts over three days."""
JITTER = 0.2
"""By so much a pause may be longer or shorter, so that what failed together is not tried together."""
FAILING_DAYS = 5
"""An endpoint that has failed so long, without a success, is disabled."""
CLOCKS_DIFFER = timedelta(minutes=1)
"""By so much the clocks of two functions may differ, and no event is lost for it."""
SLOW_SECONDS = 2.0
"""An endpoint that takes longer to answer is served apart."""
PAUSE = timedelta(seconds=30)
"""After an attempt that was not answered in time, for all deliveries to that endpoint."""

DISABLED = "webhook_endpoint.disabled"
GONE = 410
"""The endpoint wants no more (Standard Webhooks 1.0.0, "Deliverability and reliability")."""


class TooManyEndpoints(Conflict):
    """There is a limit to the endpoints of one principal."""

    code = "too_many_endpoints"
    title = "Too many endpoints"


class TooManySecrets(Conflict):
    """Rotated so often today that a secret that is in use would have to go."""

    code = "too_many_secrets"
    title = "Too many secrets"


class Rotated(Exception):
    """The secret that a rotation would make is there already."""

    def __init__(self, endpoint: StoredEndpoint) -> None:
        super().__init__("it was rotated before")
        self.endpoint = endpoint


def check_patterns(patterns: Iterable[str]) -> None:
    """Raise ValidationFailed unless each pattern matches a type of event that there is."""
    known = settings().event_types
    for position, pattern in enumerate(patterns):
        if not any(fnmatchcase(kind, pattern) for kind in known):
            message = f"matches no type of event: take *, or some of {', '.join(known)}"
            raise ValidationFailed.of("body", f"/events/{position}", message)


def require_room(endpoints: Sequence[StoredEndpoint]) -> None:
    """Raise TooManyEndpoints where a principal with these, deleted ones included, may have no more."""
    if sum(not endpoint.deleted for endpoint in endpoints) >= MAX_ENDPOINTS:
        raise TooManyEndpoints(f"there are {MAX_ENDPOINTS} webhook endpoints: delete one first")
    if len(endpoints) >= MAX_KEPT_ENDPOINTS:
        raise TooManyEndpoints(f"{MAX_KEPT_ENDPOINTS} webhook endpoints were made within {KEPT_DAYS} days")


def wants(endpoint: StoredEndpoint, event_type: str) -> bool:
    """Whether events of that type go to the endpoint."""
    return endpoint.status == "enabled" and any(fnmatchcase(event_type, each) for each in endpoint.events)


def is_to_be_told(endpoint: StoredEndpoint, event: StoredEvent) -> bool:
    """Whether an event goes to the endpoint, as it is by now."""
    return not endpoint.deleted and wants(endpoint, event.type) and event.created_at >= endpoint.told_from


def new_endpoint(principal: str, intent: Intent, new: NewEndpoint, at: datetime) -> StoredEndpoint:
    """The endpoint that a request asks for."""
    stamp = clock.timestamp(at)
    endpoint_id = intent.id("we")
    return StoredEndpoint(
        id=endpoint_id,
        principal=principal,
        url=new.url,
        events=tuple(new.events),
        secret_id=endpoint_id,
        told_from=clock.timestamp(at - CLOCKS_DIFFER),
        created_at=stamp,
        updated_at=stamp,
        fingerprint=intent.fingerprint,
    )


def changed(endpoint: StoredEndpoint, change: EndpointChange, at: datetime) -> StoredEndpoint:
    """The endpoint with what is asked for; enabled again, or at another address, it starts anew."""
    asked = change.model_dump(exclude_none=True)
    if "events" in asked:
        asked["events"] = tuple(asked["events"])
    enables = change.status == "enabled" and endpoint.status == "disabled"
    if change.url not in {None, endpoint.url} or enables:
        asked |= {"slow": False, "failing_since": None, "paused_until": None}
    if change.status is not None and change.status != endpoint.status:
        asked["disabled_reason"] = "requested" if change.status == "disabled" else None
        asked["disabled_event"] = None
        asked["told_from"] = clock.timestamp(at - CLOCKS_DIFFER)
    return endpoint.model_copy(update={**asked, "updated_at": clock.timestamp(at)})


def disabled(endpoint: StoredEndpoint, reason: DisabledReason, at: datetime) -> StoredEndpoint:
    """The endpoint, to which nothing more is sent until its owner enables it."""
    off = {"status": "disabled", "disabled_reason": reason, "updated_at": clock.timestamp(at)}
    return endpoint.model_copy(update=off)


def deleted(endpoint: StoredEndpoint, at: datetime) -> StoredEndpoint:
    """The endpoint, which nobody sees any more."""
    return endpoint.model_copy(update={"deleted": True, "updated_at": clock.timestamp(at)})


def rotated(endpoint: StoredEndpoint, secret_id: str, at: datetime) -> StoredEndpoint:
    """The endpoint with a new secret, and those before it for a day. Raises Rotated, or TooManySecrets."""
    if secret_id in endpoint.secret_ids:
        raise Rotated(endpoint)
    valid = [former for former in endpoint.former_secrets if former.until > clock.timestamp(at)]
    if len(valid) == MAX_FORMER:
        raise TooManySecrets(f"{endpoint.id} has had {MAX_FORMER} rotations within {FORMER_HOURS} hours")
    until = clock.timestamp(at + timedelta(hours=FORMER_HOURS))
    # Those of the past too: a repetition of their request must not bring one back.
    former = (FormerSecret(id=endpoint.secret_id, until=until), *endpoint.former_secrets)[:MAX_KNOWN]
    return endpoint.model_copy(
        update={"secret_id": secret_id, "former_secrets": former, "updated_at": clock.timestamp(at)}
    )


def secret_of(endpoint: StoredEndpoint, secret_id: str) -> str:
    """A signing secret as its owner knows it: `whsec_` and 32 bytes in base64, always the same."""
    key = bytes.fromhex(settings().required("webhook_key"))
    derived = hmac.new(key, f"{endpoint.id}:{secret_id}".encode(), hashlib.sha256).digest()
    return f"whsec_{base64.b64encode(derived).decode()}"


def secrets_of(endpoint: StoredEndpoint, at: datetime) -> list[str]:
    """The secrets that sign what is sent now, the newest first."""
    valid = [former.id for former in endpoint.former_secrets if former.until > clock.timestamp(at)]
    return [secret_of(endpoint, secret_id) for secret_id in (endpoint.secret_id, *valid)]


def signed(event: StoredEvent, secrets: Sequence[str], sent_at: int) -> dict[str, str]:
    """The headers that prove who sent this body, and when (Standard Webhooks 1.0.0, "Signature scheme").

    `sent_at` is in epoch seconds, by the real clock: that is what receivers compare it with.
    """
    content = f"{event.id}.{sent_at}.{event.body}".encode()
    signatures = []
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.new(key, content, hashlib.sha256).digest()
        signatures.append(f"v1,{base64.b64encode(digest).decode()}")
    return {
        "webhook-id": event.id,
        "webhook-timestamp": str(sent_at),
        "webhook-signature": " ".join(signatures),
    }


def recorded(told: ToldEvent) -> StoredEvent:
    """The event as the log keeps it."""
    body = Event(**told.model_dump(include=set(Event.model_fields))).model_dump_json()
    return StoredEvent(
        id=told.id, type=told.type, created_at=told.created_at, principal=told.principal, body=body
    )


def new_delivery(event: StoredEvent, endpoint: StoredEndpoint) -> StoredDelivery:
    """The delivery of an event to an endpoint, which may begin at once."""
    return StoredDelivery(
        event=event.id,
        event_type=event.type,
        endpoint=endpoint.id,
        principal=event.principal,
        created_at=event.created_at,
        next_attempt_at=event.created_at,
    )


def asked_again(delivery: StoredDelivery, at: datetime) -> StoredDelivery:
    """The delivery, due at once and with all its attempts before it, whatever became of it."""
    again = {"status": DeliveryStatus.PENDING, "tries": 0, "next_attempt_at": clock.timestamp(at)}
    return delivery.model_copy(update=again)


def put_off(delivery: StoredDelivery, at: datetime) -> StoredDelivery:
    """The delivery as one of many to an endpoint that fails: due, but for `retry` to begin."""
    return delivery.model_copy(update={"next_attempt_at": clock.timestamp(at)})


def attempted(delivery: StoredDelivery, outcome: Outcome, at: datetime) -> StoredDelivery:
    """The delivery after an attempt; one that failed is tried again, unless it was the last one."""
    tries = delivery.tries + 1
    done = outcome.failure is None
    final = done or tries > len(PAUSES_SECONDS) or outcome.response_code == GONE
    status = DeliveryStatus.SUCCEEDED if done else DeliveryStatus.FAILED
    return delivery.model_copy(
        update={
            "status": status if final else DeliveryStatus.PENDING,
            "attempts": delivery.attempts + 1,
            "tries": tries,
            "response_code": outcome.response_code,
            "failure": outcome.failure,
            "duration_ms": outcome.duration_ms,
            "last_attempt_at": clock.timestamp(at),
            "next_attempt_at": None if final else clock.timestamp(at + _pause_after(tries)),
        }
    )


def _pause_after(tries: int) -> timedelta:
    spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter, not a secret
    return timedelta(seconds=PAUSES_SECONDS[tries - 1] * spread)


def given_up(delivery: StoredDelivery, failure: Failure) -> StoredDelivery:
    """The delivery to an endpoint that is there no more, or takes nothing now: it is not attempted."""
    return delivery.model_copy(
        update={"status": DeliveryStatus.FAILED, "failure": failure, "next_attempt_at": None}
    )


def slowed(endpoint: StoredEndpoint) -> StoredEndpoint:
    """The endpoint that has not answered in the time of the fast lane, which says no more than that."""
    return endpoint.model_copy(update={"slow": True})


def health_after(endpoint: StoredEndpoint, outcome: Outcome, at: datetime) -> StoredEndpoint:
    """The endpoint as its answer shows it: nearly always as it was before."""
    failed = outcome.failure is not None
    return endpoint.model_copy(
        update={
            "slow": failed or outcome.duration_ms > SLOW_SECONDS * 1000,
            "failing_since": (endpoint.failing_since or clock.timestamp(at)) if failed else None,
            "paused_until": clock.timestamp(at + PAUSE) if outcome.failure is Failure.TIMEOUT else None,
        }
    )


def reason_to_disable(endpoint: StoredEndpoint, outcome: Outcome, at: datetime) -> DisabledReason | None:
    """Why an endpoint is to be disabled after this answer; None: it is not."""
    if outcome.response_code == GONE:
        return "gone"
    since = endpoint.failing_since
    if outcome.failure is None or since is None:
        return None
    return "failing" if at - datetime.fromisoformat(since) >= timedelta(days=FAILING_DAYS) else None
