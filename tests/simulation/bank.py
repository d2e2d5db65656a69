"""Owns the bank of the simulation: each order has one answer for ever, its feed tells what became of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.simulation.acquirer import Reply

ACCEPTED, CANCELED = "accepted", "canceled"


@dataclass(slots=True)
class Order:
    """An order as it stands in the book; amounts in minor units."""

    id: str
    asked: dict[str, Any]
    outcome: str
    fates: list[str] = field(default_factory=list)
    """What is to become of it."""
    paid: int = 0
    returned: int = 0


@dataclass(slots=True)
class Bank:
    """As `local.bank.book` keeps it, without a disk; `fates` draws what becomes of an order."""

    fates: Callable[[], list[str]]
    orders: dict[str, Order] = field(default_factory=dict)
    feed: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, method: str, path: str, asked: dict[str, Any], decline: str | None) -> Reply:
        """What the bank makes of a request; `decline` is what it would refuse a new order with."""
        if path.startswith("/v1/changes"):
            query = parse_qs(path.partition("?")[2])
            after, limit = int(query["after"][0]), int(query["limit"][0])
            return 200, {"data": self.feed[after : after + limit]}
        if path == "/v1/payouts":
            return self._pay(asked, decline)
        attempt_id = path.split("/")[3]
        if method == "POST":
            return _told(self._cancel(attempt_id))
        found = self.orders.get(attempt_id)
        return (404, {"outcome": "not_found"}) if found is None else _told(found.outcome)

    def _pay(self, asked: dict[str, Any], decline: str | None) -> Reply:
        known = self.orders.get(asked["attempt"])
        if known is None:
            fates = [] if decline else self.fates()
            known = self.orders[asked["attempt"]] = Order(asked["attempt"], asked, decline or ACCEPTED, fates)
        elif known.asked not in ({}, asked):
            return 409, {"error": "conflict"}
        return _told(known.outcome)

    def _cancel(self, attempt_id: str) -> str:
        known = self.orders.setdefault(attempt_id, Order(attempt_id, {}, CANCELED))
        if known.outcome == ACCEPTED and not known.paid and not known.returned:
            known.outcome, known.fates = CANCELED, []
        return known.outcome

    def work(self) -> None:
        """Do what is next for every order that was taken, and tell it in the feed."""
        for order in self.orders.values():
            if order.fates:
                fate = order.fates.pop(0)
                setattr(order, fate, order.asked["amount"])
                self.feed.append({"line": len(self.feed) + 1, "attempt": order.id, "status": fate})


def _told(outcome: str) -> Reply:
    if outcome == ACCEPTED:
        return 200, {"outcome": ACCEPTED}
    return 200, {"outcome": "refused", "code": outcome}
