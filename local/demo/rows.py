"""The shop's history as it was recorded: one row per invoice."""

import csv
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

DATA = Path(__file__).parent.parent / "data" / "retail_orders.csv"


@dataclass(frozen=True, slots=True)
class Row:
    """An order, or a refund of one."""

    placed_at: str
    kind: str
    order_id: str
    customer_id: str
    """Empty for a guest."""
    country: str
    amount: int
    """Pence."""
    refund_of: str
    lines: int

    @property
    def is_refund(self) -> bool:
        """Whether money goes back."""
        return self.kind == "refund"

    @property
    def date(self) -> date:
        """The day of it."""
        return datetime.fromisoformat(self.placed_at).date()


def read_rows(path: Path) -> tuple[Row, ...]:
    """Every row, in the order of the file."""
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(
            Row(
                placed_at=row["placed_at"],
                kind=row["kind"],
                order_id=row["order_id"],
                customer_id=row["customer_id"],
                country=row["country"],
                amount=int(row["amount_minor"]),
                refund_of=row["refund_of"],
                lines=int(row["lines"]),
            )
            for row in csv.DictReader(file)
        )
