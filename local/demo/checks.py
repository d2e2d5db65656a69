"""What must be true when the story is over: each figure of the system against one got another way."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.api import Api
from local.demo import hands
from local.demo.claims import Check, differences
from local.demo.ending import Ending
from local.demo.outcome import Outcome
from local.demo.plan import Plan
from local.demo.player import CURRENCY, Played
from local.demo.rollup import await_rolled_up
from local.demo.statement import Statement
from local.demo.steps import Capture, Refund, TopUp


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
    outcome: Outcome | None
    """None where the clock cannot be moved, so that nothing is settled within the story."""

    def checks(self, ending: Ending) -> Iterator[Check]:
        """Every other check, in the order in which the report shows them."""
        await_rolled_up(self.platform)
        yield self._orders(ending)
        yield self._refusals()
        yield self._topups(ending)
        yield self._refunds(ending)
        yield self._statements(ending)
        yield self._balances(ending)
        yield self._file(ending)
        if self.outcome:
            yield from self.outcome.checks(self.plan, self.platform)
        else:
            yield self._pending(ending)
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
