"""The shapes of payments and attempts, and the rules by which an order is paid at most once."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chassis import ids
from chassis.auth import FeePlan, Merchant
from chassis.errors import Conflict, ValidationFailed
from chassis.operations import Intent
from chassis.paging import PageQuery
from chassis.shapes import Input, Metadata, Resource, Timestamp, text
from ledger import accounts, posting
from ledger.money import Amount, Currency
from ledger.posting import Posting
from ledger.reasons import Reason

MAX_ATTEMPTS = 20


class Status(StrEnum):
    """Where a payment stands."""

    CAPTURED = "captured"
    FAILED = "failed"


TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.FAILED: frozenset({Status.FAILED, Status.CAPTURED}),
    Status.CAPTURED: frozenset(),
}
"""From each status to those that a further attempt may lead to."""


class WalletSource(Input):
    """Pay from an e-wallet."""

    wallet: Annotated[str, Field(pattern=ids.pattern("wal"), examples=["wal_a2b3c4d5e6f7g2h3i4j5k6l7"])]


class NewPayment(Input):
    """How to pay the order."""

    amount: Amount
    currency: Currency
    source: WalletSource
    capture: Literal["automatic"] = "automatic"
    description: Annotated[str, text(max_length=200, example="Order 536365")] | None = None
    metadata: Metadata = Field(default_factory=dict)


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
    capture: Literal["automatic"]
    captured: int
    fee: Annotated[int, Field(description="What the merchant is charged for it.")]
    attempts: list[Attempt]
    failure_code: Annotated[str | None, Field(description="Why the latest attempt failed.")]
    description: str | None
    metadata: dict[str, str]
    entries: Annotated[list[str], Field(description="Its journal entries.")]
    created_at: Timestamp
    updated_at: Timestamp


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
    capture: Literal["automatic"]
    captured: int
    fee: int
    attempts: tuple[StoredAttempt, ...]
    failure_code: str | None = None
    description: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    entries: tuple[str, ...] = ()
    created_at: str
    updated_at: str
    version: int = 0

    def shown(self) -> Payment:
        """The payment as the API shows it."""
        kept = self.model_dump(exclude={"merchant_id", "version"})
        return Payment(**kept, source=self.attempts[-1].source)


def fee_of(plan: FeePlan, captured: int) -> int:
    """The fee in minor units; half a unit is rounded up."""
    return (captured * plan.basis_points + 5000) // 10000 + plan.fixed


def attempt(
    stored: StoredPayment | None,
    merchant: Merchant,
    order_id: str,
    order: NewPayment,
    *,
    intent: Intent,
    at: str,
) -> StoredPayment:
    """The payment as one more attempt, if it gets the money, would leave it.

    Raises ValidationFailed when the merchant has no fee plan for the currency, and Conflict when what the
    first attempt fixed is another, or when there were attempts enough.
    """
    plan = merchant.fees.get(order.currency)
    if plan is None:
        raise ValidationFailed.of("body", "/currency", f"the merchant has no fee plan for {order.currency}")
    earlier = stored.attempts if stored else ()
    if stored is not None:
        _check_further(stored, order)
    tried = StoredAttempt(
        attempt_id=ids.derive("att", merchant.id, order_id, str(len(earlier) + 1)),
        key=intent.attempt_key,
        fingerprint=intent.fingerprint,
        source=order.source,
        outcome=Status.CAPTURED,
        created_at=at,
    )
    payment = StoredPayment(
        merchant_id=merchant.id,
        order_id=order_id,
        status=Status.CAPTURED,
        **order.model_dump(exclude={"source"}),
        captured=order.amount,
        fee=fee_of(plan, order.amount),
        attempts=(*earlier, tried),
        created_at=stored.created_at if stored else at,
        updated_at=at,
        version=stored.version if stored else 0,
    )
    return payment.model_copy(
        update={"entries": tuple(entry.id for entry in posting.entries(payment_posting(payment)))}
    )


def _check_further(stored: StoredPayment, order: NewPayment) -> None:
    if Status.CAPTURED not in TRANSITIONS[stored.status]:
        raise Conflict(f"order {stored.order_id} is {stored.status}")
    fixed = ("amount", "currency", "capture")
    changed = [name for name in fixed if getattr(stored, name) != getattr(order, name)]
    if changed:
        raise Conflict(f"an earlier attempt fixed the {' and the '.join(changed)} of order {stored.order_id}")
    if len(stored.attempts) >= MAX_ATTEMPTS:
        raise Conflict(f"order {stored.order_id} was attempted {MAX_ATTEMPTS} times")


def refused(payment: StoredPayment, failure_code: str) -> StoredPayment:
    """The same payment, its latest attempt refused."""
    *earlier, tried = payment.attempts
    failed = tried.model_copy(update={"outcome": Status.FAILED, "failure_code": failure_code})
    nothing: dict[str, Any] = {"captured": 0, "fee": 0, "entries": ()}
    return payment.model_copy(
        update={
            "status": Status.FAILED,
            "failure_code": failure_code,
            "attempts": (*earlier, failed),
            **nothing,
        }
    )


def earlier_attempt(stored: StoredPayment, intent: Intent) -> StoredAttempt | None:
    """The attempt that this request repeats, or None for a further one.

    A known key stands for its own attempt, whatever came later; raises IdempotencyMismatch when it came with
    another body. An unknown key repeats the attempt that captured, if it asks the same.
    """
    for tried in stored.attempts:
        if tried.key == intent.attempt_key:
            intent.check(tried.fingerprint)
            return tried
    latest = stored.attempts[-1]
    if stored.status is Status.CAPTURED and latest.fingerprint == intent.fingerprint:
        return latest
    return None


def payment_posting(payment: StoredPayment, only_holder: str | None = None) -> Posting:
    """The movement by which the latest attempt captures: wallet to the merchant's pending balance."""
    latest = payment.attempts[-1]
    return Posting(
        reason=Reason.PAYMENT,
        source=accounts.wallet(latest.source.wallet),
        target=accounts.merchant_pending(payment.merchant_id, payment.currency),
        amount=payment.captured,
        currency=payment.currency,
        operation=latest.attempt_id,
        at=latest.created_at,
        reference=payment.order_id,
        holder=only_holder,
    )
