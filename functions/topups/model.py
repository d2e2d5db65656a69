"""The shapes of top-ups, and the rules by which a charge becomes a credit exactly once."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from acquiring.acquirer import Approved, Declined
from chassis import clock, ids
from chassis.config import settings
from chassis.operations import Intent
from chassis.paging import PageQuery
from chassis.shapes import Input, Resource, Timestamp, example
from ledger import accounts, posting
from ledger.money import Amount, Currency
from ledger.posting import Posting
from ledger.reasons import Reason

WALLET = "wal_a2b3c4d5e6f7g2h3i4j5k6l7"
CARD = "card_a2b3c4d5e6f7g2h3i4j5k6l7"


class Status(StrEnum):
    """Where a top-up stands."""

    PROCESSING = "processing"
    """The acquirer was asked, and its answer is not known yet."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class NewTopup(Input):
    """Money to take from a card into a wallet."""

    model_config = example(wallet=WALLET, card=CARD, amount=5000, currency="GBP")

    wallet: Annotated[str, Field(pattern=ids.pattern("wal"), examples=[WALLET])]
    card: Annotated[str, Field(pattern=ids.pattern("card"), examples=[CARD])]
    amount: Amount
    currency: Currency


class TopupQuery(PageQuery):
    """Which top-ups to list."""

    status: Annotated[Status | None, Field(description="Only those of this status.")] = None

    def keeps(self, topup: "Topup") -> bool:
        """Whether the top-up is one of those asked for."""
        return self.status in {None, topup.status}


class Topup(Resource):
    """A top-up, as the API shows it."""

    id: str
    status: Status
    wallet: str
    card: str
    amount: int
    currency: str
    failure_code: str | None
    created_at: Timestamp
    updated_at: Timestamp
    entry: Annotated[str | None, Field(description="The journal entry that credited the wallet.")]


class Resolution(Input):
    """The question to find out what became of a top-up's charge: a message of our own."""

    topup_id: str


class StoredTopup(BaseModel):
    """A top-up as it is kept; its attempt id is the acquirer's idempotency key."""

    model_config = ConfigDict(frozen=True)

    id: str
    merchant_id: str
    status: Status
    wallet: str
    card: str
    amount: int
    currency: str
    attempt_id: str
    resolve_at: str
    """When whoever asked the acquirer must be done, or dead, so that others may find out."""
    abandoned: bool = False
    """Whoever found out has decided to void the charge, so no approval may be committed."""
    failure_code: str | None = None
    created_at: str
    updated_at: str
    entry: str | None = None
    fingerprint: str
    version: int = 0

    @property
    def status_version(self) -> int:
        """The version that its status came with: only deciding to void a charge leaves that alone."""
        return 1 if self.status is Status.PROCESSING else self.version

    def shown(self) -> Topup:
        """The top-up as the API shows it."""
        return Topup(**self.model_dump(include=set(Topup.model_fields)))


def new_topup(intent: Intent, new: NewTopup, at: datetime) -> StoredTopup:
    """The top-up that the acquirer is about to be asked for."""
    topup_id = intent.id("top")
    stamp = clock.timestamp(at)
    return StoredTopup(
        id=topup_id,
        merchant_id=intent.principal,
        status=Status.PROCESSING,
        **new.model_dump(),
        attempt_id=ids.derive("att", topup_id),
        resolve_at=clock.timestamp(at + timedelta(seconds=settings().resolve_seconds)),
        created_at=stamp,
        updated_at=stamp,
        fingerprint=intent.fingerprint,
    )


def abandoned(topup: StoredTopup, at: datetime) -> StoredTopup:
    """The top-up whose charge nobody knows of and nobody shall have: from now on it is only voided.

    The version that this leaves is what an approval that is still on its way fails at.
    """
    return topup.model_copy(update={"abandoned": True, "updated_at": clock.timestamp(at)})


def concluded(topup: StoredTopup, answer: Approved | Declined, at: datetime) -> StoredTopup:
    """The top-up after the acquirer's answer."""
    if topup.status is not Status.PROCESSING:
        raise ValueError(f"{topup.id} is {topup.status} and stays so")
    stamp = clock.timestamp(at)
    if isinstance(answer, Declined):
        return topup.model_copy(
            update={"status": Status.FAILED, "failure_code": answer.code.value, "updated_at": stamp}
        )
    done = topup.model_copy(update={"status": Status.SUCCEEDED, "updated_at": stamp})
    (entry,) = posting.entries(credit_posting(done))
    return done.model_copy(update={"entry": entry.id})


def credit_posting(topup: StoredTopup) -> Posting:
    """The movement of a top-up: what the acquirer owes for the card, to the wallet."""
    return Posting(
        reason=Reason.TOPUP,
        source=accounts.acquirer_receivable(topup.currency),
        target=accounts.wallet(topup.wallet),
        amount=topup.amount,
        currency=topup.currency,
        operation=topup.attempt_id,
        at=topup.updated_at,
        reference=topup.id,
    )
