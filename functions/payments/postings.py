"""The movements of money that a payment means: its capture and its refunds."""

from functions.payments.records import StoredPayment, StoredRefund
from functions.payments.shapes import WalletSource
from ledger import accounts
from ledger.accounts import Account
from ledger.posting import Posting
from ledger.reasons import Reason


def is_by_wallet(payment: StoredPayment) -> bool:
    """Whether the latest attempt's money is in our own ledger, so that no one outside is asked."""
    return isinstance(payment.latest.source, WalletSource)


def capture_posting(payment: StoredPayment, only_holder: str | None = None) -> Posting:
    """The movement of a capture: from wallet, hold or card to the merchant's pending balance."""
    on_hold = is_by_wallet(payment) and payment.capture == "manual"
    return Posting(
        reason=Reason.PAYMENT,
        source=_payer(payment),
        target=accounts.merchant_pending(payment.merchant_id, payment.currency),
        amount=payment.captured,
        currency=payment.currency,
        operation=payment.latest.attempt_id,
        at=payment.updated_at,
        reference=payment.order_id,
        holder=only_holder,
        from_hold=payment.amount if on_hold else None,
    )


def refund_posting(payment: StoredPayment, refund: StoredRefund) -> Posting:
    """The movement of a refund: from the merchant's pending balance, even below zero, to who paid."""
    return Posting(
        reason=Reason.REFUND,
        source=accounts.merchant_pending(payment.merchant_id, payment.currency),
        target=_payer(payment),
        amount=refund.amount,
        currency=payment.currency,
        operation=refund.id,
        at=refund.created_at,
        reference=payment.order_id,
    )


def _payer(payment: StoredPayment) -> Account:
    source = payment.latest.source
    if isinstance(source, WalletSource):
        return accounts.wallet(source.wallet)
    return accounts.acquirer_receivable(payment.currency)
