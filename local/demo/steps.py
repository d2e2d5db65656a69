"""What can happen in the story, and how orders and wallets stand after it."""

from dataclasses import dataclass
from typing import Literal

from local.demo.rows import Row

Status = Literal["authorized", "captured", "partially_refunded", "refunded", "canceled", "failed"]


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay an order from its customer's wallet, at once or by holding the money first."""

    row: Row
    attempt: int
    is_held: bool
    shortfall: int
    """What the wallet lacks; 0 when it covers the order."""

    @property
    def is_covered(self) -> bool:
        """Whether the attempt must succeed."""
        return self.shortfall == 0


@dataclass(frozen=True, slots=True)
class Loan:
    """Money that one customer sends another, so that an order can be paid after all."""

    lender: str
    borrower: str
    amount: int
    order_id: str


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
    """Money that was taken goes back; the row is the refund's own."""

    row: Row


Step = Payment | Loan | Capture | Cancellation | Refund


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
