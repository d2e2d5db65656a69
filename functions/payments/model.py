"""The rules of payments: how an order is paid at most once, captured, canceled and refunded."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from chassis import clock, ids
from chassis.auth import FeePlan, Merchant
from chassis.errors import Conflict, InProgress, ValidationFailed
from chassis.operations import Intent
from functions.payments import postings
from functions.payments.records import StoredAttempt, StoredPayment, StoredRefund
from functions.payments.shapes import CancellationReason, NewPayment, NewRefund, Status
from ledger import posting

MAX_ATTEMPTS = 20
MAX_REFUNDS = 100
AUTHORIZATION_DAYS = 7

TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    # By a further attempt at the money, and by nothing else.
    Status.FAILED: frozenset({Status.PROCESSING}),
    Status.PROCESSING: frozenset({Status.FAILED, Status.AUTHORIZED, Status.CAPTURED}),
    Status.AUTHORIZED: frozenset({Status.CAPTURED, Status.CANCELED}),
    Status.CAPTURED: frozenset({Status.PARTIALLY_REFUNDED, Status.REFUNDED}),
    Status.PARTIALLY_REFUNDED: frozenset({Status.PARTIALLY_REFUNDED, Status.REFUNDED}),
    Status.REFUNDED: frozenset(),
    Status.CANCELED: frozenset(),
}
"""From each status to those that may follow; a new payment is processing, authorized, captured or failed."""


class AuthorizationExpired(Conflict):
    """The authorization is too old to be captured; it is being released."""

    code = "authorization_expired"
    title = "Authorization expired"


class RefundExceedsCapture(Conflict):
    """What is left to refund is less than what was asked."""

    code = "refund_exceeds_capture"
    title = "Refund exceeds capture"


def fee_of(plan: FeePlan, captured: int) -> int:
    """The fee in minor units; half a unit is rounded up."""
    return (captured * plan.basis_points + 5000) // 10000 + plan.fixed


def settlement_window(cut_off: str, at: datetime) -> str:
    """The end of the settlement day that this moment belongs to: the next cut-off (HH:MM, UTC) after it."""
    hour, minute = map(int, cut_off.split(":"))
    ends = at.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return clock.timestamp(ends if at < ends else ends + timedelta(days=1))


def attempt(
    stored: StoredPayment | None,
    merchant: Merchant,
    order_id: str,
    order: NewPayment,
    *,
    intent: Intent,
    at: datetime,
) -> StoredPayment:
    """The payment with one more attempt, whose outcome is open.

    Raises ValidationFailed when the merchant has no fee plan for the currency, and Conflict when what the
    first attempt fixed is another, or when there were attempts enough.
    """
    if stored is not None:
        _check_further(stored, order)
    earlier = stored.attempts if stored else ()
    stamp = clock.timestamp(at)
    tried = StoredAttempt(
        attempt_id=ids.derive("att", merchant.id, order_id, str(len(earlier) + 1)),
        key=intent.attempt_key,
        fingerprint=intent.fingerprint,
        source=order.source,
        outcome=Status.PROCESSING,
        created_at=stamp,
    )
    return StoredPayment(
        merchant_id=merchant.id,
        order_id=order_id,
        status=Status.PROCESSING,
        amount=order.amount,
        currency=order.currency,
        capture=order.capture,
        description=order.description,
        metadata=order.metadata,
        fee_plan=stored.fee_plan if stored else _plan(merchant, order.currency),
        cut_off=stored.cut_off if stored else merchant.cut_off,
        settlement_delay_days=stored.settlement_delay_days if stored else merchant.settlement_delay_days,
        attempts=(*earlier, tried),
        created_at=stored.created_at if stored else stamp,
        updated_at=stamp,
        version=stored.version if stored else 0,
        status_version=stored.version + 1 if stored else 1,
    )


def _plan(merchant: Merchant, currency: str) -> FeePlan:
    plan = merchant.fees.get(currency)
    if plan is None:
        raise ValidationFailed.of("body", "/currency", f"the merchant has no fee plan for {currency}")
    return plan


def _check_further(stored: StoredPayment, order: NewPayment) -> None:
    if stored.status is Status.PROCESSING:
        raise InProgress(f"order {stored.order_id} is being paid by another request")
    if Status.PROCESSING not in TRANSITIONS[stored.status]:
        raise Conflict(f"order {stored.order_id} is {stored.status}")
    fixed = ("amount", "currency", "capture")
    changed = [name for name in fixed if getattr(stored, name) != getattr(order, name)]
    if changed:
        raise Conflict(f"an earlier attempt fixed the {' and the '.join(changed)} of order {stored.order_id}")
    if len(stored.attempts) >= MAX_ATTEMPTS:
        raise Conflict(f"order {stored.order_id} was attempted {MAX_ATTEMPTS} times")


def earlier_attempt(stored: StoredPayment, intent: Intent) -> StoredAttempt | None:
    """The attempt that this request repeats, or None for a further one.

    A known key stands for its own attempt, whatever came later; raises IdempotencyMismatch when it came with
    another body. An unknown key repeats the attempt that got the money, if it asks the same.
    """
    for tried in stored.attempts:
        if tried.key == intent.attempt_key:
            intent.check(tried.fingerprint)
            return tried
    got_the_money = stored.status in {Status.AUTHORIZED, Status.CAPTURED}
    if got_the_money and stored.latest.fingerprint == intent.fingerprint:
        return stored.latest
    return None


def succeeded(payment: StoredPayment, at: datetime) -> StoredPayment:
    """The payment, its latest attempt having got the money: captured, or authorized for a manual capture."""
    if payment.capture == "automatic":
        return captured(_with_outcome(payment, Status.CAPTURED), payment.amount, at)
    expires_at = clock.timestamp(at + timedelta(days=AUTHORIZATION_DAYS))
    return _moved(_with_outcome(payment, Status.AUTHORIZED), Status.AUTHORIZED, at, expires_at=expires_at)


def failed(payment: StoredPayment, failure_code: str, at: datetime) -> StoredPayment:
    """The payment, its latest attempt having failed."""
    return _moved(
        _with_outcome(payment, Status.FAILED, failure_code), Status.FAILED, at, failure_code=failure_code
    )


def _with_outcome(payment: StoredPayment, outcome: Status, failure_code: str | None = None) -> StoredPayment:
    *earlier, tried = payment.attempts
    ended = tried.model_copy(update={"outcome": outcome, "failure_code": failure_code})
    return payment.model_copy(update={"attempts": (*earlier, ended), "pending": None})


def is_captured_already(payment: StoredPayment, amount: int | None) -> bool:
    """Whether capturing this much was done before, so that it is a repetition."""
    return payment.captured > 0 and payment.captured == (amount or payment.amount)


def capturable(payment: StoredPayment, amount: int | None, at: datetime) -> int:
    """How much to capture of the authorization.

    Raises ValidationFailed for more than was authorized, AuthorizationExpired, InProgress or Conflict.
    """
    if payment.status is Status.PROCESSING:
        raise InProgress(f"order {payment.order_id} is {payment.status}")
    _moved(payment, Status.CAPTURED, at)
    if payment.expires_at is not None and clock.timestamp(at) >= payment.expires_at:
        raise AuthorizationExpired(f"the authorization of order {payment.order_id} has expired")
    wanted = amount or payment.amount
    if wanted > payment.amount:
        raise ValidationFailed.of("body", "/amount", f"must be at most the authorized {payment.amount}")
    return wanted


def captured(payment: StoredPayment, amount: int, at: datetime) -> StoredPayment:
    """The payment with this amount captured, whoever decided that it may be."""
    taken = _moved(
        payment,
        Status.CAPTURED,
        at,
        captured=amount,
        fee=fee_of(payment.fee_plan, amount),
        captured_version=payment.version + 1,
        settlement_window=settlement_window(payment.cut_off, at),
    )
    entries = tuple(entry.id for entry in posting.entries(postings.capture_posting(taken)))
    return taken.model_copy(update={"captured_at": taken.updated_at, "entries": entries})


def canceled(payment: StoredPayment, reason: CancellationReason, at: datetime) -> StoredPayment:
    """The payment with its authorization given up. Raises Conflict unless it is authorized."""
    return _moved(payment, Status.CANCELED, at, cancellation_reason=reason)


def is_expired(payment: StoredPayment, at: datetime) -> bool:
    """Whether it holds money that nobody may capture any more."""
    if payment.status is not Status.AUTHORIZED or payment.expires_at is None:
        return False
    return payment.expires_at <= clock.timestamp(at)


def new_refund(
    payment: StoredPayment, refund_id: str, asked: NewRefund, fingerprint: str, at: datetime
) -> StoredRefund:
    """The refund that is asked for, open yet; without an amount, of all that is left.

    Raises Conflict unless something was captured, and RefundExceedsCapture when less of it is left.
    """
    amount = asked.amount or payment.refundable
    _moved(payment, Status.REFUNDED, at)
    if amount > payment.refundable:
        raise RefundExceedsCapture(f"order {payment.order_id} has {payment.refundable} left to refund")
    if payment.refunds >= MAX_REFUNDS:
        raise Conflict(f"order {payment.order_id} was refunded {MAX_REFUNDS} times")
    return StoredRefund(
        id=refund_id,
        order_id=payment.order_id,
        status="pending",
        amount=amount,
        currency=payment.currency,
        reason=asked.reason,
        created_at=clock.timestamp(at),
        fingerprint=fingerprint,
    )


def counting(payment: StoredPayment) -> StoredPayment:
    """The payment with one more refund, however that will end."""
    return payment.model_copy(update={"refunds": payment.refunds + 1})


def refunded(
    payment: StoredPayment, refund: StoredRefund, at: datetime
) -> tuple[StoredPayment, StoredRefund]:
    """The payment with this refund done, and the refund with its entry."""
    status = Status.REFUNDED if refund.amount == payment.refundable else Status.PARTIALLY_REFUNDED
    total = payment.refunded + refund.amount
    (entry,) = posting.entries(postings.refund_posting(payment, refund))
    window = settlement_window(payment.cut_off, at)
    done = {
        "status": "succeeded",
        "entry": entry.id,
        "succeeded_at": clock.timestamp(at),
        "settlement_window": window,
        "available_at": payment.available_after(window),
    }
    return _moved(payment, status, at, refunded=total), refund.model_copy(update=done)


def _moved(payment: StoredPayment, status: Status, at: datetime, **changes: object) -> StoredPayment:
    if payment.pending is not None:
        raise InProgress(f"order {payment.order_id} is waiting for the acquirer")
    if status not in TRANSITIONS[payment.status]:
        raise Conflict(f"order {payment.order_id} is {payment.status}")
    moved = {
        "status": status,
        "status_version": payment.version + 1,
        "updated_at": clock.timestamp(at),
        "failure_code": None,
    }
    return payment.model_copy(update={**moved, **changes})
