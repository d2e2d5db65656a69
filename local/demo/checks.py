"""What must be true when the story is over: each figure of the system against one got another way."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from local.api import Api
from local.demo import hands
from local.demo.claims import Check, differences
from local.demo.ending import Ending
from local.demo.plan import Plan
from local.demo.player import CURRENCY, Played, expected_status, perform
from local.demo.statement import Statement
from local.demo.steps import Cancellation, Capture, Payment, Refund, Step, TopUp


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that the checks compare."""

    plan: Plan
    played: Played
    shop_id: str
    shop: Api
    platform: Api
    data: Path
    statement: Statement | None
    """None where nobody said where the acquirer is."""

    def replays(self) -> Check:
        """Send one step of each kind once more; what is read after this must not show it."""
        steps = self._tempting_steps()
        answers = {name: perform(self.shop, step, self.played) for name, step in steps.items()}
        return Check(
            f"Sent again, {_listed(list(steps))} get their first answers",
            (
                *differences(
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
        paid = [payment for payment in plan.all(Payment) if not payment.refusal]
        steps: dict[str, Step] = {}
        from_wallets = [payment for payment in paid if payment.card is None]
        if from_wallets:
            richest = max(
                from_wallets,
                key=lambda paid: plan.balances[paid.row.customer_id].available - paid.row.amount,
            )
            steps[f"payment {richest.row.order_id}"] = richest
        for by_card in [payment for payment in paid if payment.card][:1]:
            steps[f"card payment {by_card.row.order_id}"] = by_card
        for refused in plan.refused[:1]:
            steps[f"refusal {refused.row.order_id}"] = refused
        for topup in [topup for topup in plan.all(TopUp) if not topup.refusal][:1]:
            steps[f"top-up for {topup.order_id}"] = topup
        for capture in plan.all(Capture)[:1]:
            steps[f"capture {capture.row.order_id}"] = capture
        for cancellation in plan.all(Cancellation)[:1]:
            steps[f"cancellation {cancellation.row.order_id}"] = cancellation
        for refund in {refund.to_card: refund for refund in plan.all(Refund)}.values():
            steps[f"refund {refund.row.refund_of}"] = refund
        return steps

    def checks(self, ending: Ending) -> Iterator[Check]:
        """Every other check, in the order in which the report shows them."""
        yield self._orders(ending)
        yield self._refusals()
        yield self._topups(ending)
        yield self._refunds(ending)
        yield self._statements(ending)
        yield self._balances(ending)
        yield self._pending(ending)
        yield self._file(ending)
        yield self._trial_balance()
        if self.statement:
            yield from self.statement.checks(ending, self.platform, CURRENCY)

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
            (*self.played.surprises, *differences("order", expected, actual)),
        )

    def _refusals(self) -> Check:
        expected = {payment.row.order_id: ("failed", payment.refusal) for payment in self.plan.refused}
        stored = {order: self.shop.get(f"/v1/payments/{order}") for order in expected}
        actual = {order: (payment["status"], payment["failure_code"]) for order, payment in stored.items()}
        return Check(
            f"The {len(expected)} refused orders are stored as failed, each for the reason it should be",
            differences("order", expected, actual),
        )

    def _topups(self, ending: Ending) -> Check:
        planned = Counter((topup.amount, topup.refusal) for topup in self.plan.all(TopUp))
        actual = Counter((topup["amount"], topup["failure_code"]) for topup in ending.topups)
        return Check(
            f"Of {planned.total()} top-ups {len(ending.topped_up)} succeeded; "
            "the others' cards were declined, each for the reason it should be",
            differences("top-ups, as many of", planned, actual),
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
            (*differences("order", dict(expected), ending.refunds), *too_much),
        )

    def _statements(self, ending: Ending) -> Check:
        def statement(wallet: str) -> list[int]:
            return [
                entry["amount"] if entry["direction"] == "credit" else -entry["amount"]
                for entry in self.shop.pages(f"/v1/wallets/{wallet}/entries")
            ]

        statements = dict(zip(ending.wallets, hands.each(statement, ending.wallets), strict=True))
        sums = {wallet: sum(entries) for wallet, entries in statements.items()}
        entries = sum(map(len, statements.values()))
        totals = {wallet: balance.available + balance.held for wallet, balance in ending.balances.items()}
        return Check(
            f"Each of {len(sums)} wallets holds the sum of its statement ({entries} entries)",
            differences("wallet", sums, totals),
        )

    def _balances(self, ending: Ending) -> Check:
        wallets = self.played.wallets
        expected = {wallets[customer]: balance for customer, balance in self.plan.balances.items()}
        return Check(
            "Each wallet has available and held what the shop's own books say",
            differences("wallet", expected, ending.balances),
        )

    def _pending(self, ending: Ending) -> Check:
        account = self.shop.get(f"/v1/ledger/accounts/merchant_pending:{self.shop_id}:{CURRENCY}")
        kept = sum(ending.captured) - sum(ending.refunded)
        return Check(
            "The shop's pending balance is what was captured less what was refunded",
            differences("account", {"pending": kept}, {"pending": account["balance"]}),
        )

    def _file(self, ending: Ending) -> Check:
        """The file is read by itself here, so that an error of the plan cannot hide itself."""
        with self.data.open(newline="", encoding="utf-8") as file:
            amounts = [int(row["amount_minor"]) for row in csv.DictReader(file)]
        plan = self.plan
        left_out = [row for capture in plan.all(Capture) for row in capture.left_out]
        others = [row.amount for row in (*left_out, *plan.coming, *plan.not_applied)]
        counted = [*ending.amounts, *ending.refunded, *others]
        return Check(
            f"The table's orders and refunds are the file's own {len(amounts)} rows and their sum",
            differences(
                "file",
                {"rows": len(amounts), "sum": sum(amounts)},
                {"rows": len(counted), "sum": sum(counted)},
            ),
        )

    def _trial_balance(self) -> Check:
        balance = self.platform.get("/v1/ledger/trial-balance")
        totals = {row["currency"]: row["total"] for row in balance["data"]}
        contradictions = differences("currency", dict.fromkeys(totals, 0) | {CURRENCY: 0}, totals)
        if not balance["balanced"] and not contradictions:
            contradictions = ("the system calls itself unbalanced",)
        return Check(f"The trial balance is zero, over {balance['entries']} ledger entries", contradictions)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
