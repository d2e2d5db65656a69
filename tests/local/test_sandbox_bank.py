"""The sandbox bank: each test account does what it is documented to do, and the book forgets nothing."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import stdnum.iban

from chassis.auth import BankAccount
from chassis.outside import NotFound, Outside, Unknown
from functions.payouts import gateway
from functions.payouts.records import Accepted, Outcome, Refused, StoredPayout
from functions.payouts.shapes import FailureCode, Status
from local import process
from local.bank.accounts import ACCOUNTS, BY_NAME
from local.bank.book import Book, Order
from local.durable import Conflict
from local.ports import LOOPBACK, answers, free_port
from local.process import Logs

DOCUMENT = Path(__file__).parents[2] / "docs/test-bank-accounts.md"
ACCEPTED, UNKNOWN, NOT_FOUND = Accepted(), Unknown(), NotFound()
CLOSED, CANCELED = Refused(FailureCode.ACCOUNT_CLOSED), Refused(FailureCode.PROCESSING_ERROR)
DELAY_SECONDS = 10.0
numbers = itertools.count()


def payout(amount: int = 1000) -> StoredPayout:
    attempt = f"att_{next(numbers)}"
    return StoredPayout(
        id=attempt,
        merchant_id="mer",
        status=Status.PROCESSING,
        amount=amount,
        currency="GBP",
        bank_account="ba",
        attempt_id=attempt,
        fingerprint="",
        resolve_at="",
        created_at="",
        updated_at="",
    )


def account(name: str) -> BankAccount:
    return BankAccount(holder_name="Shop", iban=BY_NAME[name].iban, currency="GBP")


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run one with its book in that folder; it is killed in the end, as a machine may be."""
    port = free_port()
    options = ["--slow-seconds", "0.2", "--delay-seconds", "0"]
    child = process.start(
        "The bank",
        ["local.bank", "--port", str(port), "--state", str(folder), *options],
        {},
        Logs.together(folder.with_suffix(".log")),
    )
    url = f"http://{LOOPBACK}:{port}"
    try:
        child.await_until(lambda: answers(url, "/health"), 30)
        yield url
    finally:
        child.kill()


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address; what payouts ask goes there."""
    with serving(tmp_path_factory.mktemp("bank") / "book") as url, pytest.MonkeyPatch.context() as patched:
        outside = Outside(url, 0.5, 1.0)
        patched.setattr(gateway, "_bank", lambda: outside)
        yield url


def statement(url: str, limit: int = 100) -> dict[str, int]:
    """Attempt -> what has left for good, page by page."""
    lines: list[dict[str, Any]] = []
    cursor: str | None = "0"
    while cursor is not None:
        page = httpx.get(f"{url}/statement", params={"limit": limit, "cursor": cursor}).json()
        assert len(page["data"]) <= limit
        lines += page["data"]
        cursor = page["next_cursor"]
    return {line["attempt"]: line["net"] for line in lines}


def told(attempt: str) -> list[str]:
    """What the feed says of an order."""
    after = 0
    statuses: list[str] = []
    while lines := gateway.changes_after(after):
        after = lines[-1].line
        statuses += [line.status for line in lines if line.attempt == attempt and line.status]
    return statuses


PAYOUTS: list[tuple[str, Outcome, Outcome | NotFound, list[str], int | None]] = [
    ("pays", ACCEPTED, ACCEPTED, ["paid"], 1000),
    ("account_closed", CLOSED, CLOSED, [], None),
    ("accepted_silently", UNKNOWN, ACCEPTED, ["paid"], 1000),
    ("silent", UNKNOWN, NOT_FOUND, [], None),
    ("returned", ACCEPTED, ACCEPTED, ["returned"], None),
    ("paid_then_returned", ACCEPTED, ACCEPTED, ["paid", "returned"], 0),
    ("errors", UNKNOWN, NOT_FOUND, [], None),
    ("slow", ACCEPTED, ACCEPTED, ["paid"], 1000),
]


@pytest.mark.parametrize(("name", "outcome", "found", "changes", "net"), PAYOUTS)
def test_a_payout(
    bank: str,
    *,
    name: str,
    outcome: Outcome,
    found: Outcome | NotFound,
    changes: list[str],
    net: int | None,
) -> None:
    order = payout()
    with ThreadPoolExecutor(8) as threads:  # under one attempt id, however often it is asked
        outcomes = set(threads.map(lambda _: gateway.submit(order, account(name)), range(8)))
    assert outcomes <= {outcome, UNKNOWN}
    assert gateway.find_out(order) == found
    assert told(order.attempt_id) == changes
    assert statement(bank).get(order.attempt_id) == net


def test_every_account_is_shown_here_and_documented() -> None:
    text = DOCUMENT.read_text()
    assert {each.name for each in ACCOUNTS} == {name for name, *_ in PAYOUTS}
    for each in ACCOUNTS:
        assert f"| {stdnum.iban.format(stdnum.iban.validate(each.iban))} | {each.does} |" in text


def test_the_same_id_for_another_order_is_refused(bank: str) -> None:
    order = payout()
    assert gateway.submit(order, account("pays")) == ACCEPTED
    assert gateway.submit(order, account("pays")) == ACCEPTED
    assert gateway.submit(order.model_copy(update={"amount": 1}), account("pays")) == UNKNOWN
    assert gateway.submit(order, account("slow")) == UNKNOWN
    assert statement(bank)[order.attempt_id] == 1000


def test_an_id_that_was_cancelled_unseen_is_refused_for_ever(bank: str) -> None:
    order = payout()
    assert gateway.give_up(order) == CANCELED
    assert gateway.give_up(order) == CANCELED
    assert gateway.submit(order, account("pays")) == CANCELED
    assert gateway.find_out(order) == CANCELED
    assert told(order.attempt_id) == []


def test_what_has_left_cannot_be_cancelled(bank: str) -> None:
    order = payout()
    gateway.submit(order, account("pays"))
    assert gateway.give_up(order) == ACCEPTED
    assert gateway.submit(payout(), account("account_closed")) == CLOSED


def test_what_cannot_be_read_is_refused_without_quoting_it(bank: str) -> None:
    iban = BY_NAME["pays"].iban
    for asked in ({"attempt": "a", "iban": f"{iban}-"}, {iban: 1}, [iban], iban):
        answer = httpx.post(f"{bank}/v1/payouts", json=asked)
        assert answer.status_code == 422
        assert iban not in answer.text
    for path in ("/", "/v1/payouts", "/v1/payouts/a/b", "/v1/payouts/a/cancel"):
        assert httpx.get(bank + path).status_code == 404


def test_feed_and_statement_in_pages(bank: str) -> None:
    for _ in range(5):
        gateway.submit(payout(), account("pays"))
    assert statement(bank, limit=2) == statement(bank)
    first = httpx.get(f"{bank}/v1/changes?after=0&limit=3").json()["data"]
    rest = httpx.get(f"{bank}/v1/changes?after={first[-1]['line']}&limit=500").json()["data"]
    lines = [line["line"] for line in [*first, *rest]]
    assert len(first) == 3
    assert lines == sorted(set(lines))
    assert {line["status"] for line in [*first, *rest]} <= {"paid", "returned"}


def test_no_iban_is_kept_and_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    iban = "GB33BUKB20201555555555"
    asked = {"attempt": "a", "iban": iban, "holder_name": "Ada", "amount": 5, "currency": "GBP"}
    with serving(tmp_path / "book") as url:
        assert httpx.post(f"{url}/v1/payouts", json=asked).json() == {"outcome": "accepted"}
        lines = httpx.get(f"{url}/v1/changes").json()["data"]
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"5555" in kept
    assert iban.encode() not in kept
    assert b"Ada" not in kept
    with serving(tmp_path / "book") as url:
        assert httpx.get(f"{url}/v1/changes").json()["data"] == lines
        assert statement(url) == {"a": 5}


class Clock:
    """A time that stands still unless moved."""

    seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def order(attempt: str, name: str = "pays", content: str = "") -> Order:
    return Order(attempt, name, "0001", 1000, "GBP", content)


def test_in_the_book_everything_takes_its_time(tmp_path: Path) -> None:
    clock = Clock()
    book = Book(tmp_path, DELAY_SECONDS, clock)
    book.book(order("a", "paid_then_returned"), None)
    book.book(order("b"), None)
    assert book.changes(0, 9) == []
    clock.seconds += DELAY_SECONDS
    assert [(line["attempt"], line["status"]) for line in book.changes(0, 9)] == [
        ("a", "paid"),
        ("b", "paid"),
    ]
    assert [line["net"] for line in book.statement(0, 9)] == [1000, 1000]
    clock.seconds += 100 * DELAY_SECONDS
    assert [(line["attempt"], line["status"]) for line in book.changes(2, 9)] == [("a", "returned")]
    assert [line["net"] for line in book.statement(0, 9)] == [0, 1000]
    book.close()


def test_in_the_book_what_waits_can_be_cancelled(tmp_path: Path) -> None:
    clock = Clock()
    book = Book(tmp_path, DELAY_SECONDS, clock)
    assert book.book(order("a"), None) == "accepted"
    assert book.cancel("a") == "canceled"
    with pytest.raises(Conflict):
        book.book(order("a", content="other"), None)
    clock.seconds += 100 * DELAY_SECONDS
    assert book.changes(0, 9) == []
    assert (book.lookup("a"), book.lookup("b")) == ("canceled", None)
    book.close()
