"""Rows of a shop's history, for plans as small as an example needs."""

from local.demo.books import PARCEL_LINES
from local.demo.rows import Row

MORNING = "2010-12-01T08:26:00Z"
LATE = "2010-12-01T17:00:00Z"
NEXT_NOON = "2010-12-02T12:00:00Z"
NEXT_EVENING = "2010-12-02T18:00:00Z"


def row(order_id: str, customer_id: str, amount: int, placed_at: str = MORNING, lines: int = 1) -> Row:
    return Row(placed_at, "order", order_id, customer_id, "France", amount, "", lines)


def parcel(order_id: str, customer_id: str, amount: int, placed_at: str = MORNING) -> Row:
    return row(order_id, customer_id, amount, placed_at, PARCEL_LINES)


def refund(number: int, order_id: str, amount: int, placed_at: str = MORNING) -> Row:
    return Row(placed_at, "refund", f"C{number}", "ann", "France", amount, order_id, 1)
