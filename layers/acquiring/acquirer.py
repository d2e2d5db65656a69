"""Owns what every card network is asked and can answer: one protocol, and outcomes as a closed set."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from chassis.config import settings
from chassis.errors import PaymentRequired
from chassis.outside import NotFound, Unknown


class DeclineCode(StrEnum):
    """Why a card was refused, in the words that acquirers use (after ISO 8583 response codes)."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    DO_NOT_HONOR = "do_not_honor"
    EXPIRED_CARD = "expired_card"
    LOST_CARD = "lost_card"
    STOLEN_CARD = "stolen_card"
    INCORRECT_CVC = "incorrect_cvc"
    SUSPECTED_FRAUD = "suspected_fraud"
    PROCESSING_ERROR = "processing_error"

    @property
    def advice(self) -> str:
        """What the caller may do next."""
        return _ADVICE[self]


# A lost or stolen card, or a suspicion, is not told to whoever presents it.
_DISCREET = (
    "do not try this card again, tell the customer only that it was declined, and ask for another card"
)
_ADVICE = {
    DeclineCode.INSUFFICIENT_FUNDS: "the customer may try a smaller amount, later, or another card",
    DeclineCode.DO_NOT_HONOR: "the issuer gives no reason: ask for another card, or let the customer call it",
    DeclineCode.EXPIRED_CARD: "ask for another card, or for this one's new expiry date",
    DeclineCode.LOST_CARD: _DISCREET,
    DeclineCode.STOLEN_CARD: _DISCREET,
    DeclineCode.INCORRECT_CVC: "let the customer enter the security code again, under a new Idempotency-Key",
    DeclineCode.SUSPECTED_FRAUD: _DISCREET,
    DeclineCode.PROCESSING_ERROR: "nothing was charged: try again under a new Idempotency-Key",
}


@dataclass(frozen=True, slots=True)
class Card:
    """A bank card as an acquirer needs it; its full number appears in no repr."""

    number: str = field(repr=False)
    exp_month: int
    exp_year: int
    brand: str
    last4: str


@dataclass(frozen=True, slots=True)
class Approved:
    """It is done, and done once."""


@dataclass(frozen=True, slots=True)
class Declined:
    """It is not done and never will be under this attempt id."""

    code: DeclineCode


Outcome = Approved | Declined | Unknown


class Acquirer(Protocol):
    """One card network.

    Every attempt id is ours and is the acquirer's idempotency key: repeating a call with the same id has no
    second effect. No call raises for what the other side does or fails to do, and each ends within a bounded
    time (`Settings.acquirer_total_seconds`). Amounts are minor units.
    """

    def verify(self, attempt_id: str, card: Card, cvc: str) -> Outcome:
        """Ask whether the issuer knows this card and its security code; no money moves."""

    def authorize(self, attempt_id: str, card: Card, amount: int, currency: str, *, capture: bool) -> Outcome:
        """Reserve the amount, or take it at once."""

    def capture(self, attempt_id: str, authorization: str, amount: int) -> Outcome:
        """Take all or part of what the attempt `authorization` reserved; once, the rest is let go."""

    def refund(self, attempt_id: str, charge: str, amount: int) -> Outcome:
        """Give back all or part of what was taken under the authorize attempt `charge`."""

    def void(self, attempt_id: str) -> Outcome:
        """End whatever that attempt did, captured or not, and have its id refused for ever.

        That holds also for an id never seen. Approved: the attempt holds no money and never will.
        """

    def lookup(self, attempt_id: str) -> Outcome | NotFound:
        """How that attempt ended. One that was voided reads as declined; one never seen is to be voided."""


class CardDeclined(PaymentRequired):
    """The card's issuer or the acquirer said no."""

    code = "card_declined"
    title = "Card declined"

    def __init__(self, decline: DeclineCode, *, instance: str | None = None, replayed: bool = False) -> None:
        super().__init__(f"{decline}: {decline.advice}", instance=instance, replayed=replayed)
        self.decline = decline

    def extensions(self) -> dict[str, object]:
        """The decline code by itself, for programs."""
        return {"decline_code": self.decline}


def connector() -> Acquirer:
    """The acquirer that this process is configured for. Raises ConfigurationError where there is none."""
    from acquiring.sandbox import connect  # noqa: PLC0415 - every connector is built on this module

    chosen = settings()
    return connect(
        chosen.required("acquirer_url"), chosen.acquirer_try_seconds, chosen.acquirer_total_seconds
    )
