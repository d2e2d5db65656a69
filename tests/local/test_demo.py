"""The demo told: its playing, its report, and that it notices when something doesn't add up."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from local.api import Api
from local.demo import story, waiting
from local.demo.cards import is_by_card
from local.demo.claims import pounds
from local.demo.rows import DATA, read_rows
from local.demo.stage import Stage
from local.errors import LocalError
from local.system import running
from tests.local.bank import Bank

OF_NIGHTS = 8
"""Checks that take the place of one where the clock can be moved."""
CHECKS = 11 + OF_NIGHTS
STAGE = Stage("http://bank", "key", "http://bank", "http://sandbox-bank")
FIRST_HOURS = 70
"""Rows until the first parcels have left, one of them given up."""
NARROW = 80
"""Columns of many a terminal: a table that is wider loses digits there."""
SECOND_AFTERNOON = "2010-12-02T15"
"""Each night costs seconds, for a queue gathers what is to be settled."""
IMPATIENT = {
    "TAEL_ACQUIRER_TRY_SECONDS": "2",
    "TAEL_ACQUIRER_TOTAL_SECONDS": "2",
    "TAEL_RESOLVE_SECONDS": "3",
}
NEED_NO_KEY = ("/deposits", "/capture", "/cancel", "/local/clock", "/local/runs")


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def excerpt(tmp_path: Path) -> Path:
    """The first hours of the shop, and what was refunded: each check has something to look at."""
    heading, *lines = DATA.read_text().splitlines(keepends=True)
    rows = read_rows(DATA)
    refunded = {row.refund_of for row in rows if row.refund_of}
    kept = [
        line
        for number, (line, row) in enumerate(zip(lines, rows, strict=True))
        if number < FIRST_HOURS or is_by_card(row) or row.refund_of or row.order_id in refunded
    ]
    path = tmp_path / "excerpt.csv"
    path.write_text("".join([heading, *kept]))
    return path


@contextmanager
def telling(monkeypatch: pytest.MonkeyPatch, bank: Bank) -> Iterator[None]:
    monkeypatch.setattr(story, "Api", lambda url, key: bank.api(url))
    yield


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_story_adds_up(monkeypatch: pytest.MonkeyPatch, console: Console, tmp_path: Path) -> None:
    bank, folder = Bank(), tmp_path / "build" / "settlements"
    with telling(monkeypatch, bank):
        story.tell(console, STAGE, csv=folder)

    text = printed(console)
    assert "✗" not in text
    assert text.count("✓") == CHECKS
    assert "Every penny is accounted for." in text
    rows = [line.split("│")[1:-1] for line in text.splitlines() if "│" in line]
    figures = {label.strip(): tuple(figure.strip() for figure in others) for label, *others in rows}
    assert figures["orders"] == ("424", "£184,248.33")
    assert figures["captured at once from a card"] == ("52", "£17,815.30")
    assert figures["held on a card, captured when they left"][0] == "17"
    assert figures["held on a card, cancelled"][0] == "2"
    assert figures["held, leaving tomorrow"][0] == "4"
    assert figures["refused: too little in the wallet"][0] == "23"
    assert figures["refused: card declined"][0] == "5"
    assert figures["refunds"] == ("43", "£3,580.58")
    assert figures["refunded to the wallet"][0] == "4"
    assert figures["refunded to the card"][0] == "2"
    assert (figures["topped up from cards"][0], figures["top-ups declined"][0]) == ("14", "4")
    assert figures["due from the acquirer, refunds taken off"] == ("", pounds(bank.owed))
    assert figures["cancelled in time, not captured"][0] == "3"
    assert figures["due to the shop, before fees"] == ("", pounds(bank.pending))
    assert figures["05 Jan"] == ("4", "£2,855.25", "£0.00", "£43.64", "£2,811.61", "released")
    assert figures["all"] == ("385", "£164,966.72", "£125.45", "£2,551.56", "£162,289.71", "")
    assert max(len(line.rstrip()) for line in text.splitlines() if "│" in line) <= NARROW
    assert "5 settlements were written as CSV to" in text
    assert sorted(path.name for path in folder.iterdir()) == [
        f"2026-01-0{day}-stl_2026-01-0{day}.csv" for day in range(2, 7)
    ]
    files = [csv.DictReader(path.read_text().splitlines()) for path in folder.iterdir()]
    assert sum(int(line["net"]) for file in files for line in file) == 16_228_971


def test_two_days_of_the_story_add_up_on_a_real_system(
    tmp_path: Path, console: Console, excerpt: Path
) -> None:
    heading, *lines = excerpt.read_text().splitlines(keepends=True)
    excerpt.write_text("".join([heading, *(line for line in lines if line < SECOND_AFTERNOON)]))
    with running(tmp_path / "state", settings=IMPATIENT) as system:
        stage = Stage(system.url, system.platform_key, system.acquirer_url, system.bank_url)
        story.tell(console, stage, data=excerpt)
    text = printed(console)
    assert "events arrived at the shop's webhook endpoint" in text
    assert "Every penny is accounted for." in text


def test_every_creation_is_repeatable(
    monkeypatch: pytest.MonkeyPatch, console: Console, excerpt: Path
) -> None:
    bank = Bank()
    with telling(monkeypatch, bank):
        story.tell(console, STAGE, data=excerpt)

    bodies = defaultdict(set)
    for request in bank.requests:
        if request.method == "POST" and not request.url.path.endswith(NEED_NO_KEY):
            bodies[request.headers["Idempotency-Key"]].add((request.url.path, request.content))
    assert {len(sent) for sent in bodies.values()} == {1}


@pytest.mark.parametrize(
    ("fault", "claim"),
    [
        ("pays anything", "the shop's own books have it"),
        ("forgets refusals", "the shop's own books have it"),
        ("captures at once", "the shop's own books have it"),
        ("captures all", "the shop's own books have it"),
        ("forgets why", "are stored as failed"),
        ("charges twice", "Sent again"),
        ("loses an entry", "the sum of its statement"),
        ("hides refunds", "the file's own; no order"),
        ("refunds too much", "no order gave back more than it took"),
        ("owes a penny less", "nothing is pending"),
        ("takes a refund back", "available and held"),
        ("keeps the rest", "available and held"),
        ("cancels and keeps", "available and held"),
        ("charges twice", "available and held"),
        ("forgets refusals", "rows and their sum"),
        ("hides refunds", "rows and their sum"),
        ("does not balance", "trial balance"),
        ("never finds out", "the shop's own books have it"),
        ("charges twice", "the others' cards were declined"),
        ("charges twice", "one owner"),
        ("charges a card again", "the ledger agree"),
        ("charges a card again", "one owner"),
        ("charges a penny less", "the ledger agree"),
        ("charges a penny less", "one owner"),
        ("keeps a card's refund", "the ledger agree"),
        ("keeps a card's refund", "one owner"),
        ("voids nothing", "one owner"),
        ("tops up for nothing", "the ledger agree"),
        ("tops up for nothing", "one owner"),
        ("takes a penny more", "with its fee"),
        ("takes a penny more", "evenings"),
        ("counts a payment twice", "with its fee"),
        ("counts a payment twice", "evenings"),
        ("misses a refund", "with its fee"),
        ("misses a refund", "and their net"),
        ("misses a refund", "nothing is pending"),
        ("sums up wrongly", "and their net"),
        ("writes a line less", "their CSV adds up"),
        ("releases late", "nothing is pending"),
        ("makes less available", "nothing is pending"),
        ("books another fee", "booked in the ledger"),
        ("earns a penny less", "booked in the ledger"),
        ("never hears of the bank", "nothing is left"),
        ("keeps what was returned", "nothing is left"),
        ("makes less available", "nothing is left"),
        ("pays out twice", "The bank's own statement"),
        ("pays a penny less", "The bank's own statement"),
        ("pays somebody else", "The bank's own statement"),
    ],
)
def test_a_fault_is_noticed(
    monkeypatch: pytest.MonkeyPatch, console: Console, excerpt: Path, fault: str, claim: str
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0)
    with telling(monkeypatch, Bank(fault)), pytest.raises(LocalError, match="does not add up") as error:
        story.tell(console, STAGE, data=excerpt)

    assert re.search(f"✗ .*{re.escape(claim)}", printed(console))
    assert claim in str(error.value)


def test_what_a_running_system_does_not_allow_is_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, console: Console, excerpt: Path
) -> None:
    monkeypatch.setenv("TAEL_PLATFORM_KEY", "key")
    monkeypatch.delenv("TAEL_ACQUIRER_URL", raising=False)
    monkeypatch.delenv("TAEL_RESOLVE_SECONDS", raising=False)
    monkeypatch.setattr(story, "DATA", excerpt)
    bank = Bank(has_movable_clock=False)
    with telling(monkeypatch, bank):
        story.run(console, "http://bank/", csv=excerpt.with_name("settlements"))

    text = printed(console)
    assert text.count("✓") == CHECKS - OF_NIGHTS + len(("pending",)) - len(("sums", "owners"))
    assert "Not shown: settlements and payouts" in text
    assert "Not shown: webhooks" in text
    assert not excerpt.with_name("settlements").exists()
    assert "Not checked: the acquirer's own statement." in text
    assert "Not shown: a lost answer" in text
    assert "202" not in text


def test_what_is_pending_is_checked_where_nothing_is_settled(
    monkeypatch: pytest.MonkeyPatch, console: Console, excerpt: Path
) -> None:
    bank = Bank("owes a penny less", has_movable_clock=False)
    with telling(monkeypatch, bank), pytest.raises(LocalError, match="pending balance"):
        story.tell(console, STAGE, data=excerpt)


def test_an_answer_is_lost_and_found(
    monkeypatch: pytest.MonkeyPatch, console: Console, excerpt: Path
) -> None:
    monkeypatch.setenv("TAEL_PLATFORM_KEY", "key")
    monkeypatch.setenv("TAEL_ACQUIRER_URL", "http://bank")
    monkeypatch.setenv("TAEL_RESOLVE_SECONDS", "6")
    monkeypatch.delenv("TAEL_BANK_URL", raising=False)
    monkeypatch.setattr(story, "DATA", excerpt)
    with telling(monkeypatch, Bank()):
        story.run(console, "http://bank")

    text = printed(console)
    assert text.count("✓") == CHECKS - len(("the bank's own statement",))
    assert "Not checked: the bank's own statement." in text
    assert "202 processing, and 6.0 s after it began the payment was captured by itself" in text


def test_a_running_system_needs_its_operator_key(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    monkeypatch.delenv("TAEL_PLATFORM_KEY", raising=False)
    with pytest.raises(LocalError, match="set TAEL_PLATFORM_KEY"):
        story.run(console, "http://127.0.0.1:1")


def test_amounts_are_written_as_people_write_them() -> None:
    assert (pounds(5), pounds(123_456_789)) == ("£0.05", "£1,234,567.89")


def test_nobody_answers() -> None:
    with Api("http://127.0.0.1:9", "key") as api, pytest.raises(LocalError, match="got no answer"):
        api.get("/v1/wallets")
