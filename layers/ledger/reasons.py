"""Owns why money may move: each reason, and between which kinds of account it may."""

from enum import StrEnum


class Kind(StrEnum):
    """What an account is."""

    WALLET = "wallet"
    """Guarded: a customer's e-wallet."""
    MERCHANT_PENDING = "merchant_pending"
    """Unguarded: captured for a merchant, not settled yet."""
    BANK = "bank"
    """Unguarded: the platform's own bank account, where money from outside arrives."""


GUARDED = frozenset({Kind.WALLET})
"""Kinds with a balance item that can never go below zero; the others are sums of their entries."""


class Reason(StrEnum):
    """Why money moves."""

    DEPOSIT = "deposit"
    TRANSFER = "transfer"
    PAYMENT = "payment"
    REFUND = "refund"


PERMITTED: dict[Reason, tuple[Kind, Kind]] = {
    Reason.DEPOSIT: (Kind.BANK, Kind.WALLET),
    Reason.TRANSFER: (Kind.WALLET, Kind.WALLET),
    Reason.PAYMENT: (Kind.WALLET, Kind.MERCHANT_PENDING),
    Reason.REFUND: (Kind.MERCHANT_PENDING, Kind.WALLET),
}
"""Reason -> the kinds (from, to) between which it may move money; nothing else may move."""

UNCONDITIONAL = frozenset({Reason.REFUND})
"""Reasons whose credit posts whatever the account's status: it belongs to an operation accepted before."""
