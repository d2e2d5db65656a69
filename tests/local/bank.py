"""A bank in memory behind the API's shapes, which can be told to get a single thing wrong."""

import json
import threading
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qs

import httpx

from local.api import Api
from tests.local.charges import Charges
from tests.local.settlements import Settlements

Body = dict[str, Any]
STAMPS = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:06Z"}


class Bank:
    """As little of Tael as the demo needs to run in a fraction of a second."""

    def __init__(self, fault: str | None = None, *, has_movable_clock: bool = True) -> None:
        self.fault = fault
        self.has_movable_clock = has_movable_clock
        self.lock = threading.Lock()
        self.wallets: dict[str, Body] = {}
        self.entries: dict[str, list[Body]] = defaultdict(list)
        self.payments: dict[str, Body] = {}
        self.refunds: dict[str, list[Body]] = defaultdict(list)
        self.topups: list[Body] = []
        self.charges = Charges(fault)
        self.settlements = Settlements(fault)
        self.answers: dict[str, tuple[int, Body]] = {}
        self.pending = 0
        self.owed = 0  # by the acquirer
        self.requests: list[httpx.Request] = []

    def api(self, url: str = "http://bank") -> Api:
        return Api(url, "key", httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            return self.answer_one(request)

    def answer_one(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path.removeprefix("/v1/").split("/")
        if path[1:2] == ["local"]:
            done = self.settlements.answer_at_desk(path[-1], json.loads(request.content or "{}"))
            return httpx.Response(200, json=done) if self.has_movable_clock else httpx.Response(404, json={})
        if request.headers["Accept"] == "text/csv":
            return httpx.Response(200, text=self.settlements.file(path[-1]))
        if request.method == "GET":
            where = [request.url.host] if request.url.host != "bank" else []
            return httpx.Response(200, json=self.read(where + path, request.url.query.decode()))
        key = request.headers.get("Idempotency-Key", request.url.path)
        known = key in self.answers and self.fault != "charges twice"
        if not known:
            self.answers[key] = self.act(path, json.loads(request.content or "{}"))
        status, body = self.answers[key]
        return httpx.Response(status, json=body, headers={"Idempotent-Replayed": "true"} if known else {})

    def act(self, path: list[str], body: Body) -> tuple[int, Body]:
        match path:
            case ["webhook-endpoints"]:
                return 422, {}  # it cannot reach a receiver on this machine
            case ["payments", order_id]:
                return self.pay(order_id, body)
            case ["payments", order_id, verb]:
                return self.change(self.payments[order_id], verb, body)
            case ["topups"]:
                return self.top_up(body)
            case ["wallets", wallet_id, "deposits"]:
                self.move(None, wallet_id, body["amount"])
            case ["transfers"]:
                self.move(body["from_wallet"], body["to_wallet"], body["amount"])
            case _:
                return 201, self.create(path, body)
        return 201, {}

    def create(self, path: list[str], body: Body) -> Body:
        match path:
            case ["merchants", "mer_1", "bank-accounts"]:
                return self.settlements.register(body["iban"])
            case ["payouts"]:
                return self.settlements.pay_out(body)
            case ["merchants"]:
                return {"id": "mer_1", "api_key": {"id": "key_1", "key": "sk_1"}}
            case ["wallets"]:
                wallet: Body = {"id": f"wal_{len(self.wallets)}", "available": 0, "held": 0}
                self.wallets[wallet["id"]] = wallet
                return wallet
            case ["cards"]:
                return self.charges.keep(body["number"])
        raise AssertionError(path)

    def change(self, payment: Body, verb: str, body: Body) -> tuple[int, Body]:
        match verb:
            case "capture":
                return 200, self.capture(payment, body.get("amount") or payment["amount"])
            case "cancel":
                return 200, self.cancel(payment)
            case "refunds":
                return 201, self.refund(payment, body["amount"])
        raise AssertionError(verb)

    def pay(self, order_id: str, body: Body) -> tuple[int, Body]:
        payment: Body = {
            "order_id": order_id,
            "amount": body["amount"],
            "capture": body["capture"],
            "source": body["source"],
            "status": "authorized",
            "captured": 0,
            "refunded": 0,
            "failure_code": None,
            "attempts": [],
            **STAMPS,
        }
        self.payments[order_id] = payment
        refusal = self.pay_by_card(payment) if "card" in body["source"] else self.pay_from_wallet(payment)
        if refusal:
            reason = None if self.fault == "forgets why" else refusal
            self.put(payment, status="failed", failure_code=reason)
            if self.fault == "forgets refusals":
                del self.payments[order_id]
            return 402, {"title": "No", "detail": "No.", "code": refusal}
        if body["capture"] == "automatic" or self.fault == "captures at once":
            self.capture(payment, body["amount"])
        if self.charges.loses_the_answer(body["source"]):
            return 202, self.put(self.payments[order_id], status="processing")
        return 201, self.payments[order_id]

    def pay_from_wallet(self, payment: Body) -> str | None:
        wallet = self.wallets[payment["source"]["wallet"]]
        if wallet["available"] < payment["amount"] and self.fault != "pays anything":
            return "insufficient_funds"
        self.hold(payment)
        return None

    def pay_by_card(self, payment: Body) -> str | None:
        decline = self.charges.decline(payment["source"]["card"])
        outcome = "failed" if decline else "captured"
        attempt = "att_declined" if decline else self.charges.charge(payment["amount"])
        payment["attempts"] = [{"attempt_id": attempt, "source": payment["source"], "outcome": outcome}]
        return decline

    def top_up(self, body: Body) -> tuple[int, Body]:
        decline = self.charges.decline(body["card"])
        topup: Body = {
            "id": f"top_{len(self.topups)}",
            "amount": body["amount"],
            "status": "failed" if decline else "succeeded",
            "failure_code": decline,
        }
        self.topups.append(topup)
        if decline:
            return 402, {"title": "No", "detail": "No.", "code": "card_declined", "decline_code": decline}
        if self.fault != "tops up for nothing":
            self.charges.charge(body["amount"], body["amount"])
        self.owed += body["amount"]
        self.move(None, body["wallet"], body["amount"])
        return 201, topup

    def hold(self, payment: Body) -> None:
        self.change_wallet(payment, -payment["amount"])

    def release(self, payment: Body) -> None:
        self.change_wallet(payment, payment["amount"])

    def change_wallet(self, payment: Body, released: int) -> None:
        if wallet := self.wallets.get(payment["source"].get("wallet", "")):
            wallet["available"] += released
            wallet["held"] -= released

    def capture(self, payment: Body, amount: int) -> Body:
        if self.fault == "captures all":
            amount = payment["amount"]
        self.release(payment)
        if charge := self.charges.of(payment):
            self.charges.capture(charge, amount)
            self.owed += amount
        else:
            self.move(payment["source"]["wallet"], None, amount)
        self.pending += amount
        self.settlements.count("payment", payment["order_id"], amount)
        if self.fault == "keeps the rest" and amount < payment["amount"]:
            self.hold(payment | {"amount": payment["amount"] - amount})
        return self.put(payment, status="captured", captured=amount)

    def cancel(self, payment: Body) -> Body:
        if self.fault != "cancels and keeps":
            self.release(payment)
        if charge := self.charges.of(payment):
            self.charges.void(charge)
        return self.put(payment, status="canceled")

    def refund(self, payment: Body, amount: int) -> Body:
        if charge := self.charges.of(payment):
            self.charges.refund(charge, amount)
            self.owed -= amount
        elif self.fault != "takes a refund back":
            self.move(None, payment["source"]["wallet"], amount)
        self.pending -= amount
        self.settlements.count("refund", payment["order_id"], amount)
        if self.fault != "hides refunds":
            self.refunds[payment["order_id"]].insert(0, {"amount": amount})
        too_much = self.fault == "refunds too much"
        refunded = payment["captured"] + 1 if too_much else amount + payment["refunded"]
        status = "refunded" if refunded == payment["captured"] else "partially_refunded"
        return self.put(payment, status=status, refunded=refunded)

    def put(self, payment: Body, **changes: Any) -> Body:
        # Answers given before are kept as they were, and found again by their key.
        self.payments[payment["order_id"]] = payment | changes
        return self.payments[payment["order_id"]]

    def move(self, source: str | None, target: str | None, amount: int) -> None:
        for wallet_id, direction, sign in ((source, "debit", -1), (target, "credit", 1)):
            if wallet_id:
                self.entries[wallet_id].append({"direction": direction, "amount": amount})
                self.wallets[wallet_id]["available"] += sign * amount

    def read(self, path: list[str], query: str) -> Body:
        match path:
            case ["ledger", *rest]:
                return self.read_ledger(rest)
            case ["balance"]:
                return {"data": [self.settlements.position()]}
            case ["payouts", payout_id]:
                return self.settlements.payouts[payout_id]
            case ["payments", order_id]:
                return self.read_payment(order_id)
        return self.page(self.rows(path), query)

    def read_payment(self, order_id: str) -> Body:
        payment = self.payments.get(order_id, {"status": "unknown", "failure_code": None})
        if payment["status"] == "processing" and self.fault != "never finds out":
            return self.put(payment, status="captured")
        return payment

    def rows(self, path: list[str]) -> list[Body]:
        match path:
            case ["payments", order_id, "refunds"]:
                return self.refunds[order_id]
            case ["wallets", wallet_id, "entries"]:
                first = 1 if self.fault == "loses an entry" and wallet_id == "wal_0" else 0
                return self.entries[wallet_id][first:]
            case ["settlements", settlement_id, "payments"]:
                return self.settlements.lines_of(self.settlements.named(settlement_id))
            case ["sandbox-bank", *_]:
                return self.settlements.statement()
        lists = {
            "settlements": self.settlements.all(),
            "payments": list(self.payments.values()),
            "wallets": list(self.wallets.values()),
            "topups": self.topups,
            "webhook-endpoints": [],
            "statement": self.charges.statement(),
        }
        return lists[path[-1]]

    def read_ledger(self, path: list[str]) -> Body:
        match path:
            case ["accounts", "merchant_pending:mer_1:GBP"]:
                settled = self.settlements.nets()[True] + self.settlements.fees()
                return {"balance": self.pending - settled - (self.fault == "owes a penny less")}
            case ["accounts", "fees:GBP"] | ["entries", _]:
                return self.settlements.ledger(path)
        if path == ["accounts", "acquirer_receivable:GBP"]:
            return {"balance": -self.owed}
        assert path == ["trial-balance"]
        total = 1 if self.fault == "does not balance" else 0
        return {"balanced": total == 0, "data": [{"currency": "GBP", "total": total}], "entries": 1}

    def page(self, rows: list[Body], query: str) -> Body:
        options = parse_qs(query)
        start, limit = int(options.get("cursor", ["0"])[0]), int(options["limit"][0])
        end = start + limit
        return {"data": rows[start:end], "next_cursor": str(end) if end < len(rows) else None}
