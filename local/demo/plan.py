"""What the demo will do and what it expects in the end: computed from the rows alone."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from local.demo.books import Books
from local.demo.cards import Card, Pockets, is_by_card
from local.demo.rows import Row
from local.demo.steps import Balance, Order, Payment, Step

BANKNOTE = 1000
"""Deposits are whole £10 notes."""
RETURNING_PERCENT = 80
"""What customers who come back bring of what they will want to spend."""

Kind = TypeVar("Kind", bound=Step)


@dataclass(frozen=True, slots=True)
class Day:
    """What happens on one day, be it only that parcels leave."""

    date: date
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole story, with its end."""

    deposits: dict[str, int]
    """Customer -> pence brought, in the order in which they first buy."""
    days: tuple[Day, ...]
    """From the first to the last with rows, and those between them."""
    balances: dict[str, Balance]
    """Customer -> what is left in the end."""
    orders: dict[str, Order]
    """Order -> how its payment stands in the end."""
    cards: tuple[Card, ...]
    """Every card that anybody pays with."""
    coming: tuple[Row, ...]
    """Refunds of articles in orders that have not left: less will be captured."""
    not_applied: tuple[Row, ...]
    """Refunds of orders that nobody paid in this story."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """All that happens, in its order."""
        return tuple(step for day in self.days for step in day.steps)

    def all(self, kind: type[Kind]) -> tuple[Kind, ...]:
        """The steps of one kind, in their order."""
        return tuple(step for step in self.steps if isinstance(step, kind))

    @property
    def refused(self) -> tuple[Payment, ...]:
        """The attempts that failed and that were not made again."""
        last = {payment.row.order_id: payment for payment in self.all(Payment)}
        return tuple(payment for payment in last.values() if payment.refusal)


def make_plan(rows: Iterable[Row], *, loses_an_answer: bool = True) -> Plan:
    """Decide who brings what, and follow the money through every order and refund."""
    rows = tuple(rows)
    deposits = _deposits([row for row in rows if not row.is_refund and not is_by_card(row)])
    books = Books(
        {customer: Balance(amount) for customer, amount in deposits.items()}, Pockets(loses_an_answer)
    )
    return Plan(
        deposits=deposits,
        days=tuple(_days(rows, books)),
        balances=books.balances,
        orders=books.orders,
        cards=tuple(books.pockets.cards),
        coming=tuple(row for refunds in books.parcels.values() for row in refunds),
        not_applied=tuple(books.not_applied),
    )


def _days(rows: Iterable[Row], books: Books) -> Iterator[Day]:
    by_date: defaultdict[date, list[Row]] = defaultdict(list)
    for row in rows:
        by_date[row.date].append(row)
    day, last = min(by_date, default=date.max), max(by_date, default=date.min)
    while day <= last:
        steps = [step for row in by_date[day] for step in books.steps_of(row)]
        yield Day(day, (*steps, *books.end_of(day)))
        day += timedelta(days=1)


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
