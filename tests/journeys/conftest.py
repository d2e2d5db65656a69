"""What journeys have in common: in the end the books are right."""

from collections.abc import Iterator

import httpx
import pytest

from ledger import journal
from local.system import System


@pytest.fixture
def money_is_neither_made_nor_lost(platform: httpx.Client, engine: System) -> Iterator[None]:
    """I1 and I2 when the test is over: everything adds up to zero, and nothing guarded is negative."""
    yield
    total = platform.get("/v1/ledger/trial-balance").json()
    assert total["balanced"], total
    assert all(currency["total"] == 0 for currency in total["data"])
    for item in journal.whole_ledger():
        if not journal.is_entry(item):
            assert item["available"] >= 0, item
            assert item["held"] >= 0, item
