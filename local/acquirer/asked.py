"""What the acquirer can be asked, and what of it may go into the book."""

from abc import ABC, abstractmethod
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from local.acquirer.book import Entry
from local.acquirer.deck import APPROVING, BY_NUMBER

AttemptId = Annotated[str, Field(min_length=1, max_length=128)]
Amount = Annotated[int, Field(ge=1)]


class Asked(BaseModel):
    """What every request has."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    attempt: AttemptId


class Booked(Asked, ABC):
    """What goes into the book; a void does not, it ends what stands there."""

    @abstractmethod
    def entry(self) -> Entry:
        """As it is to be booked: without the card's number and its security code."""


class CardAsked(BaseModel):
    """A card, as it is presented; it is forgotten with the answer."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    number: str = Field(pattern=r"^[0-9]{12,19}$", repr=False)
    brand: str
    exp_month: int
    exp_year: int
    cvc: str | None = Field(default=None, pattern=r"^[0-9]{3,4}$", repr=False)

    def kept(self) -> dict[str, Any]:
        """What the book keeps of it."""
        known = BY_NUMBER.get(self.number, APPROVING)
        expiry = f"{self.exp_month:02}/{self.exp_year}"
        return {"card": known.name, "brand": self.brand, "last4": self.number[-4:], "expiry": expiry}


class Verify(Booked):
    """Is this card good?"""

    card: CardAsked

    def entry(self) -> Entry:
        return Entry(self.attempt, "verify", **self.card.kept())


class Authorize(Booked):
    """Reserve, or take, an amount."""

    card: CardAsked
    amount: Amount
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    capture: bool

    def entry(self) -> Entry:
        asked = self.model_dump(include={"amount", "currency", "capture"})
        return Entry(self.attempt, "authorize", **self.card.kept(), **asked)


class Capture(Booked):
    """Take what was reserved, or a part of it."""

    charge: AttemptId
    amount: Amount

    def entry(self) -> Entry:
        return Entry(self.attempt, "capture", charge=self.charge, amount=self.amount)


class Refund(Capture):
    """Give back what was taken, or a part of it."""

    def entry(self) -> Entry:
        return Entry(self.attempt, "refund", charge=self.charge, amount=self.amount)
