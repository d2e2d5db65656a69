"""Owns what a client of the benchmark does in a process of its own: pay one order after the other."""

import itertools
import random
import time
from multiprocessing.synchronize import Barrier
from typing import Any

from tests.benchmarks.postgres.shapes import Accounts

ACCOUNTS = Accounts(wallets=200, merchants=100)
WARM_PAYMENTS = 20
PATIENCE_SECONDS = 120.0


def ledger_of(way: str, folder: str) -> Any:
    """The payment by that way, `plain` or `hordak`, connected to the server in the folder."""
    # A process pays by one of them, and its memory need not hold the other.
    if way == "plain":
        from tests.benchmarks.postgres.plain import Plain  # noqa: PLC0415 - see above

        return Plain(folder)
    from tests.benchmarks.postgres.hordak import Hordak  # noqa: PLC0415 - see above

    return Hordak(folder)


def pay_for(
    way: str, folder: str, name: str, *, hot: bool, seconds: float, start: Barrier, done: Any
) -> None:
    """Pay for so long, and put into `done` when that was and how long each payment took."""
    ledger = ledger_of(way, folder)
    pay = ledger.payer()
    chooser = random.Random(name)
    wallets, merchants = ACCOUNTS.wallet_names, ACCOUNTS.merchant_names[: 1 if hot else None]
    taken: list[float] = []
    numbers = itertools.count()

    def one() -> float:
        began = time.perf_counter()
        if not pay(f"{name}-{next(numbers)}", chooser.choice(wallets), chooser.choice(merchants), 1):
            raise AssertionError("an order that was never paid was paid before")
        return time.perf_counter() - began

    for _ in range(WARM_PAYMENTS):
        one()
    start.wait(PATIENCE_SECONDS)
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        taken.append(one())
    done.put((began, time.monotonic(), taken))
    ledger.close()
