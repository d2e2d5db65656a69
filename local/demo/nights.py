"""The nights between the shop's days, where the clock can be moved: each falls when its day is counted."""

from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus

from local.api import Api, ApiError
from local.demo.claims import Check, pounds
from local.demo.plan import Day
from local.demo.player import CURRENCY
from local.demo.takings import Takings, lines_of
from local.demo.waiting import wait_until

ONE_DAY = timedelta(days=1)
MOVABLE = "embedded"


def can_fall(platform: Api) -> bool:
    """Whether the system's clock can be moved: only a laptop's, and only on the embedded engine."""
    try:
        engine: str = platform.get("/local/system")["engine"]
    except ApiError as error:
        # What an API gateway says of a path that it does not know is 403.
        if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
            return False
        raise
    return engine == MOVABLE


def pass_time(platform: Api, span: timedelta) -> None:
    """Move the clock ahead."""
    platform.post("/local/clock", {"advance_seconds": int(span.total_seconds())})


def position(shop: Api) -> tuple[int, int]:
    """What of the shop's money is pending, and what is available."""
    positions = {row["currency"]: row for row in shop.get("/v1/balance")["data"]}
    mine = positions[CURRENCY]
    return mine["pending"], mine["available"]


@dataclass(slots=True)
class Nights:
    """Lets each night fall once the system has counted what the day brought."""

    platform: Api
    shop: Api
    earned: int = 0
    """Until now, by the shop's own books."""
    days: int = 0
    late: list[str] = field(default_factory=list)

    def fall(self, day: Day) -> None:
        """End a day: its takings must be in the shop's balance before the clock moves to the next one."""
        self.days += 1
        self.earned += Takings.of(lines_of(day.steps)).net
        # What was not counted once is missing every evening: it is waited for only once.
        if not (self._is_counted() or (not self.late and wait_until(self._is_counted))):
            balance = pounds(sum(position(self.shop)))
            self.late.append(f"{day.date}: {balance} instead of {pounds(self.earned)}")
        pass_time(self.platform, ONE_DAY)

    def check(self) -> Check:
        """That no day ended before it was counted."""
        return Check(
            f"On each of {self.days} evenings the shop's balance was what its own books say",
            tuple(self.late),
        )

    def _is_counted(self) -> bool:
        return sum(position(self.shop)) == self.earned
