"""Owns why money may move: each reason, and between which kinds of account it may."""

from enum import StrEnum


class Kind(StrEnum):
    """What an account is."""

    WALLET = "wallet"
    """Guarded: a customer's e-wallet."""
    MERCHANT_PENDING = "merchant_pending"
    """Unguarded: captured for a merchant, not settled yet."""
    MERCHANT_AVAILABLE = "merchant_available"
    """Guarded: settled, and the merchant's to be paid out."""
    FEES = "fees"
    """Unguarded: what the platform has earned."""
    ACQUIRER_RECEIVABLE = "acquirer_receivable"
    """Unguarded: charged to cards, and owed to the platform by its acquirer."""
    BANK = "bank"
    """Unguarded: the platform's own bank account, where money from outside arrives."""
    BANK_IN_TRANSIT = "bank_in_transit"
    """Unguarded: the bank has taken the order to pay it out, and not said yet that it is paid."""


GUARDED = frozenset({Kind.WALLET, Kind.MERCHANT_AVAILABLE})
"""Kinds with a balance item that can never go below zero; the others are sums of their entries."""


class Reason(StrEnum):
    """Why money moves."""

    DEPOSIT = "deposit"
    TRANSFER = "transfer"
    TOPUP = "topup"
    PAYMENT = "payment"
    REFUND = "refund"
    NET_SETTLEMENT = "net_settlement"
    FEE = "fee"
    PAYOUT = "payout"
    PAYOUT_PAID = "payout_paid"
    PAYOUT_RETURN = "payout_return"


PERMITTED: dict[Reason, frozenset[tuple[Kind, Kind]]] = {
    Reason.DEPOSIT: frozenset({(Kind.BANK, Kind.WALLET)}),
    Reason.TRANSFER: frozenset({(Kind.WALLET, Kind.WALLET)}),
    Reason.TOPUP: frozenset({(Kind.ACQUIRER_RECEIVABLE, Kind.WALLET)}),
    Reason.PAYMENT: frozenset(
        {(Kind.WALLET, Kind.MERCHANT_PENDING), (Kind.ACQUIRER_RECEIVABLE, Kind.MERCHANT_PENDING)}
    ),
    Reason.REFUND: frozenset(
        {(Kind.MERCHANT_PENDING, Kind.WALLET), (Kind.MERCHANT_PENDING, Kind.ACQUIRER_RECEIVABLE)}
    ),
    Reason.NET_SETTLEMENT: frozenset({(Kind.MERCHANT_PENDING, Kind.MERCHANT_AVAILABLE)}),
    Reason.FEE: frozenset({(Kind.MERCHANT_PENDING, Kind.FEES)}),
    Reason.PAYOUT: frozenset(
        {(Kind.MERCHANT_AVAILABLE, Kind.BANK_IN_TRANSIT), (Kind.WALLET, Kind.BANK_IN_TRANSIT)}
    ),
    Reason.PAYOUT_PAID: frozenset({(Kind.BANK_IN_TRANSIT, Kind.BANK)}),
    Reason.PAYOUT_RETURN: frozenset(
        {
            (source, target)
            for source in (Kind.BANK_IN_TRANSIT, Kind.BANK)
            for target in (Kind.MERCHANT_AVAILABLE, Kind.WALLET)
        }
    ),
}
"""Reason -> the kinds (from, to) between which it may move money; nothing else may move."""

UNCONDITIONAL = frozenset({Reason.REFUND, Reason.TOPUP, Reason.NET_SETTLEMENT, Reason.PAYOUT_RETURN})
"""Reasons whose credit posts whatever the account's status: it belongs to an operation accepted before."""
