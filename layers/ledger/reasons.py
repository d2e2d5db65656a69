"""Owns why money may move: each reason, and between which kinds of account it may."""

from enum import StrEnum


class Kind(StrEnum):
    """What an account is."""

    WALLET = "wallet"
    """Guarded: a customer's e-wallet."""
    MERCHANT_PENDING = "merchant_pending"
    """Unguarded: captured for a merchant, not settled yet."""
    ACQUIRER_RECEIVABLE = "acquirer_receivable"
    """Unguarded: charged to cards, and owed to the platform by its acquirer."""
    BANK = "bank"
    """Unguarded: the platform's own bank account, where money from outside arrives."""


GUARDED = frozenset({Kind.WALLET})
"""Kinds with a balance item that can never go below zero; the others are sums of their entries."""


class Reason(StrEnum):
    """Why money moves."""

    DEPOSIT = "deposit"
    TRANSFER = "transfer"
    TOPUP = "topup"
    PAYMENT = "payment"
    REFUND = "refund"


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
}
"""Reason -> the kinds (from, to) between which it may move money; nothing else may move."""

UNCONDITIONAL = frozenset({Reason.REFUND, Reason.TOPUP})
"""Reasons whose credit posts whatever the account's status: it belongs to an operation accepted before."""
