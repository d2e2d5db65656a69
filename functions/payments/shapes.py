"""What payments and refunds take and show: the shapes of the API."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from chassis import ids
from chassis.paging import PageQuery
from chassis.shapes import Input, Metadata, Resource, Timestamp, choice, example, text
from ledger.money import Amount, Currency


class Status(StrEnum):
    """Where a payment stands."""

    PROCESSING = "processing"
    """The acquirer was asked, and its answer is not known yet."""
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    FAILED = "failed"
    CANCELED = "canceled"


CancellationReason = Literal["requested", "expired"]
CaptureMode = Literal["automatic", "manual"]
RefundStatus = Literal["pending", "succeeded", "failed"]


class WalletSource(Input):
    """Pay from an e-wallet."""

    wallet: Annotated[str, Field(pattern=ids.pattern("wal"), examples=["wal_a2b3c4d5e6f7g2h3i4j5k6l7"])]


class CardSource(Input):
    """Pay by a bank card of the vault."""

    card: Annotated[str, Field(pattern=ids.pattern("card"), examples=["card_a2b3c4d5e6f7g2h3i4j5k6l7"])]


def _choice_of_source(value: Any) -> str | None:
    members = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    if "wallet" in members:
        return choice("wallet")
    return choice("card") if "card" in members else None


Source = Annotated[
    Annotated[WalletSource, Tag(choice("wallet"))] | Annotated[CardSource, Tag(choice("card"))],
    Discriminator(
        _choice_of_source,
        custom_error_type="source",
        custom_error_message="must be a wallet or a card",
    ),
]


class NewPayment(Input):
    """How to pay the order."""

    model_config = example(amount=1250, currency="GBP", source={"wallet": "wal_a2b3c4d5e6f7g2h3i4j5k6l7"})

    amount: Amount
    currency: Currency
    source: Source
    capture: Annotated[
        CaptureMode, Field(description="`manual` holds the money until it is captured, 7 days at most.")
    ] = "automatic"
    description: Annotated[str, text(max_length=200, example="Order 536365")] | None = None
    metadata: Metadata = Field(default_factory=dict)


class Capture(Input):
    """How much of an authorization to capture; the rest is released."""

    model_config = example(amount=1000)

    amount: Annotated[Amount | None, Field(description="All of it, when left out.")] = None


class NewRefund(Input):
    """How much of a captured payment to give back, and why."""

    model_config = example(amount=250, reason="article out of stock")

    amount: Annotated[Amount | None, Field(description="All that is left to refund, when left out.")] = None
    reason: Annotated[str, text(max_length=200, example="article out of stock")] | None = None


class PaymentQuery(PageQuery):
    """Which payments to list."""

    status: Annotated[Status | None, Field(description="Only those of this status.")] = None

    def keeps(self, payment: "Payment") -> bool:
        """Whether the payment is one of those asked for."""
        return self.status in {None, payment.status}


class Attempt(Resource):
    """One try to get the money, and how it ended."""

    attempt_id: str
    source: Source
    outcome: Status
    failure_code: str | None
    created_at: Timestamp


class Payment(Resource):
    """The payment of an order, as the API shows it; amounts in minor units."""

    order_id: str
    status: Status
    amount: int
    currency: str
    source: Annotated[Source, Field(description="Of the latest attempt.")]
    capture: CaptureMode
    captured: int
    refunded: int
    refundable: Annotated[int, Field(description="What was captured and is not refunded.")]
    fee: Annotated[int, Field(description="What the merchant is charged for it; not given back on refund.")]
    captured_at: Timestamp | None
    settlement_window: Annotated[
        Timestamp | None, Field(description="The end of the settlement day that it was captured in.")
    ]
    available_at: Annotated[
        Timestamp | None, Field(description="When what that day brought can be paid out.")
    ]
    attempts: list[Attempt]
    failure_code: Annotated[
        str | None, Field(description="Why the latest attempt, capture or cancel failed.")
    ]
    cancellation_reason: CancellationReason | None
    description: str | None
    metadata: dict[str, str]
    entries: Annotated[list[str], Field(description="The journal entries of its capture.")]
    created_at: Timestamp
    updated_at: Timestamp
    expires_at: Annotated[
        Timestamp | None, Field(description="Of a manual capture: when the authorization ends.")
    ]


class Resolution(Input):
    """The question to find out what became of what a payment waits for: a message of our own."""

    merchant_id: str
    order_id: str


class Refund(Resource):
    """A refund, as the API shows it."""

    id: str
    order_id: str
    status: Annotated[RefundStatus, Field(description="`pending` while the acquirer's answer is not known.")]
    amount: int
    currency: str
    reason: str | None
    failure_code: str | None
    created_at: Timestamp
    succeeded_at: Timestamp | None
    settlement_window: Annotated[
        Timestamp | None, Field(description="The end of the settlement day that it succeeded in.")
    ]
    available_at: Annotated[
        Timestamp | None, Field(description="When what is left of that day can be paid out.")
    ]
    entry: Annotated[str | None, Field(description="Its journal entry, once it succeeded.")]
