"""What can happen in the story, and how orders and wallets stand after it."""

from dataclasses import dataclass
from typing import Literal

from local.demo.cards import Card
from local.demo.rows import Row

Status = Literal["authorized", "captured", "partially_refunded", "refunded", "canceled", "failed"]
NO_MONEY = "insufficient_funds"


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay an order, at once or by holding the money first."""

    row: Row
    attempt: int
    is_held: bool
    card: Card | None = None
    """None: from the customer's wallet."""
    shortfall: int = 0
    """What the wallet lacks; 0 when it covers the order."""

    @property
    def refusal(self) -> str | None:
        """Why the attempt must fail, if it must."""
        if self.card:
            return self.card.decline
        return NO_MONEY if self.shortfall else None

    @property
    def loses_the_answer(self) -> bool:
        """Whether it stays unknown for a while how the attempt ended."""
        return self.card is not None and self.card.loses_the_answer


@dataclass(frozen=True, slots=True)
class Loan:
    """Money that one customer sends another, so that an order can be paid after all."""

    lender: str
    borrower: str
    amount: int
    order_id: str


@dataclass(frozen=True, slots=True)
class TopUp:
    """Money from a customer's card into the wallet, so that an order can be paid after all."""

    card: Card
    amount: int
    order_id: str

    @property
    def refusal(self) -> str | None:
        """Why it must fail, if it must."""
        return self.card.decline


@dataclass(frozen=True, slots=True)
class Capture:
    """An order leaves, and its held money is taken, but for the articles cancelled in time."""

    row: Row
    left_out: tuple[Row, ...]
    """The refunds that needn't be made, for the money is not taken in the first place."""

    @property
    def amount(self) -> int:
        """How much is taken."""
        return self.row.amount - sum(row.amount for row in self.left_out)


@dataclass(frozen=True, slots=True)
class Cancellation:
    """An order is given up before it leaves, and its held money can be spent again."""

    row: Row


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that was taken goes back to where it came from; the row is the refund's own."""

    row: Row
    to_card: bool = False


@dataclass(frozen=True, slots=True)
class Resolution:
    """The end of a payment whose answer was lost: nobody does anything but wait for it."""

    row: Row


Step = Payment | Loan | TopUp | Capture | Cancellation | Refund | Resolution


@dataclass(frozen=True, slots=True)
class Balance:
    """The money of a wallet, in pence."""

    available: int
    held: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """How the payment of an order stands."""

    row: Row
    status: Status
    captured: int = 0
    refunded: int = 0
    by_card: bool = False
