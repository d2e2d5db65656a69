"""The acquirer's own statement of what it charged, and whether it and the ledger agree."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from local.api import Api
from local.demo.claims import Check, differences, pounds
from local.demo.ending import Ending

PATH = "/statement"
Figures = tuple[int, int, int, bool]
"""Of one charge: authorized, captured, refunded, and whether it was voided."""


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement, and which of its lines are of this telling."""

    acquirer: Api
    last_line_before: int

    @classmethod
    def begun(cls, acquirer: Api) -> Self:
        """Remember what is on it already, before the first payment."""
        return cls(acquirer, last_line(acquirer))

    def checks(self, ending: Ending, platform: Api, currency: str) -> Iterator[Check]:
        """Everything that can be said of it; amounts are of whole system, owners of this telling."""
        lines = list(self.acquirer.pages(PATH))
        yield _sums(lines, platform, currency)
        yield _owners([line for line in lines if line["line"] > self.last_line_before], ending)


def last_line(stranger: Api) -> int:
    """How far the own statement of an acquirer, or of a bank, has come."""
    return max((line["line"] for line in stranger.pages(PATH)), default=0)


def _sums(lines: list[dict[str, Any]], platform: Api, currency: str) -> Check:
    charged = defaultdict(int, {currency: 0})
    for line in lines:
        charged[line["currency"]] += line["net"]
    owed = {
        code: -platform.get(f"/v1/ledger/accounts/acquirer_receivable:{code}")["balance"] for code in charged
    }
    return Check(
        f"The acquirer's own statement ({len(lines)} charges) and the ledger agree: "
        f"{pounds(charged[currency])} charged to cards and not given back",
        differences("net of", owed, dict(charged)),
    )


def _owners(lines: list[dict[str, Any]], ending: Ending) -> Check:
    of_payments = ending.charges
    seen = Counter(line["attempt"] for line in lines)
    figures = {line["attempt"]: _figures(line) for line in lines}
    paying = {attempt: figures[attempt] for attempt in figures if attempt in of_payments}
    # A top-up shows no attempt, so what no payment owns is counted by its figures.
    others = Counter(figures[attempt] for attempt in figures if attempt not in of_payments)
    topups = Counter((amount, amount, 0, False) for amount in ending.topped_up)
    return Check(
        f"Each of its {len(lines)} charges from these days has one owner that shows the same: "
        f"{len(of_payments)} payments and {topups.total()} top-ups",
        (
            *(f"attempt {attempt}: charged {times} times" for attempt, times in seen.items() if times > 1),
            *differences("charge of payment attempt", of_payments, paying),
            *differences("charges for top-ups, as many of", topups, others),
        ),
    )


def _figures(line: dict[str, Any]) -> Figures:
    return line["authorized"], line["captured"], line["refunded"], line["voided"]
