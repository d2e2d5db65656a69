"""What the demo will do and what it expects of each step: computed from the rows alone."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from local.demo.rows import Row

BANKNOTE = 1000
"""Deposits are whole £10 notes."""
RETURNING_PERCENT = 80
"""What customers who come back bring of what they will want to spend."""
REFUSALS_PER_LOAN = 3
"""Every so many refusals, another customer lends the difference and the order is tried again."""


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay an order from its customer's wallet."""

    row: Row
    attempt: int
    is_covered: bool
    shortfall: int
    """What the wallet lacks; 0 when it covers the order."""


@dataclass(frozen=True, slots=True)
class Loan:
    """Money that one customer sends another, so that an order can be paid after all."""

    lender: str
    borrower: str
    amount: int
    order_id: str


Step = Payment | Loan


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole story, with its end."""

    deposits: dict[str, int]
    """Customer -> pence brought, in the order in which they first buy."""
    steps: tuple[Step, ...]
    balances: dict[str, int]
    """Customer -> pence left in the end."""
    guests: tuple[Row, ...]
    """Orders that only a card can pay."""
    refunds: tuple[Row, ...]

    @property
    def payments(self) -> tuple[Payment, ...]:
        """Every attempt, those that are refused included."""
        return tuple(step for step in self.steps if isinstance(step, Payment))

    @property
    def loans(self) -> tuple[Loan, ...]:
        """Every transfer between customers."""
        return tuple(step for step in self.steps if isinstance(step, Loan))

    @property
    def last_attempts(self) -> dict[str, Payment]:
        """Order -> the attempt that decides it."""
        return {payment.row.order_id: payment for payment in self.payments}


def make_plan(rows: Iterable[Row]) -> Plan:
    """Decide who brings what, and follow the money through every order."""
    rows = tuple(rows)
    orders = [row for row in rows if not row.is_refund and row.customer_id]
    deposits = _deposits(orders)
    books = _Books(dict(deposits))
    return Plan(
        deposits=deposits,
        steps=tuple(step for row in orders for step in books.steps_of(row)),
        balances=books.balances,
        guests=tuple(row for row in rows if not row.is_refund and not row.customer_id),
        refunds=tuple(row for row in rows if row.is_refund),
    )


def _deposits(orders: list[Row]) -> dict[str, int]:
    """Who buys once brings enough; who comes back brings most of it, so that late orders fail."""
    times = Counter(row.customer_id for row in orders)
    wanted: Counter[str] = Counter()
    for row in orders:
        wanted[row.customer_id] += row.amount
    return {
        customer: _whole_notes(total if times[customer] == 1 else total * RETURNING_PERCENT // 100)
        for customer, total in wanted.items()
    }


def _whole_notes(amount: int) -> int:
    return -(-amount // BANKNOTE) * BANKNOTE


@dataclass(slots=True)
class _Books:
    """The client's own bookkeeping, which the system's is compared with."""

    balances: dict[str, int]
    refusals: int = field(default=0)

    def steps_of(self, row: Row) -> Iterator[Step]:
        shortfall = row.amount - self.balances[row.customer_id]
        if shortfall <= 0:
            yield self._pay(row, attempt=1)
            return
        yield Payment(row, attempt=1, is_covered=False, shortfall=shortfall)
        self.refusals += 1
        lender = self._richest()
        if self.refusals % REFUSALS_PER_LOAN or self.balances[lender] < shortfall:
            return
        self.balances[lender] -= shortfall
        self.balances[row.customer_id] += shortfall
        yield Loan(lender, row.customer_id, shortfall, row.order_id)
        yield self._pay(row, attempt=2)

    def _pay(self, row: Row, attempt: int) -> Payment:
        self.balances[row.customer_id] -= row.amount
        return Payment(row, attempt, is_covered=True, shortfall=0)

    def _richest(self) -> str:
        # The id decides between equals, so that the story is the same every time it is told.
        return max(self.balances, key=lambda customer: (self.balances[customer], customer))
