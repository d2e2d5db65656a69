"""The settlements behind the bank in memory, and what it pays out of them."""

import csv
import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

Body = dict[str, Any]
BEGINNING = datetime(2026, 1, 1, 12, tzinfo=UTC)
DELAY = timedelta(days=2)
COLUMNS = ("settlement", "type", "order_id", "net", "window")


class Settlements:
    """What was captured and refunded, by the day of a clock that is moved by hand."""

    def __init__(self, fault: str | None) -> None:
        self.fault = fault
        self.now = BEGINNING
        self.lines: list[Body] = []
        self.payouts: dict[str, Body] = {}
        self.accounts: dict[str, str] = {}

    def count(self, kind: str, order_id: str, amount: int) -> None:
        fee = (amount * 150 + 5000) // 10000 + 20 if kind == "payment" else 0
        is_first = not self.lines
        if is_first and self.fault == "takes a penny more":
            fee += 1
        midnight = self.now.replace(hour=0) + timedelta(days=1)
        line = {
            "type": kind,
            "order_id": order_id,
            "amount": amount,
            "fee": fee,
            "net": amount - fee if kind == "payment" else -amount,
            "window": midnight.isoformat(),
        }
        self.lines.append(line)
        if is_first and self.fault == "counts a payment twice":
            self.lines.append(line)
        if self.fault == "misses a refund" and kind == "refund":
            self.lines.remove(line)

    def all(self) -> list[Body]:
        return [self.settlement(window) for window in sorted({line["window"] for line in self.lines})]

    def settlement(self, window: str) -> Body:
        lines = self.lines_of(window)
        captured = [line["amount"] for line in lines if line["type"] == "payment"]
        refunded = [line["amount"] for line in lines if line["type"] == "refund"]
        is_released = self.is_released(window)
        sums = {
            "captured": sum(captured) - (self.fault == "sums up wrongly"),
            "refunded": sum(refunded),
            "fees": sum(line["fee"] for line in lines),
        }
        return {
            "id": f"stl_{window[:10]}",
            "window": window,
            "status": "released" if is_released else "open",
            "payments": len(captured),
            "refunds": len(refunded),
            **sums,
            "net": sum(captured) - sums["refunded"] - sums["fees"],
            "carried_in": 0,
            "carried_out": 0,
            "entries": [f"ent_{window[:10]}"] if is_released else [],
        }

    def lines_of(self, window: str) -> list[Body]:
        return [line for line in self.lines if line["window"] == window]

    def is_released(self, window: str) -> bool:
        delay = DELAY + timedelta(days=9) if self.fault == "releases late" else DELAY
        return datetime.fromisoformat(window) + delay <= self.now

    def named(self, settlement_id: str) -> str:
        window: str = next(each["window"] for each in self.all() if each["id"] == settlement_id)
        return window

    def file(self, settlement_id: str) -> str:
        text = io.StringIO()
        rows = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
        rows.writeheader()
        lines = self.lines_of(self.named(settlement_id))
        for line in lines[1 if self.fault == "writes a line less" else 0 :]:
            rows.writerow({"settlement": settlement_id, **line})
        return text.getvalue()

    def ledger(self, path: list[str]) -> Body:
        if path[0] == "entries":
            return self.entry(path[1])
        return {"balance": self.fees() - (self.fault == "earns a penny less")}

    def fees(self) -> int:
        return sum(each["fees"] for each in self.all() if each["entries"])

    def entry(self, entry_id: str) -> Body:
        fees = next(each["fees"] for each in self.all() if entry_id in each["entries"])
        wrong = self.fault == "books another fee"
        return {"amount": fees + wrong, "account": "merchant_pending:mer_1:GBP", "counterpart": "fees:GBP"}

    def nets(self) -> Counter[bool]:
        """By whether it is released."""
        nets = Counter({True: 0, False: 0})
        for line in self.lines:
            nets[self.is_released(line["window"])] += line["net"]
        return nets

    def position(self) -> Body:
        nets = self.nets()
        taken = sum(payout["amount"] for payout in self.payouts.values() if self.took(payout))
        kept = self.fault == "makes less available" and nets[True] > 0
        return {"currency": "GBP", "pending": nets[False], "available": nets[True] - taken - kept}

    def register(self, iban: str) -> Body:
        account = f"ba_{len(self.accounts)}"
        self.accounts[account] = iban
        return {"id": account}

    def pay_out(self, body: Body) -> Body:
        payout = {
            **body,
            "id": f"po_{len(self.payouts)}",
            "status": "in_transit",
            "last4": self.accounts[body["bank_account"]][-4:],
            "returned": 0,
        }
        self.payouts[payout["id"]] = payout
        return payout

    def answer_at_desk(self, what: str, body: Body) -> Body:
        if what == "clock":
            self.now += timedelta(seconds=body["advance_seconds"])
        elif what == "runs" and body["schedule"] == "payouts.reconcile":
            self.reconcile()
        return {"engine": "embedded"}

    def reconcile(self) -> None:
        if self.fault == "never hears of the bank":
            return
        for payout in self.payouts.values():
            comes_back = payout["last4"] == "0006"
            payout["status"] = "returned" if comes_back else "paid"
            payout["returned"] = payout["amount"] if comes_back else 0

    def took(self, payout: Body) -> bool:
        return payout["status"] != "returned" or self.fault == "keeps what was returned"

    def statement(self) -> list[Body]:
        lines = [
            {
                "attempt": payout["id"].replace("po_", "att_"),
                "last4": payout["last4"],
                "paid": payout["amount"],
                "net": payout["amount"] - payout["returned"],
            }
            for payout in self.payouts.values()
        ]
        if lines and self.fault == "pays out twice":
            lines.append(lines[-1])
        if lines and self.fault == "pays a penny less":
            lines[-1] = lines[-1] | {"paid": lines[-1]["paid"] - 1}
        if lines and self.fault == "pays somebody else":
            lines[-1] = lines[-1] | {"last4": "0007"}
        return [line | {"line": number} for number, line in enumerate(lines, 1)]
