"""The shop's own bookkeeping: follows every order and wallet from row to row, and decides what happens."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from local.demo.rows import Row
from local.demo.steps import Balance, Cancellation, Capture, Loan, Order, Payment, Refund, Status, Step

PARCEL_LINES = 30
"""Orders of so many lines take time to pack: their money is held, and taken when they leave."""
PARCELS_LEAVE_AT_HOUR = 15
PARCELS_PER_CANCELLATION = 10
"""Every so many of them, one is given up when it should leave."""
REFUSALS_PER_LOAN = 3
"""Every so many refusals, another customer lends the difference and the order is tried again."""


@dataclass(slots=True)
class Books:
    """What the system's own figures are compared with; nothing in here comes from the system."""

    balances: dict[str, Balance]
    orders: dict[str, Order] = field(default_factory=dict)
    parcels: dict[str, list[Row]] = field(default_factory=dict)
    """Order that has not left yet -> refunds of its articles."""
    not_applied: list[Row] = field(default_factory=list)
    """Refunds of what nobody paid here."""
    refusals: int = 0
    departures: int = 0

    def steps_of(self, row: Row) -> Iterator[Step]:
        """What happens until this row, and because of it."""
        for order in [self.orders[order_id] for order_id in self.parcels]:
            if _leaves_at(order.row) <= datetime.fromisoformat(row.placed_at):
                yield self._depart(order)
        yield from self._give_back(row) if row.is_refund else self._pay(row)

    def _pay(self, row: Row) -> Iterator[Step]:
        shortfall = row.amount - self.balances[row.customer_id].available
        if shortfall <= 0:
            yield self._take(row, attempt=1)
            return
        self.orders[row.order_id] = Order(row, "failed")
        self.refusals += 1
        yield Payment(row, 1, _is_parcel(row), shortfall)
        lender = self._richest()
        if self.refusals % REFUSALS_PER_LOAN or self.balances[lender].available < shortfall:
            return
        self._change(lender, available=-shortfall)
        self._change(row.customer_id, available=shortfall)
        yield Loan(lender, row.customer_id, shortfall, row.order_id)
        yield self._take(row, attempt=2)

    def _take(self, row: Row, attempt: int) -> Payment:
        if _is_parcel(row):
            self._change(row.customer_id, available=-row.amount, held=row.amount)
            self.orders[row.order_id] = Order(row, "authorized")
            self.parcels[row.order_id] = []
        else:
            self._change(row.customer_id, available=-row.amount)
            self.orders[row.order_id] = Order(row, "captured", captured=row.amount)
        return Payment(row, attempt, _is_parcel(row), shortfall=0)

    def _depart(self, order: Order) -> Step:
        row = order.row
        capture = Capture(row, tuple(self.parcels.pop(row.order_id)))
        self.departures += 1
        if self.departures % PARCELS_PER_CANCELLATION == 0 or not capture.amount:
            self._change(row.customer_id, available=row.amount, held=-row.amount)
            self.orders[row.order_id] = replace(order, status="canceled")
            self.not_applied.extend(capture.left_out)
            return Cancellation(row)
        self._change(row.customer_id, available=row.amount - capture.amount, held=-row.amount)
        self.orders[row.order_id] = replace(order, status="captured", captured=capture.amount)
        return capture

    def _give_back(self, row: Row) -> Iterator[Step]:
        order = self.orders.get(row.refund_of)
        packed = self.parcels.get(row.refund_of)
        if order and packed is not None and row.amount <= Capture(order.row, tuple(packed)).amount:
            packed.append(row)
        elif order and row.amount <= order.captured - order.refunded:
            refunded = order.refunded + row.amount
            status: Status = "refunded" if refunded == order.captured else "partially_refunded"
            self.orders[row.refund_of] = replace(order, status=status, refunded=refunded)
            self._change(order.row.customer_id, available=row.amount)
            yield Refund(row)
        else:
            self.not_applied.append(row)

    def _change(self, customer: str, available: int = 0, held: int = 0) -> None:
        before = self.balances[customer]
        self.balances[customer] = Balance(before.available + available, before.held + held)

    def _richest(self) -> str:
        # The id decides between equals, so that the story is the same every time it is told.
        return max(self.balances, key=lambda customer: (self.balances[customer].available, customer))


def _is_parcel(row: Row) -> bool:
    return row.lines >= PARCEL_LINES


def _leaves_at(row: Row) -> datetime:
    placed_at = datetime.fromisoformat(row.placed_at)
    leaves_at = placed_at.replace(hour=PARCELS_LEAVE_AT_HOUR, minute=0, second=0)
    return leaves_at if placed_at < leaves_at else leaves_at + timedelta(days=1)
