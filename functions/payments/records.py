"""How payments, their attempts and their refunds are kept."""

from datetime import datetime, timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from chassis import clock
from chassis.auth import FeePlan
from functions.payments.shapes import (
    CancellationReason,
    CaptureMode,
    Payment,
    Refund,
    RefundStatus,
    Source,
    Status,
)


class StoredAttempt(BaseModel):
    """An attempt as it is kept: `key` and `fingerprint` tell a repetition from a new one."""

    model_config = ConfigDict(frozen=True)

    attempt_id: str
    key: str
    fingerprint: str
    source: Source
    outcome: Status
    failure_code: str | None = None
    created_at: str


class Pending(BaseModel):
    """What the acquirer was asked and has not answered yet; stored before it is asked."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["authorize", "capture", "void", "refund"]
    attempt_id: str
    """The acquirer's idempotency key of this very operation; of a void, the attempt that it ends."""
    amount: int
    resolve_at: str = ""
    """When whoever asked must be done, or dead, so that others may find out."""
    abandoned: bool = False
    """Of an authorization: whoever found out has decided to void it, so no approval may be committed."""
    cancellation_reason: CancellationReason | None = None
    refund_id: str | None = None


def implied_status_version(pending: Pending | None, version: int) -> int:
    """The version that a payment's status came with, unless one since then was an answer that moved nothing.

    Nearly always it is, so that what would make a payment's item larger than a write unit is not kept.
    """
    moved_nothing = pending is not None and (pending.kind != "authorize" or pending.abandoned)
    return version - 1 if moved_nothing else version


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
    """How many were begun."""
    fee_plan: FeePlan
    """The merchant's when the order was first attempted, as are the next two."""
    cut_off: str = "00:00"
    settlement_delay_days: int = 0
    fee: int = 0
    captured_at: str | None = None
    captured_version: int | None = None
    """The version that its capture left: what is told of it has one id for ever."""
    settlement_window: str | None = None
    attempts: tuple[StoredAttempt, ...]
    failure_code: str | None = None
    cancellation_reason: CancellationReason | None = None
    description: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    entries: tuple[str, ...] = ()
    created_at: str
    updated_at: str
    expires_at: str | None = None
    pending: Pending | None = None
    version: int = 0
    status_version: int = Field(
        default_factory=lambda kept: implied_status_version(kept["pending"], kept["version"])
    )
    """The version that its status, or what is refunded, came with; kept where it is not the implied one."""

    @property
    def refundable(self) -> int:
        """What was captured and is neither refunded nor being refunded."""
        reserved = self.pending.amount if self.pending and self.pending.kind == "refund" else 0
        return self.captured - self.refunded - reserved

    @property
    def latest(self) -> StoredAttempt:
        """The attempt that decided the status."""
        return self.attempts[-1]

    @property
    def source(self) -> Source:
        """Where the latest attempt's money comes from."""
        return self.latest.source

    @property
    def available_at(self) -> str | None:
        """When what its settlement window brought can be paid out; None before it is captured."""
        return self.available_after(self.settlement_window) if self.settlement_window else None

    @property
    def when_captured(self) -> Self:
        """The payment as its capture left it, whatever became of it since."""
        since = {"status": Status.CAPTURED, "updated_at": self.captured_at or self.updated_at}
        undone = {"refunded": 0, "pending": None, "failure_code": None}
        return self.model_copy(update={**since, **undone})

    def shown(self) -> Payment:
        """The payment as the API shows it."""
        return Payment.model_validate(self, from_attributes=True)

    def available_after(self, window: str) -> str:
        """When money that was settled in that window is the merchant's to be paid out."""
        ends = datetime.fromisoformat(window)
        return clock.timestamp(ends + timedelta(days=self.settlement_delay_days))


class StoredRefund(BaseModel):
    """A refund as it is kept."""

    model_config = ConfigDict(frozen=True)

    id: str
    order_id: str
    status: RefundStatus = "succeeded"
    amount: int
    currency: str
    reason: str | None = None
    failure_code: str | None = None
    created_at: str
    succeeded_at: str | None = None
    failed_at: str | None = None
    settlement_window: str | None = None
    available_at: str | None = None
    entry: str | None = None
    fingerprint: str
    version: int = 0

    def shown(self) -> Refund:
        """The refund as the API shows it."""
        return Refund.model_validate(self, from_attributes=True)
