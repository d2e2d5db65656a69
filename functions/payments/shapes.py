"""The shapes of payments, attempts and refunds: as they are asked for, shown and kept."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from chassis import ids
from chassis.auth import FeePlan
from chassis.paging import PageQuery
from chassis.shapes import Input, Metadata, Resource, Timestamp, example, text
from ledger.money import Amount, Currency


class Status(StrEnum):
    """Where a payment stands."""

    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    FAILED = "failed"
    CANCELED = "canceled"


CancellationReason = Literal["requested", "expired"]
CaptureMode = Literal["automatic", "manual"]


class WalletSource(Input):
    """Pay from an e-wallet."""

    wallet: Annotated[str, Field(pattern=ids.pattern("wal"), examples=["wal_a2b3c4d5e6f7g2h3i4j5k6l7"])]


class NewPayment(Input):
    """How to pay the order."""

    model_config = example(amount=1250, currency="GBP", source={"wallet": "wal_a2b3c4d5e6f7g2h3i4j5k6l7"})

    amount: Amount
    currency: Currency
    source: WalletSource
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
    source: WalletSource
    outcome: Status
    failure_code: str | None
    created_at: Timestamp


class Payment(Resource):
    """The payment of an order, as the API shows it; amounts in minor units."""

    order_id: str
    status: Status
    amount: int
    currency: str
    source: Annotated[WalletSource, Field(description="Of the latest attempt.")]
    capture: CaptureMode
    captured: int
    refunded: int
    refundable: Annotated[int, Field(description="What was captured and is not refunded.")]
    fee: Annotated[int, Field(description="What the merchant is charged for it; not given back on refund.")]
    attempts: list[Attempt]
    failure_code: Annotated[str | None, Field(description="Why the latest attempt failed.")]
    cancellation_reason: CancellationReason | None
    description: str | None
    metadata: dict[str, str]
    entries: Annotated[list[str], Field(description="The journal entries of its capture.")]
    created_at: Timestamp
    updated_at: Timestamp
    expires_at: Annotated[
        Timestamp | None, Field(description="Of a manual capture: when the authorization ends.")
    ]


class Refund(Resource):
    """A refund, as the API shows it."""

    id: str
    order_id: str
    status: Literal["succeeded"]
    amount: int
    currency: str
    reason: str | None
    created_at: Timestamp
    entry: Annotated[str, Field(description="Its journal entry.")]


class StoredAttempt(BaseModel):
    """An attempt as it is kept: `key` and `fingerprint` tell a repetition from a new one."""

    model_config = ConfigDict(frozen=True)

    attempt_id: str
    key: str
    fingerprint: str
    source: WalletSource
    outcome: Status
    failure_code: str | None = None
    created_at: str


class StoredPayment(BaseModel):
    """A payment as it is kept; `version` 0 is not kept yet."""

    model_config = ConfigDict(frozen=True)

    merchant_id: str
    order_id: str
    status: Status
    amount: int
    currency: str
    capture: CaptureMode
    captured: int = 0
    refunded: int = 0
    refunds: int = 0
    """How many."""
    fee_plan: FeePlan
    """The merchant's when the order was first attempted."""
    fee: int = 0
    attempts: tuple[StoredAttempt, ...]
    failure_code: str | None = None
    cancellation_reason: CancellationReason | None = None
    description: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    entries: tuple[str, ...] = ()
    created_at: str
    updated_at: str
    expires_at: str | None = None
    version: int = 0

    @property
    def refundable(self) -> int:
        """What was captured and is not refunded."""
        return self.captured - self.refunded

    @property
    def latest(self) -> StoredAttempt:
        """The attempt that decided the status."""
        return self.attempts[-1]

    def shown(self) -> Payment:
        """The payment as the API shows it."""
        kept = self.model_dump(exclude={"merchant_id", "version"})
        return Payment(**kept, source=self.latest.source, refundable=self.refundable)


class StoredRefund(BaseModel):
    """A refund as it is kept."""

    model_config = ConfigDict(frozen=True)

    id: str
    order_id: str
    amount: int
    currency: str
    reason: str | None = None
    created_at: str
    entry: str = ""
    fingerprint: str

    def shown(self) -> Refund:
        """The refund as the API shows it."""
        return Refund(**self.model_dump(exclude={"fingerprint"}), status="succeeded")
