"""How endpoints, events and deliveries are kept."""

import math
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from functions.webhooks.shapes import (
    Delivery,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
    EndpointStatus,
    Event,
    Failure,
)


class FormerSecret(BaseModel):
    """A secret that a rotation has replaced, and that still signs for a while."""

    model_config = ConfigDict(frozen=True)

    id: str
    until: str


class StoredEndpoint(BaseModel):
    """An endpoint as it is kept. No secret is: each is derived from its id and the key of all of them."""

    model_config = ConfigDict(frozen=True)

    id: str
    principal: str
    url: str
    events: tuple[str, ...]
    status: EndpointStatus = "enabled"
    disabled_reason: DisabledReason | None = None
    disabled_event: str | None = None
    """The event that tells of it, where it was not its owner who asked for it."""
    slow: bool = False
    """Whether its last attempt failed or took long: then it is served apart, where it delays nobody."""
    failing_since: str | None = None
    paused_until: str | None = None
    """Until then nothing is attempted: it did not answer in time, and each such attempt holds up its lane."""
    secret_id: str
    former_secrets: tuple[FormerSecret, ...] = ()
    """The latest first."""
    told_from: str = ""
    """It is told what happened from that moment on: older events come by as well, each day, told again."""
    created_at: str
    updated_at: str
    fingerprint: str
    deleted: bool = False
    """Kept for a while, so that a repetition of its creation does not bring it back."""
    version: int = 0

    def paused_seconds(self, at: datetime) -> int:
        """How long it is left alone, where it did not answer just now."""
        return _seconds_until(self.paused_until, at) if self.paused_until else 0

    @property
    def secret_ids(self) -> tuple[str, ...]:
        """Of the secret that is valid, and of those that were, the newest first."""
        return (self.secret_id, *(former.id for former in self.former_secrets))

    def shown(self, secret: str | None = None) -> Endpoint:
        """The endpoint as the API shows it, with its secret when that is new."""
        same = set(Endpoint.model_fields) - {"events", "former_secrets_until", "secret"}
        return Endpoint(
            **self.model_dump(include=same),
            events=list(self.events),
            former_secrets_until=max((former.until for former in self.former_secrets), default=None),
            secret=secret,
        )


class StoredEvent(BaseModel):
    """An event of the log; `body` is what is delivered, byte for byte."""

    model_config = ConfigDict(frozen=True)

    id: str
    type: str
    created_at: str
    principal: str
    body: str

    def shown(self) -> Event:
        """The event as the API shows it."""
        return Event.model_validate_json(self.body)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went: no failure, and it succeeded."""

    response_code: int | None
    failure: Failure | None
    duration_ms: int


class StoredDelivery(BaseModel):
    """The delivery of one event to one endpoint as it is kept."""

    model_config = ConfigDict(frozen=True)

    event: str
    event_type: str
    endpoint: str
    principal: str
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = 0
    tries: int = 0
    """Attempts since it was last asked for: by them the pauses grow."""
    response_code: int | None = None
    failure: Failure | None = None
    duration_ms: int | None = None
    created_at: str
    last_attempt_at: str | None = None
    next_attempt_at: str | None = None
    version: int = 0

    def seconds_until_due(self, at: datetime) -> int:
        """How long a delivery that was tried has to wait yet."""
        if self.tries == 0 or self.next_attempt_at is None:
            return 0
        return _seconds_until(self.next_attempt_at, at)

    @property
    def begins_at_once(self) -> bool:
        """Whether it was neither tried nor put off yet: nothing but its message has to begin it."""
        return self.next_attempt_at == self.created_at

    def shown(self) -> Delivery:
        """The delivery as the API shows it."""
        return Delivery(**self.model_dump(include=set(Delivery.model_fields)))


def _seconds_until(moment: str, at: datetime) -> int:
    return max(0, math.ceil((datetime.fromisoformat(moment) - at).total_seconds()))
