"""Money moves only for a reason, and a reason only between its own kinds of account."""

import itertools

import pytest

from ledger import accounts
from ledger.accounts import Account
from ledger.posting import Posting
from ledger.reasons import GUARDED, PERMITTED, Kind, Reason

MERCHANT = "mer_" + "a" * 24
ACCOUNTS: dict[Kind, tuple[Account, Account]] = {
    Kind.WALLET: (accounts.wallet("wal_" + "a" * 24), accounts.wallet("wal_" + "b" * 24)),
    Kind.MERCHANT_PENDING: (
        accounts.merchant_pending(MERCHANT, "GBP"),
        accounts.merchant_pending("mer_" + "b" * 24, "GBP"),
    ),
    Kind.ACQUIRER_RECEIVABLE: (accounts.acquirer_receivable("GBP"), accounts.acquirer_receivable("EUR")),
    Kind.MERCHANT_AVAILABLE: (
        accounts.merchant_available(MERCHANT, "GBP"),
        accounts.merchant_available("mer_" + "b" * 24, "GBP"),
    ),
    Kind.FEES: (accounts.fees("GBP"), accounts.fees("EUR")),
    Kind.BANK: (accounts.bank("GBP"), accounts.bank("EUR")),
    Kind.BANK_IN_TRANSIT: (accounts.bank_in_transit("GBP"), accounts.bank_in_transit("EUR")),
}
EVERY_MOVEMENT = list(itertools.product(Reason, Kind, Kind))


def move(reason: Reason, source: Kind, target: Kind) -> Posting:
    return Posting(
        reason=reason,
        source=ACCOUNTS[source][0],
        target=ACCOUNTS[target][1 if source is target else 0],
        amount=1,
        currency="GBP",
        operation="o",
        at="2026",
        reference="r",
    )


def test_every_reason_has_its_kinds_and_every_kind_its_accounts() -> None:
    assert set(PERMITTED) == set(Reason)
    assert set(ACCOUNTS) == set(Kind)
    assert {kind for kind in Kind if ACCOUNTS[kind][0].guarded} == GUARDED


@pytest.mark.parametrize("reason", Reason)
def test_a_movement_is_what_the_allowlist_permits_or_an_error(reason: Reason) -> None:
    for source, target in itertools.product(Kind, Kind):
        if (source, target) in PERMITTED[reason]:
            assert move(reason, source, target).reason is reason
        else:
            with pytest.raises(ValueError, match="moves no money"):
                move(reason, source, target)


def test_these_and_no_others_are_the_ways_of_money() -> None:
    permitted = [movement for movement in EVERY_MOVEMENT if movement[1:] in PERMITTED[movement[0]]]
    assert permitted == [
        (Reason.DEPOSIT, Kind.BANK, Kind.WALLET),
        (Reason.TRANSFER, Kind.WALLET, Kind.WALLET),
        (Reason.TOPUP, Kind.ACQUIRER_RECEIVABLE, Kind.WALLET),
        (Reason.PAYMENT, Kind.WALLET, Kind.MERCHANT_PENDING),
        (Reason.PAYMENT, Kind.ACQUIRER_RECEIVABLE, Kind.MERCHANT_PENDING),
        (Reason.REFUND, Kind.MERCHANT_PENDING, Kind.WALLET),
        (Reason.REFUND, Kind.MERCHANT_PENDING, Kind.ACQUIRER_RECEIVABLE),
        (Reason.NET_SETTLEMENT, Kind.MERCHANT_PENDING, Kind.MERCHANT_AVAILABLE),
        (Reason.FEE, Kind.MERCHANT_PENDING, Kind.FEES),
        (Reason.PAYOUT, Kind.WALLET, Kind.BANK_IN_TRANSIT),
        (Reason.PAYOUT, Kind.MERCHANT_AVAILABLE, Kind.BANK_IN_TRANSIT),
        (Reason.PAYOUT_PAID, Kind.BANK_IN_TRANSIT, Kind.BANK),
        (Reason.PAYOUT_RETURN, Kind.BANK, Kind.WALLET),
        (Reason.PAYOUT_RETURN, Kind.BANK, Kind.MERCHANT_AVAILABLE),
        (Reason.PAYOUT_RETURN, Kind.BANK_IN_TRANSIT, Kind.WALLET),
        (Reason.PAYOUT_RETURN, Kind.BANK_IN_TRANSIT, Kind.MERCHANT_AVAILABLE),
    ]
