"""A sandbox acquirer of a test's own, quick in everything that takes its time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from acquiring.acquirer import Approved, Card, DeclineCode, Declined, Outcome
from acquiring.sandbox import SandboxAcquirer
from chassis.outside import NotFound, Unknown
from local import process
from local.acquirer.deck import BY_NAME
from local.ports import LOOPBACK, answers, free_port
from local.process import Logs

SLOW_SECONDS, LATE_SECONDS = 0.2, 0.3
TRY_SECONDS, TOTAL_SECONDS = 0.5, 1.2

APPROVED, UNKNOWN, NOT_FOUND = Approved(), Unknown(), NotFound()
REFUSED = Declined(DeclineCode.PROCESSING_ERROR)


def declined(code: str) -> Declined:
    return Declined(DeclineCode(code))


def card(name: str = "approves") -> Card:
    """The test card of that name."""
    number = BY_NAME[name].number
    return Card(number, exp_month=12, exp_year=2030, brand="visa", last4=number[-4:])


@dataclass(frozen=True)
class Network:
    """A running acquirer and a connector to it."""

    child: process.Child
    url: str
    state: Path
    connector: SandboxAcquirer

    def pay(self, attempt: str, name: str = "approves", amount: int = 1000, capture: bool = True) -> Outcome:
        return self.connector.authorize(attempt, card(name), amount, "GBP", capture=capture)

    def pay_at_once(self, attempt: str, name: str, times: int) -> list[Outcome]:
        """The same payment from so many threads at the same time."""
        with ThreadPoolExecutor(times) as threads:
            return list(threads.map(lambda _: self.pay(attempt, name), range(times)))

    def statement(self, limit: int = 100) -> list[dict[str, Any]]:
        """All lines, page by page."""
        lines: list[dict[str, Any]] = []
        cursor: str | None = "0"
        while cursor is not None:
            page = httpx.get(f"{self.url}/statement", params={"limit": limit, "cursor": cursor}).json()
            assert len(page["data"]) <= limit
            lines += page["data"]
            cursor = page["next_cursor"]
        return lines

    def nets(self) -> dict[str, int]:
        """Attempt -> what the acquirer holds of it."""
        return {line["attempt"]: line["net"] for line in self.statement()}


@contextmanager
def serving(
    folder: Path, try_seconds: float = TRY_SECONDS, total_seconds: float = TOTAL_SECONDS
) -> Iterator[Network]:
    """Run one with its book in that folder; it is killed in the end, as a machine may be."""
    port = free_port()
    options = ["--slow-seconds", str(SLOW_SECONDS), "--late-seconds", str(LATE_SECONDS)]
    child = process.start(
        "The acquirer",
        ["local.acquirer", "--port", str(port), "--state", str(folder), *options],
        {},
        Logs.together(folder.with_suffix(".log")),
    )
    url = f"http://{LOOPBACK}:{port}"
    try:
        child.await_until(lambda: answers(url, "/health"), 30)
        yield Network(child, url, folder, SandboxAcquirer(url, try_seconds, total_seconds))
    finally:
        child.kill()
