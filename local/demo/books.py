"""The shop's own bookkeeping: follows every order and wallet from row to row, and decides what happens."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from local.demo.cards import Card, Pockets, is_by_card
from local.demo.rows import Row
from local.demo.steps import (
    Balance,
    Cancellation,
    Capture,
    Loan,
    Order,
    Payment,
    Refund,
    Resolution,
    Status,
    Step,
    TopUp,
)

PARCEL_LINES = 30
"""Orders of so many lines take time to pack: their money is held, and taken when they leave."""
PARCELS_LEAVE_AT_HOUR = 15
PARCELS_PER_CANCELLATION = 10
"""Every so many of them, one is given up when it should leave."""
REMEDIES = 3
"""Of each so many with a wallet too short, one lets the order go, one fills it by card, and one borrows."""


@dataclass(slots=True)
class Books:
    """What the system's own figures are compared with; nothing in here comes from the system."""

    balances: dict[str, Balance]
    pockets: Pockets
    orders: dict[str, Order] = field(default_factory=dict)
    parcels: dict[str, list[Row]] = field(default_factory=dict)
    """Order that has not left yet -> refunds of its articles."""
    not_applied: list[Row] = field(default_factory=list)
    """Refunds of what nobody paid here."""
    unanswered: list[Row] = field(default_factory=list)
    """Orders that were charged today, but nobody heard of it."""
    refusals: int = 0
    """Of wallets."""
    departures: int = 0

    def steps_of(self, row: Row) -> Iterator[Step]:
        """What happens until this row, and because of it."""
        placed_at = datetime.fromisoformat(row.placed_at)
        yield from self._departures(lambda leaves_at: leaves_at <= placed_at)
        if row.is_refund:
            yield from self._give_back(row)
        else:
            yield from self._pay_by_card(row) if is_by_card(row) else self._pay_from_wallet(row)

    def end_of(self, day: date) -> Iterator[Step]:
        """What happens until the shop closes: no parcel stays, and no answer is left to be found."""
        yield from self._departures(lambda leaves_at: leaves_at.date() <= day)
        yield from map(Resolution, self.unanswered)
        self.unanswered.clear()

    def _departures(self, is_time: Callable[[datetime], bool]) -> Iterator[Step]:
        for order in [self.orders[order_id] for order_id in self.parcels]:
            if is_time(_leaves_at(order.row)):
                yield self._depart(order)

    def _pay_by_card(self, row: Row) -> Iterator[Step]:
        card = self.pockets.card_for(row, at_once=not _is_parcel(row))
        if not card.decline:
            yield self._take(row, 1, card)
            return
        self.orders[row.order_id] = Order(row, "failed", by_card=True)
        yield Payment(row, 1, _is_parcel(row), card)
        second = self.pockets.second_card(row)
        if second:
            yield self._take(row, 2, second)

    def _pay_from_wallet(self, row: Row) -> Iterator[Step]:
        shortfall = row.amount - self.balances[row.customer_id].available
        if shortfall <= 0:
            yield self._take(row, 1)
            return
        self.orders[row.order_id] = Order(row, "failed")
        yield Payment(row, 1, _is_parcel(row), shortfall=shortfall)
        self.refusals += 1
        if (remedy := self._remedy(row, shortfall)) is None:
            return
        yield remedy
        if not (isinstance(remedy, TopUp) and remedy.refusal):
            self._change(row, available=shortfall)
            yield self._take(row, 2)

    def _remedy(self, row: Row, shortfall: int) -> Loan | TopUp | None:
        """Where the money comes from that is missing, if it comes."""
        match self.refusals % REMEDIES:
            case 2:
                card = self.pockets.card_for_topup(row.customer_id)
                return TopUp(card, shortfall, row.order_id)
            case 0:
                lender = self._richest()
                lent = self.balances[lender]
                if lent.available < shortfall:
                    return None
                self.balances[lender] = replace(lent, available=lent.available - shortfall)
                return Loan(lender, row.customer_id, shortfall, row.order_id)
        return None

    def _take(self, row: Row, attempt: int, card: Card | None = None) -> Payment:
        payment = Payment(row, attempt, _is_parcel(row), card)
        if payment.is_held:
            self._change(row, available=-row.amount, held=row.amount)
            self.orders[row.order_id] = Order(row, "authorized", by_card=card is not None)
            self.parcels[row.order_id] = []
        else:
            self._change(row, available=-row.amount)
            self.orders[row.order_id] = Order(row, "captured", row.amount, by_card=card is not None)
        if payment.loses_the_answer:
            self.unanswered.append(row)
        return payment

    def _depart(self, order: Order) -> Step:
        row = order.row
        capture = Capture(row, tuple(self.parcels.pop(row.order_id)))
        self.departures += 1
        if self.departures % PARCELS_PER_CANCELLATION == 0 or not capture.amount:
            self._change(row, available=row.amount, held=-row.amount)
            self.orders[row.order_id] = replace(order, status="canceled")
            self.not_applied.extend(capture.left_out)
            return Cancellation(row)
        self._change(row, available=row.amount - capture.amount, held=-row.amount)
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
            self._change(order.row, available=row.amount)
            yield Refund(row, order.by_card)
        else:
            self.not_applied.append(row)

    def _change(self, order: Row, available: int = 0, held: int = 0) -> None:
        """Move the money of the wallet that an order is paid from; what is on a card is nobody's here."""
        if is_by_card(order):
            return
        before = self.balances[order.customer_id]
        self.balances[order.customer_id] = Balance(before.available + available, before.held + held)

    def _richest(self) -> str:
        # The id decides between equals, so that the story is the same every time it is told.
        return max(self.balances, key=lambda customer: (self.balances[customer].available, customer))


def _is_parcel(row: Row) -> bool:
    return row.lines >= PARCEL_LINES


def _leaves_at(row: Row) -> datetime:
    placed_at = datetime.fromisoformat(row.placed_at)
    leaves_at = placed_at.replace(hour=PARCELS_LEAVE_AT_HOUR, minute=0, second=0)
    return leaves_at if placed_at < leaves_at else leaves_at + timedelta(days=1)
