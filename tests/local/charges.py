"""The charges behind the bank in memory, as its acquirer would state them."""

from typing import Any

from local.acquirer.deck import BY_NAME, BY_NUMBER
from local.demo.cards import LOSING

Body = dict[str, Any]


class Charges:
    """What was charged to which card."""

    def __init__(self, fault: str | None) -> None:
        self.fault = fault
        self.cards: dict[str, str] = {}
        self.lines: list[Body] = []

    def keep(self, number: str) -> Body:
        card = f"card_{len(self.cards)}"
        self.cards[card] = number
        return {"id": card}

    def decline(self, card: str) -> str | None:
        return BY_NUMBER[self.cards[card]].act("authorize").decline

    def loses_the_answer(self, source: Body) -> bool:
        return "card" in source and self.cards[source["card"]] == BY_NAME[LOSING].number

    def charge(self, amount: int, captured: int = 0) -> str:
        line = {
            "line": len(self.lines) + 1,
            "attempt": f"att_{len(self.lines)}",
            "currency": "GBP",
            "authorized": amount,
            "captured": captured,
            "refunded": 0,
            "voided": False,
        }
        self.lines.append(line)
        if self.fault == "charges a card again" and len(self.lines) == 1:
            self.lines.append({**line, "line": 2, "captured": amount})
        return str(line["attempt"])

    def of(self, payment: Body) -> Body | None:
        attempts = [attempt["attempt_id"] for attempt in payment["attempts"]]
        return next((line for line in self.lines if line["attempt"] in attempts), None)

    def capture(self, line: Body, amount: int) -> None:
        line["captured"] = amount - (self.fault == "charges a penny less")

    def void(self, line: Body) -> None:
        line["voided"] = self.fault != "voids nothing"

    def refund(self, line: Body, amount: int) -> None:
        line["refunded"] += amount if self.fault != "keeps a card's refund" else 0

    def statement(self) -> list[Body]:
        return [
            {**line, "net": 0 if line["voided"] else line["captured"] - line["refunded"]}
            for line in self.lines
        ]
