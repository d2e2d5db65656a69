"""What the system settled for the shop, held against the shop's own books, line by line and as CSV."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from local.api import Api
from local.demo.claims import Check, differences, pounds
from local.demo.nights import ONE_DAY, pass_time, position
from local.demo.player import CURRENCY, DELAY_DAYS
from local.demo.takings import Line, Takings
from local.demo.waiting import wait_until

PATH = "/v1/settlements"
GRACE = timedelta(minutes=10)
"""More than a settlement stays open after its day."""
FEES = f"fees:{CURRENCY}"


@dataclass(frozen=True, slots=True)
class Settled:
    """The shop's settlements when all are released, and nothing is paid out yet."""

    shop_id: str
    settlements: tuple[dict[str, Any], ...]
    """Oldest first."""
    lines: tuple[Line, ...]
    """Of all of them."""
    files: dict[str, str]
    """Settlement -> its CSV."""
    pending: int
    available: int

    @classmethod
    def after_delay(cls, platform: Api, shop: Api, shop_id: str) -> Self:
        """Let the delay of the last day pass, and read what there is once everything is released."""
        pass_time(platform, DELAY_DAYS * ONE_DAY + GRACE)
        wait_until(lambda: _are_released(platform, shop))
        settlements = tuple(sorted(shop.pages(PATH), key=lambda settlement: str(settlement["window"])))
        pending, available = position(shop)
        return cls(
            shop_id,
            settlements,
            lines=tuple(
                Line(line["type"], line["order_id"], line["amount"], line["fee"])
                for settlement in settlements
                for line in shop.pages(f"{PATH}/{settlement['id']}/payments")
            ),
            files={each["id"]: shop.text(f"{PATH}/{each['id']}", "text/csv") for each in settlements},
            pending=pending,
            available=available,
        )

    def total(self, figure: str) -> int:
        """Of all settlements."""
        return sum(settlement[figure] for settlement in self.settlements)

    @property
    def left_over(self) -> int:
        """What the last one lacked: zero, or less where refunds outweigh what was captured."""
        return self.settlements[-1]["carried_out"] if self.settlements else 0

    def write(self, folder: Path) -> None:
        """One CSV file for each settlement, named after the end of its day."""
        folder.mkdir(parents=True, exist_ok=True)
        for settlement in self.settlements:
            path = folder / f"{settlement['window'][:10]}-{settlement['id']}.csv"
            path.write_text(self.files[settlement["id"]], encoding="utf-8", newline="")

    def checks(self, expected: tuple[Line, ...], platform: Api) -> Iterator[Check]:
        """Everything that can be said of them."""
        takings = Takings.of(expected)
        yield self._lines(expected, takings)
        yield self._sums(takings)
        yield self._files(takings)
        yield self._released(takings, platform)
        yield self._fees(takings, platform)

    def _lines(self, expected: tuple[Line, ...], takings: Takings) -> Check:
        return Check(
            f"The {len(self.settlements)} settlements have counted each of {takings.payments} captured "
            f"payments, with its fee, and each of {takings.refunds} refunds once",
            differences("lines, as many of", Counter(expected), Counter(self.lines)),
        )

    def _sums(self, takings: Takings) -> Check:
        names = ("payments", "captured", "refunds", "refunded", "fees")
        books = {name: getattr(takings, name) for name in names}
        settled = {name: self.total(name) for name in names}
        # What one lacks is made up for by the next: it is in the sums once, however often it is carried.
        nets = self.total("net") - self.total("carried_in")
        return Check(
            "What they captured, refunded and took as fees, and their net, are what the shop's own books say",
            differences("sum of", books | {"net": takings.net}, settled | {"net": nets}),
        )

    def _files(self, takings: Takings) -> Check:
        rows = {name: list(csv.DictReader(io.StringIO(text))) for name, text in self.files.items()}
        nets = {settlement["id"]: settlement["net"] for settlement in self.settlements}
        sums = {name: sum(int(row["net"]) for row in here) for name, here in rows.items()}
        of_lines = sum(
            int(row["net"]) for here in rows.values() for row in here if row["type"] in {"payment", "refund"}
        )
        return Check(
            f"The net of their CSV adds up to orders - refunds - fees: {pounds(takings.captured)} - "
            f"{pounds(takings.refunded)} - {pounds(takings.fees)} = {pounds(takings.net)}",
            (
                *differences("file of", nets, sums),
                *differences("sum of", {"all files": takings.net}, {"all files": of_lines}),
            ),
        )

    def _released(self, takings: Takings, platform: Api) -> Check:
        account = platform.get(f"/v1/ledger/accounts/merchant_pending:{self.shop_id}:{CURRENCY}")
        left = self.left_over
        books = {"pending": left, "available": takings.net - left, "pending in the ledger": left}
        system = {
            "pending": self.pending,
            "available": self.available,
            "pending in the ledger": account["balance"],
        }
        unreleased = (
            f"{settlement['id']} is {settlement['status']}"
            for settlement in self.settlements
            if settlement["status"] != "released"
        )
        pending = f"{pounds(left)} is" if left else "nothing is"
        return Check(
            f"All of it is released: {pounds(books['available'])} can be paid out, and {pending} pending",
            (*differences("what is", books, system), *unreleased),
        )

    def _fees(self, takings: Takings, platform: Api) -> Check:
        """The entries are looked up, for the account may have those of other shops too."""
        entries = {name: platform.get(f"/v1/ledger/entries/{name}") for name in self._entries}
        booked = sum(
            entry["amount"] for entry in entries.values() if FEES in {entry["account"], entry["counterpart"]}
        )
        balance = platform.get(f"/v1/ledger/accounts/{FEES}")["balance"]
        too_little = balance < takings.fees
        return Check(
            f"The fees of {pounds(takings.fees)} are booked in the ledger, from the shop to the platform",
            (
                *differences("entries of", {FEES: takings.fees}, {FEES: booked}),
                *((f"account {FEES}: {balance} instead of {takings.fees} or more",) if too_little else ()),
            ),
        )

    @property
    def _entries(self) -> list[str]:
        return [entry for settlement in self.settlements for entry in settlement["entries"]]


def _are_released(platform: Api, shop: Api) -> bool:
    """Look after them now: their schedule would in a minute at the latest."""
    platform.post("/local/runs", {"schedule": "settlement.settle"})
    return all(settlement["status"] == "released" for settlement in shop.pages(PATH))
