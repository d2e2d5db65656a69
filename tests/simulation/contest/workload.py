"""Owns what both contestants are asked for: wallet payments with keys, sent until their outcome is known."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from tests.simulation.callers import PATIENCE_SECONDS, PAUSE_SECONDS, TRIES
from tests.simulation.scheduler import Scheduler, Task
from tests.simulation.weather import OF_A_REQUEST, Fault, Weather

CALLERS = 5
PAYMENTS = 40
WALLETS, SHOPS = 3, 2
SAVINGS = 4_000
"""In each wallet at first, in pence: not enough for all."""
TWINS, REPLAYS = 0.15, 0.2
THINK_SECONDS = 3.0
KNOWN = frozenset({201, 402})
"""What ends a request."""


@dataclass(eq=False, slots=True)
class Order:
    """A payment that somebody wants to make, once, however often it is asked for."""

    number: int
    wallet: int
    shop: int
    amount: int
    answers: list[int] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Its Idempotency-Key."""
        return f"order-{self.number}"


Pay = Callable[[Order, float], int | None]
"""Ask once, with so much patience; the status, or None where nothing came."""


@dataclass(slots=True)
class Outcome:
    """What was found when everything had come to rest; each count is of orders, or of accounts."""

    paid: int = 0
    charged_twice: int = 0
    charged_untold: int = 0
    """The caller was told that it was refused, or the settlement was never told of it."""
    told_uncharged: int = 0
    unbalanced: int = 0
    """Accounts whose balance is not the sum of their entries, and money that was made or lost in all."""
    write_units: float = 0.0

    @property
    def violations(self) -> int:
        """All of them."""
        return self.charged_twice + self.charged_untold + self.told_uncharged + self.unbalanced


class Contestant(Protocol):
    """A system that takes payments from wallets."""

    scheduler: Scheduler
    weather: Weather

    def pay(self, order: Order, patience: float) -> int | None:
        """Ask it once for a payment, from within a task."""

    def rest(self) -> None:
        """Let the weather clear up, and its own recovery do what it does."""

    def outcome(self, orders: list[Order]) -> Outcome:
        """What is found then."""


def contend(contestant: Contestant, seed: int) -> Outcome:
    """The same orders and the same habits of callers for every contestant."""
    orders: list[Order] = []
    tasks: list[Task] = []
    for number in range(CALLERS):
        chooser = random.Random(f"{seed}:{number}")
        caller = _Caller(contestant, orders, chooser, number)
        tasks.append(contestant.scheduler.spawn(f"caller {number}", caller.run))
    contestant.scheduler.run_to_end(tasks)
    for task in tasks:
        if task.failure:
            raise task.failure
    contestant.rest()
    return contestant.outcome(orders)


class _Caller:
    def __init__(
        self, contestant: Contestant, orders: list[Order], chooser: random.Random, number: int
    ) -> None:
        self._contestant = contestant
        self._orders = orders
        self._chooser = chooser
        self._number = number

    def run(self) -> None:
        scheduler, chooser = self._contestant.scheduler, self._chooser
        for number in range(PAYMENTS // CALLERS):
            scheduler.sleep(chooser.expovariate(1 / THINK_SECONDS))
            order = Order(
                number * CALLERS + self._number,
                chooser.randrange(WALLETS),
                chooser.randrange(SHOPS),
                chooser.choice((100, 250, 700)),
            )
            self._orders.append(order)
            if chooser.random() < TWINS:
                scheduler.spawn("twin", partial(self._ask, order))
            self._ask(order)
            if chooser.random() < REPLAYS:
                self._ask(chooser.choice(self._orders))

    def _ask(self, order: Order) -> None:
        scheduler, weather = self._contestant.scheduler, self._contestant.weather
        for _ in range(TRIES):
            patience = self._chooser.choice(PATIENCE_SECONDS)
            fault = weather.strikes(OF_A_REQUEST)
            if fault is Fault.LOST:
                scheduler.sleep(patience)
                continue
            status = self._contestant.pay(order, patience)
            if status is not None and fault is not Fault.ANSWER_LOST:
                order.answers.append(status)
                if status in KNOWN:
                    return
            scheduler.sleep(self._chooser.uniform(*PAUSE_SECONDS))
