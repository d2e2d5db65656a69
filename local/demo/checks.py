"""What must be true when the story is over: each figure of the system against one got another way."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from local.api import Api
from local.demo.ending import Ending
from local.demo.plan import Plan
from local.demo.player import CURRENCY, Played, expected_status, perform
from local.demo.steps import Cancellation, Capture, Payment, Refund, Step


@dataclass(frozen=True, slots=True)
class Check:
    """A claim, and what contradicts it: nothing, when it holds."""

    claim: str
    contradictions: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the claim is true."""
        return not self.contradictions


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that the checks compare."""

    plan: Plan
    played: Played
    shop_id: str
    shop: Api
    platform: Api
    data: Path

    def replays(self) -> Check:
        """Send one step of each kind once more; what is read after this must not show it."""
        steps = self._tempting_steps()
        answers = {name: perform(self.shop, step, self.played.wallets) for name, step in steps.items()}
        return Check(
            f"Sent again, {_listed(list(steps))} get their first answers",
            (
                *_differences(
                    "status of",
                    {name: expected_status(step) for name, step in steps.items()},
                    {name: HTTPStatus(answer.status) for name, answer in answers.items()},
                ),
                *(f"{name}: it was done anew" for name, answer in answers.items() if not answer.replayed),
            ),
        )

    def _tempting_steps(self) -> dict[str, Step]:
        """Of each kind one that could succeed again: only then would a second effect show."""
        plan = self.plan
        paid = [payment for payment in plan.all(Payment) if payment.is_covered]
        richest = max(
            paid, key=lambda payment: plan.balances[payment.row.customer_id].available - payment.row.amount
        )
        steps: dict[str, Step] = {f"payment {richest.row.order_id}": richest}
        for refused in plan.refused[:1]:
            steps[f"refusal {refused.row.order_id}"] = refused
        for capture in plan.all(Capture)[:1]:
            steps[f"capture {capture.row.order_id}"] = capture
        for cancellation in plan.all(Cancellation)[:1]:
            steps[f"cancellation {cancellation.row.order_id}"] = cancellation
        for refund in plan.all(Refund)[:1]:
            steps[f"refund {refund.row.refund_of}"] = refund
        return steps

    def checks(self, ending: Ending) -> Iterator[Check]:
        """Every other check, in the order in which the report shows them."""
        yield self._orders(ending)
        yield self._refusals()
        yield self._refunds(ending)
        yield self._statements(ending)
        yield self._balances(ending)
        yield self._pending(ending)
        yield self._file(ending)
        yield self._trial_balance()

    def _orders(self, ending: Ending) -> Check:
        expected = {
            order_id: (order.row.amount, order.status, order.captured, order.refunded)
            for order_id, order in self.plan.orders.items()
        }
        actual = {
            order_id: (payment["amount"], payment["status"], payment["captured"], payment["refunded"])
            for order_id, payment in ending.payments.items()
        }
        return Check(
            f"Each of {len(expected)} orders stands where the shop's own books have it",
            (*self.played.surprises, *_differences("order", expected, actual)),
        )

    def _refusals(self) -> Check:
        refused = [payment.row.order_id for payment in self.plan.refused]
        stored = {order: self.shop.get(f"/v1/payments/{order}") for order in refused}
        actual = {order: (payment["status"], payment["failure_code"]) for order, payment in stored.items()}
        return Check(
            f"The {len(refused)} refused orders are stored as failed, for insufficient_funds",
            _differences("order", dict.fromkeys(refused, ("failed", "insufficient_funds")), actual),
        )

    def _refunds(self, ending: Ending) -> Check:
        expected: dict[str, list[int]] = defaultdict(list)
        for refund in self.plan.all(Refund):
            # Lists are newest first.
            expected[refund.row.refund_of].insert(0, refund.row.amount)
        too_much = (
            f"order {order_id}: {payment['refunded']} of {payment['captured']} of {payment['amount']}"
            for order_id, payment in ending.payments.items()
            if not payment["refunded"] <= payment["captured"] <= payment["amount"]
        )
        return Check(
            f"The {len(ending.refunded)} refunds are the file's own; no order gave back more than it took",
            (*_differences("order", dict(expected), ending.refunds), *too_much),
        )

    def _statements(self, ending: Ending) -> Check:
        entries = 0
        sums = dict.fromkeys(ending.wallets, 0)
        for wallet in ending.wallets:
            for entry in self.shop.pages(f"/v1/wallets/{wallet}/entries"):
                entries += 1
                sums[wallet] += entry["amount"] if entry["direction"] == "credit" else -entry["amount"]
        totals = {wallet: balance.available + balance.held for wallet, balance in ending.balances.items()}
        return Check(
            f"Each of {len(sums)} wallets holds the sum of its statement ({entries} entries)",
            _differences("wallet", sums, totals),
        )

    def _balances(self, ending: Ending) -> Check:
        wallets = self.played.wallets
        expected = {wallets[customer]: balance for customer, balance in self.plan.balances.items()}
        return Check(
            "Each wallet has available and held what the shop's own books say",
            _differences("wallet", expected, ending.balances),
        )

    def _pending(self, ending: Ending) -> Check:
        account = self.shop.get(f"/v1/ledger/accounts/merchant_pending:{self.shop_id}:{CURRENCY}")
        kept = sum(ending.captured) - sum(ending.refunded)
        return Check(
            "The shop's pending balance is what was captured less what was refunded",
            _differences("account", {"pending": kept}, {"pending": account["balance"]}),
        )

    def _file(self, ending: Ending) -> Check:
        """The file is read by itself here, so that an error of the plan cannot hide itself."""
        with self.data.open(newline="", encoding="utf-8") as file:
            amounts = [int(row["amount_minor"]) for row in csv.DictReader(file)]
        plan = self.plan
        left_out = [row for capture in plan.all(Capture) for row in capture.left_out]
        others = [row.amount for row in (*plan.guests, *left_out, *plan.coming, *plan.not_applied)]
        counted = [*ending.amounts, *ending.refunded, *others]
        return Check(
            f"The table's orders and refunds are the file's own {len(amounts)} rows and their sum",
            _differences(
                "file",
                {"rows": len(amounts), "sum": sum(amounts)},
                {"rows": len(counted), "sum": sum(counted)},
            ),
        )

    def _trial_balance(self) -> Check:
        balance = self.platform.get("/v1/ledger/trial-balance")
        totals = {row["currency"]: row["total"] for row in balance["data"]}
        contradictions = _differences("currency", dict.fromkeys(totals, 0) | {CURRENCY: 0}, totals)
        if not balance["balanced"] and not contradictions:
            contradictions = ("the system calls itself unbalanced",)
        return Check(f"The trial balance is zero, over {balance['entries']} ledger entries", contradictions)


def _differences(what: str, expected: dict[Any, Any], actual: dict[Any, Any]) -> tuple[str, ...]:
    return tuple(
        f"{what} {name}: {actual.get(name, 'missing')} instead of {expected.get(name, 'nothing')}"
        for name in (expected | actual)
        if expected.get(name) != actual.get(name)
    )


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
