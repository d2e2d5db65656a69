"""What the shop's own books say that it earns: every captured payment and refund, less the fees."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from local.demo.claims import pounds
from local.demo.steps import Capture, Payment, Refund, Step

FEE_BASIS_POINTS = 150
FEE_FIXED = 20
BASIS_POINTS = 10_000


class Line(NamedTuple):
    """A captured payment, or a refund."""

    kind: Literal["payment", "refund"]
    order_id: str
    amount: int
    fee: int

    def __str__(self) -> str:
        return f"{self.kind} {self.order_id} of {pounds(self.amount)} for {pounds(self.fee)}"


@dataclass(frozen=True, slots=True)
class Takings:
    """The sums of some of them."""

    payments: int
    captured: int
    refunds: int
    refunded: int
    fees: int

    @classmethod
    def of(cls, lines: Iterable[Line]) -> "Takings":
        """Add them up."""
        lines = tuple(lines)
        captured = [line.amount for line in lines if line.kind == "payment"]
        refunded = [line.amount for line in lines if line.kind == "refund"]
        return cls(
            payments=len(captured),
            captured=sum(captured),
            refunds=len(refunded),
            refunded=sum(refunded),
            fees=sum(line.fee for line in lines),
        )

    @property
    def net(self) -> int:
        """What is left for the shop."""
        return self.captured - self.refunded - self.fees


def lines_of(steps: Iterable[Step]) -> Iterator[Line]:
    """What these steps earn or give back."""
    for step in steps:
        match step:
            case Payment(row) if not (step.refusal or step.is_held):
                yield _payment(row.order_id, row.amount)
            case Capture(row):
                yield _payment(row.order_id, step.amount)
            case Refund(row):
                yield Line("refund", row.refund_of, row.amount, 0)


def _payment(order_id: str, amount: int) -> Line:
    # Half a penny is rounded up.
    share = (amount * FEE_BASIS_POINTS + BASIS_POINTS // 2) // BASIS_POINTS
    return Line("payment", order_id, amount, share + FEE_FIXED)
