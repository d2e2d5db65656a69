"""The movements of money that the release of a settlement means."""

from functions.settlement.records import StoredSettlement
from ledger import accounts
from ledger.accounts import Account
from ledger.posting import Posting
from ledger.reasons import Reason


def of_release(settlement: StoredSettlement) -> tuple[Posting, ...]:
    """From the merchant's pending balance: the fees to the platform, and the net to what can be paid out."""
    fees = accounts.fees(settlement.currency)
    available = accounts.merchant_available(settlement.merchant_id, settlement.currency)
    movements = ((Reason.FEE, fees, settlement.fees), (Reason.NET_SETTLEMENT, available, settlement.paid))
    return tuple(
        _posting(settlement, reason, target, amount) for reason, target, amount in movements if amount
    )


def _posting(settlement: StoredSettlement, reason: Reason, target: Account, amount: int) -> Posting:
    return Posting(
        reason=reason,
        source=accounts.merchant_pending(settlement.merchant_id, settlement.currency),
        target=target,
        amount=amount,
        currency=settlement.currency,
        operation=settlement.id,
        at=str(settlement.released_at),
        reference=settlement.id,
    )
