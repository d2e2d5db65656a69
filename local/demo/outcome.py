"""What the shop got for its days: the nights that fell, the settlements, and the payouts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from local.api import Api
from local.demo.claims import Check
from local.demo.nights import Nights
from local.demo.payout import Drawn, PaidOut
from local.demo.plan import Plan
from local.demo.settling import Settled
from local.demo.takings import Takings, lines_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """All of it, and the bank's own statement where somebody said where the bank is."""

    nights: Nights
    settled: Settled
    paid_out: PaidOut | None
    drawn: Drawn | None

    @classmethod
    def of(cls, nights: Nights, shop_id: str, bank: Api | None) -> Self:
        """Have everything settled that the nights have left, and pay it out."""
        platform, shop = nights.platform, nights.shop
        drawn = Drawn.begun(bank) if bank else None
        settled = Settled.after_delay(platform, shop, shop_id)
        return cls(nights, settled, PaidOut.all_of(settled.available, platform, shop, shop_id), drawn)

    def checks(self, plan: Plan, platform: Api) -> Iterator[Check]:
        """Against the plan, which knows nothing of the system."""
        lines = tuple(lines_of(plan.steps))
        earned = Takings.of(lines).net - self.settled.left_over
        yield self.nights.check()
        yield from self.settled.checks(lines, platform)
        if self.paid_out:
            yield from self.paid_out.checks(earned, self.drawn)
