"""The demo: its plan, its playing, and that it notices when something doesn't add up."""

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
from local.demo.plan import Loan, Payment, make_plan
from local.demo.report import pounds
from local.demo.rows import DATA, Row, read_rows
from local.errors import LocalError
from local.system import running
from tests.local.bank import Bank


def row(order_id: str, customer_id: str, amount: int, kind: str = "order") -> Row:
    return Row("2010-12-01T08:26:00Z", kind, order_id, customer_id, "France", amount, "", 1)


def test_who_buys_once_brings_enough_in_whole_notes() -> None:
    plan = make_plan([row("1", "ann", 2001), row("2", "ben", 3000)])

    assert plan.deposits == {"ann": 3000, "ben": 3000}
    assert [payment.is_covered for payment in plan.payments] == [True, True]
    assert plan.balances == {"ann": 999, "ben": 0}


def test_who_comes_back_brings_most_and_is_refused_late() -> None:
    plan = make_plan([row("1", "ann", 5000), row("2", "ann", 5000)])

    assert plan.deposits == {"ann": 8000}
    assert plan.payments == (
        Payment(row("1", "ann", 5000), attempt=1, is_covered=True, shortfall=0),
        Payment(row("2", "ann", 5000), attempt=1, is_covered=False, shortfall=2000),
    )
    assert plan.balances == {"ann": 3000}


def test_at_every_third_refusal_the_richest_lends_the_difference() -> None:
    twice = [row(f"{name}{n}", name, 5000) for n in (1, 2) for name in ("ann", "ben", "cat")]
    plan = make_plan([*twice, row("9", "dan", 90_000)])

    assert plan.loans == (Loan("dan", "cat", 2000, "cat2"),)
    assert plan.steps[-3:] == (
        plan.loans[0],
        Payment(row("cat2", "cat", 5000), attempt=2, is_covered=True, shortfall=0),
        # The lender is not spared: 90,000 brought, 2,000 lent.
        Payment(row("9", "dan", 90_000), attempt=1, is_covered=False, shortfall=2000),
    )
    assert plan.balances == {"ann": 3000, "ben": 3000, "cat": 0, "dan": 88_000}


def test_nobody_lends_what_nobody_has() -> None:
    twice = [row(f"{name}{n}", name, 5000) for n in (1, 2) for name in ("ann", "ben", "cat")]
    plan = make_plan([row("0", "eve", 90_000), *twice, row("9", "eve", 90_000)])
    assert plan.deposits["eve"] == 144_000

    lender_less = make_plan([row("1", "ann", 5000), row("2", "ann", 5000)] * 3)
    assert lender_less.loans == ()


def test_guests_and_refunds_wait() -> None:
    guest, refund = row("1", "", 500), row("C2", "ann", 700, kind="refund")
    plan = make_plan([guest, refund])

    assert (plan.guests, plan.refunds, plan.steps) == ((guest,), (refund,), ())


def test_the_plan_of_the_shop_conserves_money_and_is_worth_telling() -> None:
    plan = make_plan(read_rows(DATA))
    balances = dict(plan.deposits)
    for step in plan.steps:
        if isinstance(step, Loan):
            balances[step.lender] -= step.amount
            balances[step.borrower] += step.amount
        else:
            assert step.is_covered == (balances[step.row.customer_id] >= step.row.amount)
            balances[step.row.customer_id] -= step.row.amount if step.is_covered else 0
        assert min(balances.values()) >= 0

    assert balances == plan.balances
    decided = [payment.is_covered for payment in plan.last_attempts.values()]
    assert (len(decided), sum(decided), len(plan.loans)) == (401, 361, 19)
    assert (len(plan.guests), len(plan.refunds)) == (23, 43)
    assert plan == make_plan(read_rows(DATA))


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def morning(tmp_path: Path) -> Path:
    """The first hours of the shop: enough for every check to have something to look at."""
    path = tmp_path / "morning.csv"
    path.write_text("".join(DATA.read_text().splitlines(keepends=True)[:60]))
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
    assert text.count("✓") == 8
    assert "Every penny is accounted for." in text
    figures = {line.split("│")[1].strip(): line.split("│")[2:4] for line in text.splitlines() if "│" in line}
    assert [figure.strip() for figure in figures["orders"]] == ["424", "£184,248.33"]
    assert [figure.strip() for figure in figures["paid from a wallet"]] == ["361", pounds(bank.pending)]
    assert [figure.strip() for figure in figures["waiting: guests, who need a card"]] == ["23", "£36,041.50"]
    assert [figure.strip() for figure in figures["waiting: refunds"]] == ["43", "£3,580.58"]


def test_the_story_of_a_morning_adds_up_on_a_real_system(
    tmp_path: Path, console: Console, morning: Path
) -> None:
    with running(tmp_path / "state") as system:
        story.tell(console, system.url, system.platform_key, morning)
    assert "Every penny is accounted for." in printed(console)


def test_every_creation_is_repeatable(
    monkeypatch: pytest.MonkeyPatch, console: Console, morning: Path
) -> None:
    bank = Bank()
    with telling(monkeypatch, bank):
        story.tell(console, "http://bank", "key", morning)

    bodies = defaultdict(set)
    for request in bank.requests:
        if request.method == "POST" and not request.url.path.endswith("/deposits"):
            bodies[request.headers["Idempotency-Key"]].add((request.url.path, request.content))
    assert {len(sent) for sent in bodies.values()} == {1}


@pytest.mark.parametrize(
    ("fault", "claim"),
    [
        ("pays anything", "is paid exactly when"),
        ("forgets refusals", "is paid exactly when"),
        ("forgets why", "are stored as failed"),
        ("charges twice", "sent again"),
        ("loses an entry", "the sum of its statement"),
        ("owes a penny less", "pending balance"),
        ("forgets refusals", "the file's own"),
        ("does not balance", "trial balance"),
        ("charges twice", "the shop's own books"),
    ],
)
def test_a_fault_is_noticed(
    monkeypatch: pytest.MonkeyPatch, console: Console, morning: Path, fault: str, claim: str
) -> None:
    with telling(monkeypatch, Bank(fault)), pytest.raises(LocalError, match="does not add up") as error:
        story.tell(console, "http://bank", "key", morning)

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
