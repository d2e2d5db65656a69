"""A bank in memory behind the API's shapes, which can be told to get a single thing wrong."""

import json
from collections import defaultdict
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import httpx

from local.api import Api

Body = dict[str, Any]


class Bank:
    """As little of Tael as the demo needs to run in a fraction of a second."""

    def __init__(self, fault: str | None = None) -> None:
        self.fault = fault
        self.wallets: dict[str, Body] = {}
        self.entries: dict[str, list[Body]] = defaultdict(list)
        self.payments: dict[str, Body] = {}
        self.refunds: dict[str, list[Body]] = defaultdict(list)
        self.answers: dict[str, tuple[int, Body]] = {}
        self.pending = 0
        self.requests: list[httpx.Request] = []

    def api(self) -> Api:
        return Api("http://bank", "key", httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path.removeprefix("/v1/").split("/")
        if request.method == "GET":
            return httpx.Response(200, json=self.read(path, request.url.query.decode()))
        key = request.headers.get("Idempotency-Key", request.url.path)
        known = key in self.answers and self.fault != "charges twice"
        if not known:
            self.answers[key] = self.act(path, json.loads(request.content or "{}"))
        status, body = self.answers[key]
        return httpx.Response(status, json=body, headers={"Idempotent-Replayed": "true"} if known else {})

    def act(self, path: list[str], body: Body) -> tuple[int, Body]:
        match path:
            case ["merchants"]:
                return 201, {"id": "mer_1", "api_key": {"id": "key_1", "key": "sk_1"}}
            case ["wallets"]:
                wallet: Body = {"id": f"wal_{len(self.wallets)}", "available": 0, "held": 0}
                self.wallets[wallet["id"]] = wallet
                return 201, wallet
            case ["wallets", wallet_id, "deposits"]:
                self.move(None, wallet_id, body["amount"])
                return 201, {"id": "dep_1"}
            case ["transfers"]:
                self.move(body["from_wallet"], body["to_wallet"], body["amount"])
                return 201, {"id": "trf_1"}
            case ["payments", order_id]:
                return self.pay(order_id, body)
            case ["payments", order_id, verb]:
                return self.change(self.payments[order_id], verb, body)
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
        wallet = self.wallets[body["source"]["wallet"]]
        payment: Body = {
            "order_id": order_id,
            "wallet": wallet["id"],
            "amount": body["amount"],
            "capture": body["capture"],
            "status": "authorized",
            "captured": 0,
            "refunded": 0,
            "failure_code": None,
        }
        self.payments[order_id] = payment
        if wallet["available"] < body["amount"] and self.fault != "pays anything":
            payment |= {"status": "failed", "failure_code": "insufficient_funds"}
            if self.fault == "forgets why":
                payment["failure_code"] = None
            if self.fault == "forgets refusals":
                del self.payments[order_id]
            return 402, {"title": "No", "detail": "No.", "code": "insufficient_funds"}
        self.hold(payment)
        if body["capture"] == "automatic" or self.fault == "captures at once":
            self.capture(payment, body["amount"])
        return 201, payment

    def hold(self, payment: Body) -> None:
        wallet = self.wallets[payment["wallet"]]
        wallet["available"] -= payment["amount"]
        wallet["held"] += payment["amount"]

    def release(self, payment: Body) -> None:
        wallet = self.wallets[payment["wallet"]]
        wallet["available"] += payment["amount"]
        wallet["held"] -= payment["amount"]

    def capture(self, payment: Body, amount: int) -> Body:
        if self.fault == "captures all":
            amount = payment["amount"]
        self.release(payment)
        self.move(payment["wallet"], None, amount)
        self.pending += amount
        if self.fault == "keeps the rest" and amount < payment["amount"]:
            self.hold(payment | {"amount": payment["amount"] - amount})
        return self.put(payment, status="captured", captured=amount)

    def cancel(self, payment: Body) -> Body:
        if self.fault != "cancels and keeps":
            self.release(payment)
        return self.put(payment, status="canceled")

    def refund(self, payment: Body, amount: int) -> Body:
        if self.fault != "takes a refund back":
            self.move(None, payment["wallet"], amount)
        self.pending -= amount
        if self.fault != "hides refunds":
            self.refunds[payment["order_id"]].insert(0, {"amount": amount})
        refunded = (
            payment["captured"] + 1 if self.fault == "refunds too much" else amount + payment["refunded"]
        )
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
        if path[0] == "ledger":
            return self.read_ledger(path[1:])
        match path:
            case ["payments"]:
                return self.page(list(self.payments.values()), query)
            case ["payments", order_id]:
                return self.payments.get(order_id, {"status": "unknown", "failure_code": None})
            case ["payments", order_id, "refunds"]:
                return self.page(self.refunds[order_id], query)
            case ["wallets"]:
                return self.page(list(self.wallets.values()), query)
            case ["wallets", wallet_id, "entries"]:
                first = 1 if self.fault == "loses an entry" and wallet_id == "wal_0" else 0
                return self.page(self.entries[wallet_id][first:], query)
        raise AssertionError(path)

    def read_ledger(self, path: list[str]) -> Body:
        if path == ["accounts", "merchant_pending:mer_1:GBP"]:
            return {"balance": self.pending - (self.fault == "owes a penny less")}
        assert path == ["trial-balance"]
        total = 1 if self.fault == "does not balance" else 0
        return {"balanced": total == 0, "data": [{"currency": "GBP", "total": total}], "entries": 1}

    def page(self, rows: list[Body], query: str) -> Body:
        options = parse_qs(query)
        start, limit = int(options.get("cursor", ["0"])[0]), int(options["limit"][0])
        end = start + limit
        return {"data": rows[start:end], "next_cursor": str(end) if end < len(rows) else None}


def problem(status: HTTPStatus, **members: Any) -> httpx.MockTransport:
    """An API that refuses everything."""
    return httpx.MockTransport(lambda request: httpx.Response(status, json=members))
