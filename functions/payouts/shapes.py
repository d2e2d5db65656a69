"""What payouts take and show: the shapes of the API."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from chassis import ids
from chassis.paging import PageQuery
from chassis.shapes import Input, Resource, Timestamp, example
from ledger.money import Amount, Currency

WALLET = "wal_a2b3c4d5e6f7g2h3i4j5k6l7"
BANK_ACCOUNT = "ba_a2b3c4d5e6f7g2h3i4j5k6l7"


class Status(StrEnum):
    """Where a payout stands."""

    PROCESSING = "processing"
    """The money is held, the bank was asked, and its answer is not known yet."""
    IN_TRANSIT = "in_transit"
    """The bank has taken the order."""
    PAID = "paid"
    RETURNED = "returned"
    """The money came back, and is where it was taken from."""
    FAILED = "failed"
    """Nothing was paid, and nothing was taken."""


class FailureCode(StrEnum):
    """Why a payout failed."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    """The source did not hold the amount."""
    ACCOUNT_CLOSED = "account_closed"
    REJECTED = "rejected"
    """The bank refused it, for a reason that it does not tell or that we do not know."""
    PROCESSING_ERROR = "processing_error"
    """It never reached the bank, which will refuse it from now on."""


class Source(Input):
    """A wallet to withdraw from."""

    wallet: Annotated[str, Field(pattern=ids.pattern("wal"), examples=[WALLET])]


class NewPayout(Input):
    """Money to send to a bank account."""

    model_config = example(amount=5000, currency="GBP", bank_account=BANK_ACCOUNT)

    amount: Amount
    currency: Currency
    source: Annotated[
        Source | None,
        Field(
            description="When left out, the merchant's available balance; a wallet is for the platform only."
        ),
    ] = None
    bank_account: Annotated[
        str,
        Field(
            pattern=ids.pattern("ba"),
            description="One that is registered for the merchant.",
            examples=[BANK_ACCOUNT],
        ),
    ]


class Payout(Resource):
    """A payout, as the API shows it."""

    id: str
    status: Status
    amount: int
    currency: str
    source: Annotated[Source | None, Field(description="Null: the merchant's available balance.")]
    bank_account: str
    failure_code: FailureCode | None
    created_at: Timestamp
    updated_at: Timestamp
    entries: Annotated[list[str], Field(description="The journal entries that moved its money.")]


class PayoutQuery(PageQuery):
    """Which payouts to list."""

    status: Annotated[Status | None, Field(description="Only those of this status.")] = None

    def keeps(self, payout: Payout) -> bool:
        """Whether the payout is one of those asked for."""
        return self.status in {None, payout.status}
