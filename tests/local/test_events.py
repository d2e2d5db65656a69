"""`tael events`: an event in a line, and what is refused in a sentence."""

from typing import Any

import pytest
from typer.testing import CliRunner, Result

from local.events import line_of
from local.main import app
from local.system import System
from tests.conftest import Shop
from tests.local.webhook import CAPTURED

NO_EVENT = "evt_" + "a" * 24
NO_ENDPOINT = "we_" + "a" * 24


def event(kind: str, **data: Any) -> dict[str, Any]:
    return CAPTURED | {"type": kind, "data": data}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (CAPTURED, "payment.captured order-1 status=captured amount=1250 currency=GBP"),
        (
            event("refund.failed", id="ref_1", order_id="order-1", status="failed", failure_code="expired"),
            "refund.failed ref_1 status=failed order_id=order-1 failure_code=expired",
        ),
        (
            event("settlement.closed", id="stl_1", net=0, status="closed", currency="GBP"),
            "settlement.closed stl_1 status=closed net=0 currency=GBP",
        ),
        (
            event("wallet.opened", id="wal_1", owner="ada", status="active", currency="GBP"),
            "wallet.opened wal_1 status=active currency=GBP owner=ada",
        ),
        (event("of.another.kind"), "of.another.kind -"),
    ],
)
def test_an_event_in_a_line(told: dict[str, Any], words: str) -> None:
    assert line_of(told).split() == ["2026-11-23", "09:30:00", *words.split(), "evt_1"]


def test_lines_are_a_table() -> None:
    lines = [line_of(CAPTURED), line_of(event("payout.paid", id="po_" + "a" * 24, status="captured"))]
    assert len({line.index("status=") for line in lines}) == 1


@pytest.fixture
def _there(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAEL_URL", system.url)
    monkeypatch.setenv("TAEL_PLATFORM_KEY", system.platform_key)


def tael_events(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["events", *arguments])


@pytest.mark.usefixtures("_there")
def test_nothing_has_happened_to_a_new_shop(shop: Shop) -> None:
    listed = tael_events("list", "--merchant", shop.id)
    assert (listed.exit_code, listed.output) == (0, "")


@pytest.mark.usefixtures("_there")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", NO_EVENT), f"there is no event {NO_EVENT}"),
        (("redeliver", NO_EVENT), f"there is no event {NO_EVENT}"),
        (("redeliver", NO_EVENT, "--endpoint", NO_ENDPOINT), f"there is no event {NO_EVENT}"),
        (("show", "nonsense"), "nonsense"),
        (("list", "--merchant", "mer_nobody"), "names no merchant"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    refused = tael_events(*arguments)
    assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert refused.stderr.startswith("tael: ")
    assert sentence in refused.stderr


def test_help_says_what_there_is() -> None:
    said = tael_events("--help").stdout
    assert all(command in said for command in ("list", "show", "redeliver", "30 days"))
    assert "payment.*" in tael_events("list", "--help").stdout
