"""What webhooks take and show: the shapes of the API, and of the messages between its own functions."""

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from chassis import ids
from chassis.paging import PageQuery
from chassis.shapes import Input, Resource, Timestamp, example

MAX_URL_LENGTH = 500
MAX_PATTERNS = 20
URL = "https://shop.example/webhooks"

EndpointId = Annotated[str, Field(pattern=ids.pattern("we"))]
EventId = Annotated[str, Field(pattern=ids.pattern("evt"))]
EndpointStatus = Literal["enabled", "disabled"]
DisabledReason = Literal["requested", "gone", "failing"]
Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_URL_LENGTH,
        pattern=r"^[!-~]+$",
        description="Where to send events: https, with no credentials and no fragment, to a public address.",
        examples=[URL],
    ),
]
Pattern = Annotated[
    str, Field(max_length=64, pattern=r"^(\*|[a-z_]+\.(\*|[a-z_]+))$", examples=["payment.*"])
]
Patterns = Annotated[
    list[Pattern],
    Field(
        min_length=1,
        max_length=MAX_PATTERNS,
        description="Which events to send: types such as `payment.captured`, `payment.*`, or `*` for all.",
    ),
]


class NewEndpoint(Input):
    """A webhook endpoint to register."""

    model_config = example(url=URL, events=["payment.*", "refund.*"])

    url: Url
    events: Patterns


class EndpointChange(Input):
    """What to change of a webhook endpoint; what is left out stays as it is."""

    model_config = example(events=["*"])

    url: Url | None = None
    events: Patterns | None = None
    status: EndpointStatus | None = None


class Endpoint(Resource):
    """A webhook endpoint, as the API shows it."""

    id: str
    url: str
    events: list[str]
    status: EndpointStatus
    disabled_reason: Annotated[
        DisabledReason | None,
        Field(
            description="`requested` by its owner; `gone`: it answered 410; `failing`: nothing but failures "
            "for five days."
        ),
    ]
    failing_since: Annotated[
        Timestamp | None, Field(description="When it first failed, where it has not succeeded since.")
    ]
    former_secrets_until: Annotated[
        Timestamp | None,
        Field(description="Until then deliveries are signed with the secrets before the last rotation too."),
    ]
    secret: Annotated[
        str | None,
        Field(description="Verifies the signatures; shown once, when it is made.", examples=["whsec_..."]),
    ] = None
    created_at: Timestamp
    updated_at: Timestamp


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    """It is about to be sent, or will be tried again at `next_attempt_at`."""
    SUCCEEDED = "succeeded"
    """The endpoint answered 2xx."""
    FAILED = "failed"
    """It will not be tried again by itself."""


class Failure(StrEnum):
    """Why an attempt was none that succeeded."""

    STATUS = "status"
    """The answer was not 2xx."""
    REDIRECT = "redirect"
    """The answer was 3xx: redirects are not followed."""
    TIMEOUT = "timeout"
    """There was no answer in time."""
    CONNECTION = "connection"
    """There was no connection, or it broke."""
    TLS = "tls"
    """The certificate cannot be verified, or TLS failed otherwise."""
    NAME = "name"
    """The host name does not resolve."""
    ADDRESS = "address"
    """The host name leads to an address that is not public."""
    ENDPOINT_DISABLED = "endpoint_disabled"
    """The endpoint was disabled before the attempt."""
    ENDPOINT_DELETED = "endpoint_deleted"
    """The endpoint was deleted before the attempt."""


class Delivery(Resource):
    """The delivery of one event to one endpoint, as the API shows it."""

    event: Annotated[str, Field(description="Its id is the header `webhook-id` of every attempt.")]
    event_type: str
    endpoint: str
    status: DeliveryStatus
    attempts: Annotated[int, Field(description="How many were made.")]
    response_code: Annotated[int | None, Field(description="Of the last attempt, where it was answered.")]
    failure: Annotated[Failure | None, Field(description="Of the last attempt.")]
    duration_ms: Annotated[int | None, Field(description="Of the last attempt.")]
    created_at: Timestamp
    last_attempt_at: Timestamp | None
    next_attempt_at: Annotated[
        Timestamp | None, Field(description="No sooner than then, and some minutes later at most.")
    ]


class DeliveryQuery(PageQuery):
    """Which deliveries to list."""

    status: Annotated[DeliveryStatus | None, Field(description="Only those of this status.")] = None

    def keeps(self, delivery: Delivery) -> bool:
        """Whether the delivery is one of those asked for."""
        return self.status in {None, delivery.status}


class Redelivery(Input):
    """To whom to deliver an event once more."""

    model_config = example(endpoint="we_a2b3c4d5e6f7g2h3i4j5k6l7")

    endpoint: Annotated[
        EndpointId | None, Field(description="Default: every enabled endpoint whose patterns match.")
    ] = None


class Redelivered(Resource):
    """The deliveries that will be made."""

    data: list[Delivery]


class Event(Resource):
    """What happened, as the API shows it, and as it is delivered."""

    id: str
    type: Annotated[str, Field(examples=["payment.captured"])]
    created_at: Annotated[Timestamp, Field(description="When it happened.")]
    sequence: Annotated[
        int, Field(description="Of two events about one object, the greater one is the later.")
    ]
    data: Annotated[dict[str, JsonValue], Field(description="The object as of then, as the API shows it.")]


class EventQuery(PageQuery):
    """Which events to list."""

    type: Annotated[
        str | None, Field(max_length=64, description="A type, or a pattern such as `payment.*`.")
    ] = None
    created_after: Annotated[
        Timestamp | None, Field(max_length=64, description="Only those from this moment on.")
    ] = None
    created_before: Annotated[
        Timestamp | None, Field(max_length=64, description="Only those before this moment.")
    ] = None

    def keeps(self, event: Event) -> bool:
        """Whether the event is of the type asked for; the list is cut to the time elsewhere."""
        return self.type is None or fnmatchcase(event.type, self.type)


class ToldEvent(BaseModel):
    """An event as capabilities tell it: a message."""

    model_config = ConfigDict(frozen=True, strict=True)

    id: EventId
    type: Annotated[str, Field(min_length=1, max_length=64)]
    created_at: str
    principal: Annotated[str, Field(min_length=1, max_length=64)]
    sequence: int
    data: dict[str, JsonValue]


class Attempt(Input):
    """The next attempt of a delivery: a message of our own."""

    # So strict that every key made of them is one to the storage: a batch is read at once.
    principal: Annotated[str, Field(min_length=1, max_length=64)]
    event: EventId
    endpoint: EndpointId
    version: int
    """Of the delivery: once it has another one, this message means nothing any more."""
    broken_off: bool = False
    """The fast lane's time was too short for it, so the slow one makes it, however well its endpoint is."""
