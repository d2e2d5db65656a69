"""Payouts as they are kept, and what the bank can say of them."""

import re
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from chassis import ids
from chassis.outside import Unknown
from chassis.shapes import Input
from functions.payouts.shapes import FailureCode, Payout, Source, Status
from ledger import accounts
from ledger.accounts import Account

_ATTEMPT = re.compile(f"att_({ids.ID_PATTERN})")
_FATES = {"paid": Status.PAID, "returned": Status.RETURNED}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The bank has taken the order, and will tell how it ended."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The bank has not taken the order, and never will under this attempt id."""

    code: FailureCode


Outcome = Accepted | Refused | Unknown


class Change(BaseModel):
    """One line of the bank's feed: what became of an order that it had taken, as far as it can be read."""

    model_config = ConfigDict(frozen=True)

    line: int
    attempt: str | None = None
    status: str | None = None
    """In the bank's words."""

    @property
    def fate(self) -> Status | None:
        """What became of the order; None where the line says nothing that we know."""
        return _FATES.get(self.status) if self.status is not None else None


class StoredPayout(BaseModel):
    """A payout as it is kept; its attempt id is the bank's idempotency key."""

    model_config = ConfigDict(frozen=True)

    id: str
    merchant_id: str
    status: Status
    amount: int
    currency: str
    wallet: str | None = None
    """Where the money comes from; else from what is available to the merchant."""
    bank_account: str
    attempt_id: str
    resolve_at: str
    """When whoever asked the bank must be done, or dead, so that others may find out."""
    abandoned: bool = False
    """Whoever found out has decided to cancel it, so only what the bank says of that counts."""
    failure_code: FailureCode | None = None
    created_at: str
    updated_at: str
    entries: tuple[str, ...] = ()
    fingerprint: str
    version: int = 0

    @property
    def status_version(self) -> int:
        """The version that its status came with: only deciding to cancel an order leaves that alone."""
        return 1 if self.status is Status.PROCESSING else self.version

    @property
    def source(self) -> Account:
        """The account that is paid out."""
        if self.wallet is not None:
            return accounts.wallet(self.wallet)
        return accounts.merchant_available(self.merchant_id, self.currency)

    def shown(self) -> Payout:
        """The payout as the API shows it."""
        same = set(Payout.model_fields) - {"source", "entries"}
        return Payout(
            **self.model_dump(include=same),
            source=Source(wallet=self.wallet) if self.wallet is not None else None,
            entries=list(self.entries),
        )


def attempt_of(payout_id: str) -> str:
    """The attempt id of a payout, which has only one: from it, the bank's feed leads back to the payout."""
    return f"att_{payout_id.removeprefix('po_')}"


def payout_of(attempt_id: str) -> str | None:
    """The id of the payout that an attempt belongs to, or None where it can be none of ours."""
    match = _ATTEMPT.fullmatch(attempt_id)
    return f"po_{match[1]}" if match else None


class Question(Input):
    """What became of a payout, and whether it ended: a message of our own."""

    payout_id: str
