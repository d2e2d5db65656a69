"""How settlements and their lines are kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict

from chassis import clock
from chassis.attributes import Item
from functions.settlement.shapes import LineType, Settlement, SettlementLine, SettlementStatus

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One captured payment, or one refund, to be counted once; the event's id names it."""

    event_id: str
    merchant_id: str
    type: LineType
    order_id: str
    refund_id: str | None
    currency: str
    amount: int
    fee: int
    occurred_at: str
    window: str
    available_at: str


def net_of(amount: int, fee: int, *, is_refund: bool) -> int:
    """What a line adds to what the merchant gets."""
    return -amount if is_refund else amount - fee


def packed(line: Line) -> list[str | int]:
    """A line as a manifest keeps it."""
    microseconds = (datetime.fromisoformat(line.occurred_at) - _EPOCH) // _MICROSECOND
    whose = [line.order_id] if line.refund_id is None else [line.order_id, line.refund_id]
    return [line.amount, line.fee, microseconds, *whose]


def unpacked(chunk: Item) -> Iterator[SettlementLine]:
    """The lines that a manifest keeps."""
    for amount, fee, microseconds, order_id, *refund_id in chunk["lines"]:
        yield SettlementLine(
            type="refund" if refund_id else "payment",
            order_id=order_id,
            refund_id=refund_id[0] if refund_id else None,
            amount=amount,
            fee=fee,
            net=net_of(amount, fee, is_refund=bool(refund_id)),
            currency=chunk["currency"],
            occurred_at=clock.timestamp(_EPOCH + microseconds * _MICROSECOND),
            window=chunk["window"],
        )


class StoredSettlement(BaseModel):
    """A settlement as it is kept; while it is open, its sums only grow."""

    model_config = ConfigDict(frozen=True)

    id: str
    merchant_id: str
    currency: str
    window: str
    available_at: str
    status: SettlementStatus
    payments: int = 0
    captured: int = 0
    refunds: int = 0
    refunded: int = 0
    fees: int = 0
    carried_in: int = 0
    carried_from: str | None = None
    opened_at: str | None = None
    """When its first line was counted."""
    closed_at: str | None = None
    released_at: str | None = None
    entries: tuple[str, ...] = ()
    version: int = 0

    @property
    def net(self) -> int:
        """What the merchant gets for it; less than nothing when refunds and fees outweigh the rest."""
        return self.captured - self.refunded - self.fees + self.carried_in

    @property
    def paid(self) -> int:
        """What becomes available."""
        return max(self.net, 0)

    @property
    def carried_out(self) -> int:
        """What the next settlement has to make up for, once this one is closed."""
        return 0 if self.status == "open" else min(self.net, 0)

    @property
    def pending(self) -> int:
        """What of it is pending; what it carries out is pending elsewhere."""
        match self.status:
            case "open":
                return self.net
            case "closed":
                return self.paid
        return 0

    @property
    def status_version(self) -> int:
        """The version that its status came with: counting leaves that alone, and nothing else does."""
        return 1 if self.status == "open" else self.version

    @property
    def when_closed(self) -> Self:
        """A released settlement as its close left it, which nothing but the release has changed."""
        undone = {"status": "closed", "released_at": None, "entries": (), "version": self.version - 1}
        return self.model_copy(update=undone)

    def shown(self) -> Settlement:
        """The settlement as the API shows it."""
        kept = self.model_dump(exclude={"merchant_id", "version"})
        return Settlement(**kept, net=self.net, paid=self.paid, carried_out=self.carried_out)


class Carry(BaseModel):
    """What a merchant's last settlement in a currency lacked: zero or less, and which one that was.

    It is there from the first settlement that was closed in that currency on.
    """

    model_config = ConfigDict(frozen=True)

    currency: str
    amount: int = 0
    settlement: str | None = None
    version: int = 0
