"""The rules of asking the acquirer: what is stored before it is asked, and what its answer makes of that."""

from datetime import datetime, timedelta

from acquiring.acquirer import Approved, Declined
from chassis import clock, ids
from chassis.config import settings
from chassis.errors import InProgress
from functions.payments import model
from functions.payments.records import Pending, StoredPayment, StoredRefund
from functions.payments.shapes import CancellationReason

Answer = Approved | Declined


def to_authorize(payment: StoredPayment, at: datetime) -> StoredPayment:
    """The payment whose latest attempt the acquirer is about to be asked for."""
    return _asking(
        payment, at, Pending(kind="authorize", attempt_id=payment.latest.attempt_id, amount=payment.amount)
    )


def to_capture(payment: StoredPayment, amount: int, at: datetime) -> StoredPayment:
    """The payment of whose authorization this much is about to be captured."""
    # Every version of a payment asks at most once, so this id is asked for once.
    attempt_id = ids.derive("att", payment.latest.attempt_id, "capture", str(payment.version))
    return _asking(payment, at, Pending(kind="capture", attempt_id=attempt_id, amount=amount))


def to_void(payment: StoredPayment, reason: CancellationReason, at: datetime) -> StoredPayment:
    """The payment whose authorization is about to be given up."""
    void = Pending(
        kind="void", attempt_id=payment.latest.attempt_id, amount=payment.amount, cancellation_reason=reason
    )
    return _asking(payment, at, void)


def to_refund(payment: StoredPayment, refund: StoredRefund, at: datetime) -> StoredPayment:
    """The payment with this refund taken out of what can be refunded, about to be given back."""
    back = Pending(
        kind="refund",
        attempt_id=ids.derive("att", refund.id),
        amount=refund.amount,
        refund_id=refund.id,
    )
    return _asking(payment, at, back)


def _asking(payment: StoredPayment, at: datetime, pending: Pending) -> StoredPayment:
    if payment.pending is not None:
        raise InProgress(f"order {payment.order_id} is waiting for the acquirer")
    resolve_at = clock.timestamp(at + timedelta(seconds=settings().resolve_seconds))
    return payment.model_copy(
        update={
            "pending": pending.model_copy(update={"resolve_at": resolve_at}),
            "updated_at": clock.timestamp(at),
        }
    )


def abandoned(payment: StoredPayment, pending: Pending, at: datetime) -> StoredPayment:
    """The payment whose authorization nobody knows of and nobody shall have: from now on it is only voided.

    The version that this leaves is what an approval that is still on its way fails at.
    """
    given_up = pending.model_copy(update={"abandoned": True})
    return payment.model_copy(update={"pending": given_up, "updated_at": clock.timestamp(at)})


def concluded(payment: StoredPayment, pending: Pending, answer: Answer, at: datetime) -> StoredPayment:
    """The payment after the acquirer's answer to anything but a refund."""
    told = payment.model_copy(update={"pending": None, "updated_at": clock.timestamp(at)})
    if isinstance(answer, Declined):
        if pending.kind == "authorize":
            return model.failed(told, answer.code, at)
        return told.model_copy(update={"failure_code": answer.code.value})
    match pending.kind:
        case "authorize":
            return model.succeeded(told, at)
        case "capture":
            return model.captured(told, pending.amount, at)
        case _:
            return model.canceled(told, pending.cancellation_reason or "requested", at)


def refund_concluded(
    payment: StoredPayment, refund: StoredRefund, answer: Answer, at: datetime
) -> tuple[StoredPayment, StoredRefund]:
    """The payment and its refund after the acquirer's answer; a failed one can be refunded again."""
    told = payment.model_copy(update={"pending": None, "updated_at": clock.timestamp(at)})
    if isinstance(answer, Declined):
        failed = {"status": "failed", "failure_code": answer.code, "failed_at": clock.timestamp(at)}
        return told, refund.model_copy(update=failed)
    return model.refunded(told, refund, at)
