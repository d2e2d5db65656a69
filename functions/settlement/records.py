"""How settlements and their lines are kept."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from functions.settlement.shapes import LineType, Settlement, SettlementStatus


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
