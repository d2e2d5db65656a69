"""What must be true when the story is over: each figure of the system against one got another way."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from local.api import Api
from local.demo.plan import Plan
from local.demo.player import CURRENCY, Played, pay


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
class Ending:
    """The system's own account of the story, read back from the API."""

    payments: dict[str, dict[str, Any]]
    """Order -> payment."""
    wallets: dict[str, dict[str, Any]]
    """Wallet id -> wallet."""

    @property
    def paid(self) -> list[int]:
        """The amounts of the orders that were paid."""
        return self._amounts("captured")

    @property
    def refused(self) -> list[int]:
        """The amounts of the orders that no wallet covered."""
        return self._amounts("failed")

    @property
    def available(self) -> dict[str, int]:
        """Wallet id -> balance."""
        return {wallet: body["available"] for wallet, body in self.wallets.items()}

    def _amounts(self, status: str) -> list[int]:
        return [payment["amount"] for payment in self.payments.values() if payment["status"] == status]


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that the checks compare."""

    plan: Plan
    played: Played
    shop_id: str
    shop: Api
    platform: Api
    data: Path

    def read_ending(self) -> Ending:
        """Read every payment and wallet of the shop."""
        return Ending(
            payments={payment["order_id"]: payment for payment in self.shop.pages("/v1/payments")},
            wallets={wallet["id"]: wallet for wallet in self.shop.pages("/v1/wallets")},
        )

    def replays(self) -> Check:
        """Send a paid and a refused attempt once more; what is read after this must not show it."""
        paid = [payment for payment in self.plan.payments if payment.is_covered]
        refused = [payment for payment in self.plan.payments if not payment.is_covered]
        # One whose wallet could pay again: only then would a second charge succeed, and show.
        tempting = max(
            paid, key=lambda payment: self.plan.balances[payment.row.customer_id] - payment.row.amount
        )
        attempts = [tempting, refused[0]]
        answers = {attempt.row.order_id: pay(self.shop, attempt, self.played.wallets) for attempt in attempts}
        expected = [(HTTPStatus.CREATED, True), (HTTPStatus.PAYMENT_REQUIRED, True)]
        return Check(
            f"Orders {' and '.join(answers)}, sent again, get their first answers: 201 and 402",
            _differences(
                "order",
                dict(zip(answers, expected, strict=True)),
                {order: (answer.status, answer.replayed) for order, answer in answers.items()},
            ),
        )

    def checks(self, ending: Ending) -> Iterator[Check]:
        """Every other check, in the order in which the report shows them."""
        yield self._orders(ending)
        yield self._refusals()
        yield self._statements(ending)
        yield self._expectations(ending)
        yield self._pending(ending)
        yield self._file(ending)
        yield self._trial_balance()

    def _orders(self, ending: Ending) -> Check:
        expected = {
            order: (payment.row.amount, "captured" if payment.is_covered else "failed")
            for order, payment in self.plan.last_attempts.items()
        }
        actual = {order: (paid["amount"], paid["status"]) for order, paid in ending.payments.items()}
        return Check(
            f"Each of {len(expected)} orders is paid exactly when its wallet covers it",
            (*self.played.surprises, *_differences("order", expected, actual)),
        )

    def _refusals(self) -> Check:
        refused = [order for order, payment in self.plan.last_attempts.items() if not payment.is_covered]
        stored = {order: self.shop.get(f"/v1/payments/{order}") for order in refused}
        actual = {order: (payment["status"], payment["failure_code"]) for order, payment in stored.items()}
        return Check(
            f"The {len(refused)} refused orders are stored as failed, for insufficient_funds",
            _differences("order", dict.fromkeys(refused, ("failed", "insufficient_funds")), actual),
        )

    def _statements(self, ending: Ending) -> Check:
        entries = 0
        sums = dict.fromkeys(ending.wallets, 0)
        for wallet in ending.wallets:
            for entry in self.shop.pages(f"/v1/wallets/{wallet}/entries"):
                entries += 1
                sums[wallet] += entry["amount"] if entry["direction"] == "credit" else -entry["amount"]
        return Check(
            f"Each of {len(sums)} wallets holds the sum of its statement ({entries} entries)",
            _differences("wallet", sums, ending.available),
        )

    def _expectations(self, ending: Ending) -> Check:
        wallets = self.played.wallets
        expected = {wallets[customer]: balance for customer, balance in self.plan.balances.items()}
        return Check(
            "Each wallet holds what the shop's own books say",
            _differences("wallet", expected, ending.available),
        )

    def _pending(self, ending: Ending) -> Check:
        account = self.shop.get(f"/v1/ledger/accounts/merchant_pending:{self.shop_id}:{CURRENCY}")
        return Check(
            "The shop's pending balance is the sum of the paid orders",
            _differences("account", {"pending": sum(ending.paid)}, {"pending": account["balance"]}),
        )

    def _file(self, ending: Ending) -> Check:
        """The file is read by itself here, so that an error of the plan cannot hide itself."""
        with self.data.open(newline="", encoding="utf-8") as file:
            amounts = [int(row["amount_minor"]) for row in csv.DictReader(file)]
        waiting = [row.amount for row in (*self.plan.guests, *self.plan.refunds)]
        counted = [*ending.paid, *ending.refused, *waiting]
        return Check(
            f"Paid, refused and waiting together are the file's own {len(amounts)} rows and their sum",
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
