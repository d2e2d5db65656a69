"""The way of the shop's money to its bank account: a small payout that is returned, then all there is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

from local.api import Api
from local.bank.accounts import BY_NAME, PAYING, SandboxAccount
from local.demo import statement
from local.demo.claims import Check, differences, pounds
from local.demo.nights import position
from local.demo.player import CURRENCY
from local.demo.waiting import wait_until

RETURNING = BY_NAME["paid_then_returned"]
TRIAL = 100
"""What the shop first pays out, to an account that turns out to be closed."""


@dataclass(frozen=True, slots=True)
class PaidOut:
    """Both payouts as they ended, and what was available after each."""

    trial: dict[str, Any]
    restored: int
    whole: dict[str, Any]
    left: int

    @classmethod
    def all_of(cls, available: int, platform: Api, shop: Api, shop_id: str) -> Self | None:
        """Pay out everything that is available, after a trial; None where that is nothing."""
        if available < TRIAL:
            return None
        old, new = (_register(platform, shop_id, account) for account in (RETURNING, PAYING))
        trial = _pay_out(platform, shop, TRIAL, old, "returned")
        restored = position(shop)[1]
        whole = _pay_out(platform, shop, restored, new, "paid")
        return cls(trial, restored, whole, position(shop)[1])

    def checks(self, earned: int, bank: "Drawn | None") -> Iterator[Check]:
        """That it went as it should, by the system and by the bank; `earned` is what the shop's books say."""
        yield Check(
            f"A payout of {pounds(TRIAL)} that the bank returned is available again, and then "
            f"{pounds(earned)} was paid out: nothing is left",
            differences(
                "what",
                {
                    "became of the first": ("returned", TRIAL),
                    "was available after it": earned,
                    "became of the second": ("paid", earned),
                    "is available now": 0,
                },
                {
                    "became of the first": (self.trial["status"], self.trial["amount"]),
                    "was available after it": self.restored,
                    "became of the second": (self.whole["status"], self.whole["amount"]),
                    "is available now": self.left,
                },
            ),
        )
        if bank:
            yield bank.check(self, earned)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The bank's own statement, and which of its lines are of this telling."""

    bank: Api
    last_line_before: int

    @classmethod
    def begun(cls, bank: Api) -> Self:
        """Remember what is on it already."""
        return cls(bank, statement.last_line(bank))

    def check(self, paid_out: PaidOut, earned: int) -> Check:
        """That each order is on it once, to the right account and with what the shop's books say."""
        lines = [line for line in self.bank.pages(statement.PATH) if line["line"] > self.last_line_before]
        return Check(
            f"The bank's own statement says the same: {pounds(earned)} to the account that ends in "
            f"{PAYING.iban[-4:]}, and {pounds(TRIAL)} to the one in {RETURNING.iban[-4:]} and back",
            differences(
                "the bank's line",
                dict(enumerate([_line(paid_out.trial, TRIAL, 0), _line(paid_out.whole, earned, earned)], 1)),
                dict(enumerate([_figures(line) for line in lines], 1)),
            ),
        )


def _line(payout: dict[str, Any], paid: int, net: int) -> tuple[str, str, int, int]:
    # The bank knows a payout by a name that is made of its id.
    account = PAYING if net else RETURNING
    return payout["id"].removeprefix("po_"), account.iban[-4:], paid, net


def _figures(line: dict[str, Any]) -> tuple[str, str, int, int]:
    return line["attempt"].removeprefix("att_"), line["last4"], line["paid"], line["net"]


def _register(platform: Api, shop_id: str, account: SandboxAccount) -> str:
    body = {"holder_name": "A gift shop", "iban": account.iban, "currency": CURRENCY}
    key = f"demo-{uuid4()}"
    registered: str = platform.post(f"/v1/merchants/{shop_id}/bank-accounts", body, key=key).body["id"]
    return registered


def _pay_out(platform: Api, shop: Api, amount: int, account: str, end: str) -> dict[str, Any]:
    """The payout as it ended, or as it stands when patience is over."""
    body = {"amount": amount, "currency": CURRENCY, "bank_account": account}
    path = f"/v1/payouts/{shop.post('/v1/payouts', body, key=f'payout-to-{account}').body['id']}"
    wait_until(lambda: _has_ended(platform, shop, path, end))
    return shop.get(path)


def _has_ended(platform: Api, shop: Api, path: str, end: str) -> bool:
    """Read the bank's feed now: its schedule would in a minute at the latest."""
    platform.post("/local/runs", {"schedule": "payouts.reconcile"})
    return shop.get(path)["status"] in {end, "failed"}
