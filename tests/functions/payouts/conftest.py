"""What the tests of payouts share: a shop that has money and a bank account, and a bank in this process."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis import events
from chassis.events import Message
from functions.payouts import gateway, table
from local.system import System
from tests.conftest import Shop
from tests.functions.payouts.bank import InnerBank
from tests.payee import Payee


@pytest.fixture
def payee(engine: System, shop: Shop) -> Payee:
    """A merchant of this test's own, with 100.00 available."""
    payee = Payee(shop)
    payee.settle(10_000)
    return payee


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InnerBank]:
    """The bank that this process asks, with a feed and a bookmark of its own."""
    inner = InnerBank(tmp_path)
    monkeypatch.setattr(gateway, "_bank", lambda: inner)
    monkeypatch.setattr(table, "_BOOKMARK", {"pk": f"bookmark-{uuid.uuid4()}"})
    yield inner
    inner.book.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """The messages that nobody delivers."""
    messages: list[Message] = []
    monkeypatch.setattr(events, "send", messages.extend)
    return messages
