"""Owns what the ways of paying on PostgreSQL have in common: accounts, the verb, a refusal."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

Pay = Callable[[str, str, str, int], bool]
"""From order, wallet, merchant and amount in minor units to whether it was paid now, and not before.

Raises Refused.
"""
FUNDS = 10**9
"""Minor units in each wallet."""


class Refused(Exception):
    """Nothing was paid: the wallet does not hold enough, or the order is another one's."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The wallets that pay, and the merchants that are paid."""

    wallets: int
    merchants: int

    @property
    def wallet_names(self) -> list[str]:
        """`wallet-0` and so on."""
        return [f"wallet-{number}" for number in range(self.wallets)]

    @property
    def merchant_names(self) -> list[str]:
        """`merchant-0` and so on."""
        return [f"merchant-{number}" for number in range(self.merchants)]

    def balances(self) -> Iterator[tuple[str, int]]:
        """Every account with what it holds at first."""
        yield from ((name, FUNDS) for name in self.wallet_names)
        yield from ((name, 0) for name in self.merchant_names)
