"""Holds the acquirer and the bank of the simulation to the sandboxes that everything else runs against."""

from pathlib import Path
from random import Random
from typing import Any

from local.acquirer.asked import Authorize, Booked, Capture, Refund
from local.acquirer.book import Book as AcquirersBook
from local.bank.accounts import PAYING
from local.bank.book import Book as BanksBook
from local.bank.book import Order
from local.durable import Conflict
from tests.simulation.acquirer import Acquirer, Reply
from tests.simulation.bank import Bank

STEPS = 400
ASKED: dict[str, type[Booked]] = {"authorize": Authorize, "capture": Capture, "refund": Refund}
CARD = {"number": "4242424242424242", "brand": "visa", "exp_month": 12, "exp_year": 2040}


class TestTheAcquirer:
    """The same questions to both, answered alike."""

    def question(self, chooser: Random) -> tuple[str, dict[str, Any]]:
        verb = chooser.choice(("authorize", "authorize", "capture", "refund", "void", "lookup"))
        attempt = f"att_{verb if verb in ASKED else 'authorize'}_{chooser.randint(1, 12)}"
        asked: dict[str, Any] = {"attempt": attempt}
        if verb == "authorize":
            capture = chooser.random() < 0.5
            asked |= {"card": CARD, "amount": 100, "currency": "GBP", "capture": capture}
        if verb in {"capture", "refund"}:
            charge = f"att_authorize_{chooser.randint(1, 12)}"
            asked |= {"charge": charge, "amount": chooser.choice((30, 100, 130))}
        return verb, asked

    def test_answers_as_the_sandbox_does(self, tmp_path: Path) -> None:
        book = AcquirersBook(tmp_path, late_seconds=1.0)
        acquirer = Acquirer()
        chooser = Random(1)
        outcomes = set()
        for _ in range(STEPS):
            verb, asked = self.question(chooser)
            decline = "do_not_honor" if chooser.random() < 0.2 else None
            ours = self._ours(acquirer, verb, asked, decline)
            theirs = self._theirs(book, verb, asked, decline)
            assert ours == theirs, (verb, asked)
            outcomes.add((verb, str(ours)))
        assert len(outcomes) > 8
        for line in book.statement(0, 1000):
            assert acquirer.attempts[line["attempt"]].net == line["net"]
        book.close()

    def _ours(self, acquirer: Acquirer, verb: str, asked: dict[str, Any], decline: str | None) -> str | None:
        if verb == "lookup":
            return told(acquirer.answer("GET", f"/v1/attempts/{asked['attempt']}", {}, None))
        return told(acquirer.answer("POST", f"/v1/{verb}", asked, decline))

    def _theirs(
        self, book: AcquirersBook, verb: str, asked: dict[str, Any], decline: str | None
    ) -> str | None:
        if verb == "lookup":
            return book.lookup(asked["attempt"])
        if verb == "void":
            return book.void(asked["attempt"])
        try:
            return book.book(ASKED[verb].model_validate(asked).entry(), decline)
        except Conflict:
            return "conflict"


def told(reply: Reply) -> str | None:
    """The outcome in a reply; None when there is nothing of that name."""
    status, said = reply
    if status == 409:
        return "conflict"
    return None if status == 404 else str(said.get("code") or said["outcome"])


def test_the_bank_answers_as_the_sandbox_does(tmp_path: Path) -> None:
    now = [0.0]
    book = BanksBook(tmp_path, delay_seconds=1.0, now=lambda: now[0])
    bank = Bank(lambda: ["paid"])
    chooser = Random(2)
    outcomes = set()
    for _ in range(STEPS):
        attempt = f"att_{chooser.randint(1, 40)}"
        verb = chooser.choice(("pay", "pay", "lookup", "cancel", "wait"))
        decline = "account_closed" if chooser.random() < 0.2 else None
        if verb == "wait":
            bank.work()
            now[0] += 1.0
            continue
        asked = {"attempt": attempt, "amount": 100 + (chooser.random() < 0.1), "currency": "GBP"}
        ours = told(_asked_of_bank(bank, verb, attempt, asked, decline))
        theirs = _asked_of_book(book, verb, attempt, asked, decline)
        assert ours == theirs, (verb, attempt)
        outcomes.add((verb, ours))
    assert len(outcomes) > 6
    lines = [(line["attempt"], line["status"]) for line in book.changes(0, 1000)]
    assert sorted(lines) == sorted((line["attempt"], line["status"]) for line in bank.feed)
    book.close()


def _asked_of_bank(bank: Bank, verb: str, attempt: str, asked: dict[str, Any], decline: str | None) -> Reply:
    match verb:
        case "pay":
            return bank.answer("POST", "/v1/payouts", asked, decline)
        case "cancel":
            return bank.answer("POST", f"/v1/payouts/{attempt}/cancel", {}, None)
    return bank.answer("GET", f"/v1/payouts/{attempt}", {}, None)


def _asked_of_book(
    book: BanksBook, verb: str, attempt: str, asked: dict[str, Any], decline: str | None
) -> str | None:
    match verb:
        case "pay":
            order = Order(attempt, PAYING.name, "0001", asked["amount"], "GBP", content=str(asked))
            try:
                return book.book(order, decline)
            except Conflict:
                return "conflict"
        case "cancel":
            return book.cancel(attempt)
    return book.lookup(attempt)
