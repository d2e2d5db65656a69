"""The demo told: its playing, its report, and that it notices when something doesn't add up."""

import io
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from local.api import Api
from local.demo import story
from local.demo.report import pounds
from local.demo.rows import DATA, read_rows
from local.errors import LocalError
from local.system import running
from tests.local.bank import Bank

CHECKS = 9
FIRST_HOURS = 70
"""Rows until the first parcels have left, one of them given up."""
NEED_NO_KEY = ("/deposits", "/capture", "/cancel")


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
        if number < FIRST_HOURS or row.refund_of or row.order_id in refunded
    ]
    path = tmp_path / "excerpt.csv"
    path.write_text("".join([heading, *kept]))
    return path


@contextmanager
def telling(monkeypatch: pytest.MonkeyPatch, bank: Bank) -> Iterator[None]:
    monkeypatch.setattr(story, "Api", lambda url, key: bank.api())
    yield


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_story_adds_up(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    bank = Bank()
    with telling(monkeypatch, bank):
        story.tell(console, "http://bank", "key")

    text = printed(console)
    assert "✗" not in text
    assert text.count("✓") == CHECKS
    assert "Every penny is accounted for." in text
    figures = {
        label.strip(): (count.strip(), total.strip())
        for _, label, count, total, _ in (line.split("│") for line in text.splitlines() if "│" in line)
    }
    assert figures["orders"] == ("424", "£184,248.33")
    assert figures["authorized, captured when they left"][0] == "60"
    assert figures["authorized, cancelled"][0] == "6"
    assert figures["authorized, leaving tomorrow"][0] == "4"
    assert figures["waiting: guests, who need a card"] == ("23", "£36,041.50")
    assert figures["refunds"] == ("43", "£3,580.58")
    assert figures["refunded to the wallet"][0] == "6"
    assert figures["cancelled in time, not captured"][0] == "3"
    assert figures["pending for the shop"] == ("", pounds(bank.pending))


def test_an_excerpt_of_the_story_adds_up_on_a_real_system(
    tmp_path: Path, console: Console, excerpt: Path
) -> None:
    with running(tmp_path / "state") as system:
        story.tell(console, system.url, system.platform_key, excerpt)
    assert "Every penny is accounted for." in printed(console)


def test_every_creation_is_repeatable(
    monkeypatch: pytest.MonkeyPatch, console: Console, excerpt: Path
) -> None:
    bank = Bank()
    with telling(monkeypatch, bank):
        story.tell(console, "http://bank", "key", excerpt)

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
        ("owes a penny less", "pending balance"),
        ("takes a refund back", "available and held"),
        ("keeps the rest", "available and held"),
        ("cancels and keeps", "available and held"),
        ("charges twice", "available and held"),
        ("forgets refusals", "rows and their sum"),
        ("hides refunds", "rows and their sum"),
        ("does not balance", "trial balance"),
    ],
)
def test_a_fault_is_noticed(
    monkeypatch: pytest.MonkeyPatch, console: Console, excerpt: Path, fault: str, claim: str
) -> None:
    with telling(monkeypatch, Bank(fault)), pytest.raises(LocalError, match="does not add up") as error:
        story.tell(console, "http://bank", "key", excerpt)

    assert re.search(f"✗ .*{re.escape(claim)}", printed(console))
    assert claim in str(error.value)


def test_a_running_system_needs_its_operator_key(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    monkeypatch.delenv("TAEL_PLATFORM_KEY", raising=False)
    with pytest.raises(LocalError, match="set TAEL_PLATFORM_KEY"):
        story.run(console, "http://127.0.0.1:1")


def test_amounts_are_written_as_people_write_them() -> None:
    assert (pounds(5), pounds(123_456_789)) == ("£0.05", "£1,234,567.89")


def test_nobody_answers() -> None:
    with Api("http://127.0.0.1:9", "key") as api, pytest.raises(LocalError, match="got no answer"):
        api.get("/v1/wallets")
