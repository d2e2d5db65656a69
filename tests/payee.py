"""A shop that is paid out: money that is available to it, and its bank accounts at the sandbox bank."""

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from chassis import clock, store
from functions.payouts import table
from functions.payouts.records import StoredPayout, attempt_of
from functions.payouts.shapes import Status
from ledger import accounts, journal
from ledger.accounts import Account
from ledger.posting import Posting, post
from ledger.reasons import Reason
from local.bank.accounts import BY_NAME
from local.system import System
from tests.conftest import Shop, new_key


@dataclass(frozen=True)
class Payee:
    """The shop; this process's `chassis` must be connected to its engine."""

    shop: Shop
    registered: dict[str, str] = field(default_factory=dict)

    @property
    def available(self) -> Account:
        return accounts.merchant_available(self.shop.id, "GBP")

    def settle(self, amount: int) -> None:
        """Make it available, as a settlement would."""
        movement = Posting(
            reason=Reason.NET_SETTLEMENT,
            source=accounts.merchant_pending(self.shop.id, "GBP"),
            target=self.available,
            amount=amount,
            currency="GBP",
            operation=str(uuid.uuid4()),
            at=clock.timestamp(clock.now()),
            reference="settlement",
        )
        store.commit(*post(movement))

    def balance(self) -> tuple[int, int]:
        """What is available, and what is held of it."""
        found = accounts.read(self.available)
        return (found.available, found.held) if found else (0, 0)

    def register(self, **changes: Any) -> httpx.Response:
        """Have the platform register a bank account."""
        body = {"holder_name": "Shop Ltd", "iban": BY_NAME["pays"].iban, "currency": "GBP", **changes}
        path = f"/v1/merchants/{self.shop.id}/bank-accounts"
        return self.shop.platform.post(path, json=body, headers=new_key())

    def account(self, name: str = "pays") -> str:
        """The id of the test bank account of that name, which is registered once."""
        if name not in self.registered:
            answer = self.register(iban=BY_NAME[name].iban)
            assert answer.status_code == 201, answer.text
            self.registered[name] = answer.json()["id"]
        return self.registered[name]

    def pay_out(
        self, amount: int = 1000, name: str = "pays", key: str | None = None, **changes: Any
    ) -> httpx.Response:
        """Ask for a payout to the test bank account of that name."""
        body = {"amount": amount, "currency": "GBP", "bank_account": self.account(name), **changes}
        headers = {"Idempotency-Key": key} if key else new_key()
        return self.shop.http.post("/v1/payouts", json=body, headers=headers)

    def payout(self, payout_id: str) -> dict[str, Any]:
        """A payout, as it is now."""
        found: dict[str, Any] = self.shop.http.get(f"/v1/payouts/{payout_id}").json()
        return found


def waiting() -> list[StoredPayout]:
    """All payouts of which nobody knows whether the bank has taken the order."""
    return [payout for payout in table.everything() if payout.status is Status.PROCESSING]


def paid(system: System) -> dict[str, dict[str, Any]]:
    """Attempt -> the line of the bank's statement, of all that it has paid."""
    lines = list(_statement(str(system.bank_url)))
    found = {line["attempt"]: line for line in lines}
    assert len(found) == len(lines)
    return found


def _statement(url: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = "0"
    with httpx.Client(base_url=url, trust_env=False) as bank:
        while cursor is not None:
            page = bank.get("/statement", params={"limit": 500, "cursor": cursor}).json()
            yield from page["data"]
            cursor = page["next_cursor"]


def stated(system: System) -> dict[str, int]:
    """Attempt -> what the bank says has left for good, of all that has."""
    return {attempt: line["net"] for attempt, line in paid(system).items() if line["net"]}


def banked() -> dict[str, int]:
    """Attempt -> what the journal says has left for good, of all that has."""
    nets: Counter[str] = Counter()
    for item in journal.whole_ledger():
        if journal.is_entry(item) and item["reason"] in {Reason.PAYOUT_PAID, Reason.PAYOUT_RETURN}:
            entry = journal.Entry.model_validate(item)
            bank = str(accounts.bank(entry.currency))
            attempt = attempt_of(entry.reference)
            nets[attempt] += entry.amount * ((entry.target == bank) - (entry.source == bank))
    return {attempt: net for attempt, net in nets.items() if net}
