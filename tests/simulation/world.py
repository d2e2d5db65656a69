"""Makes the world of one seed, has it lived through, and brings it to rest."""

import random
from collections import Counter as Tally
from datetime import UTC, datetime
from functools import partial
from typing import Any

from infra.declaration import QUEUES, TABLES
from tests.simulation import town
from tests.simulation.acquirer import Acquirer
from tests.simulation.aws.dynamodb import Database, StreamRecord
from tests.simulation.aws.kms import Kms
from tests.simulation.aws.sqs import Queues
from tests.simulation.bank import Bank
from tests.simulation.business import Business, poison
from tests.simulation.callers import Ask, Counter
from tests.simulation.machines import Machines
from tests.simulation.observer import Observer
from tests.simulation.receivers import Receivers
from tests.simulation.scheduler import Scheduler, Task
from tests.simulation.services import Services
from tests.simulation.town import PLATFORM, Town
from tests.simulation.trace import Trace
from tests.simulation.weather import OF_A_BATCH, Fault, Weather

BEGINS_AT = datetime(2026, 11, 25, 23, 30, tzinfo=UTC).timestamp()
"""Half an hour before a cut-off."""
OPERATIONS = 50
CALLERS = 5
HOUR_SECONDS, DAY_SECONDS = 3_600.0, 86_400.0
DAYS = (1 / 24, 0.8, 1, 2, 8)
"""That pass between two parts of a run."""
RESTING_DAYS = (0, 1, 9, 3, 0)
"""That pass in the end: authorizations expire, settlements are released, webhooks are tried again."""
TICK_SECONDS = 75.0
TICKS = 3
"""After a day has passed, or none: then the callers come first."""
LAG_SECONDS = 0.5
"""Within which a write shows in an index."""
CALM_SECONDS, DELAYED_SECONDS = 1_200.0, 1_000.0
"""What a message takes to be given up, and what it may be delayed by."""


class World:
    """Everything that there is in one run, and nothing that outlives it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chooser = random.Random(seed)
        self.scheduler = Scheduler(BEGINS_AT)

        def now() -> float:
            return self.scheduler.now

        self.trace = Trace(now, self._who)
        self.weather = Weather.of(random.Random(self.chooser.getrandbits(64)))
        self.storm = dict(self.weather.rates)
        draw = random.Random(self.chooser.getrandbits(64))
        self.database = Database(TABLES, now, lag=lambda: draw.uniform(0, LAG_SECONDS))
        self.queues = Queues(QUEUES, now, draw, duplicate=self._comes_twice)
        self.kms = Kms(draw)
        self.acquirer = Acquirer()
        self.bank = Bank(lambda: draw.choice((["paid"], ["paid"], ["returned"], ["paid", "returned"])))
        self.receivers = Receivers(self.scheduler, self.weather)
        self.services = Services(
            self.scheduler,
            self.weather,
            self.trace,
            database=self.database,
            queues=self.queues,
            kms=self.kms,
        )
        self.machines = Machines(self.scheduler, self.weather, self.trace, self.queues)
        self.counter = Counter(self.scheduler, self.machines, self.weather, self.chooser)
        self.observer = Observer(now)
        self.poisoned: Tally[str] = Tally()
        self.logs: list[tuple[str, dict[str, Any]]] = []
        self.town: Town
        self._connect()

    def _who(self) -> str:
        return self.scheduler.current.name if self.scheduler.current else "-"

    def _comes_twice(self) -> bool:
        return self.weather.strikes(OF_A_BATCH) is Fault.TWICE

    def _connect(self) -> None:
        def changed(record: StreamRecord) -> None:
            self.observer.changed(record)
            self.machines.changed(record)

        self.database.on_change = changed
        self.services.after_send = self.machines.look_into

    def found(self) -> None:
        """Have everybody settle in, in fair weather; what they tell of it is told."""
        self.weather.rates = {}

        def settle_in() -> None:
            self.town = town.founded(self.counter)

        task = self.scheduler.spawn("founding", settle_in)
        self.scheduler.run_to_end([task])
        if task.failure:
            raise task.failure
        self.scheduler.run_for(30)
        self.observer.changes = 0
        self.counter.asked.clear()

    def live(self, operations: int = OPERATIONS) -> None:
        """Have the callers make that many requests, over some days, in the weather of the seed."""
        self.weather.rates = dict(self.storm)
        left = operations
        while left > 0:
            today = min(left, self.chooser.randint(8, operations))
            left -= today
            self._spend_day(today)
            self.scheduler.run_for(self.chooser.choice((0.0, 60.0, 2 * CALM_SECONDS)) * self.chooser.random())
            self.scheduler.pass_time(self.chooser.choice(DAYS) * DAY_SECONDS)
            self._tick_in_the_storm()

    def _tick_in_the_storm(self) -> None:
        """Run what is due by then while no caller is about, and in no better weather."""
        for _ in range(self.chooser.choice((0, TICKS))):
            ticks = self.tick(daily=self.chooser.random() < 0.1)
            self.scheduler.run_to_end(ticks)
            self.scheduler.run_for(TICK_SECONDS * self.chooser.random())

    def _spend_day(self, requests: int) -> None:
        self._poison()
        callers: list[Task] = []
        for number in range(CALLERS):
            share = requests // CALLERS + (number < requests % CALLERS)
            shop = self.town.shops[number % len(self.town.shops)]
            chooser = random.Random(self.chooser.getrandbits(64))
            business = Business(self.town, shop, self.counter, chooser)
            name = f"caller {number} of {shop.caller.name}"
            callers.append(self.scheduler.spawn(name, partial(business.run, share)))
        self._tick_while(callers)
        self.scheduler.run_to_end(callers)
        for caller in callers:
            if caller.failure:
                raise caller.failure

    def _poison(self) -> None:
        bodies = poison()
        for queue in self.chooser.sample(QUEUES, 2):
            self.poisoned[queue.name] += 1
            for _ in range(self.chooser.randrange(4)):
                next(bodies)
            self.queues.send_message(QueueUrl=self.queues.url(queue.name), MessageBody=next(bodies))
            self.machines.look_into(queue.name)

    def _tick_while(self, callers: list[Task]) -> None:
        def tick() -> None:
            if all(caller.done for caller in callers):
                return
            self.tick(daily=self.chooser.random() < 0.05)
            self.scheduler.after(TICK_SECONDS * self.chooser.uniform(0.5, 1.5), tick)

        self.scheduler.after(TICK_SECONDS * self.chooser.random(), tick)

    def tick(self, *, daily: bool) -> list[Task]:
        """Run the schedules of each minute, or those of each day too, side by side."""
        self.bank.work()
        wanted = {1, 24 * 60} if daily else {1}
        due = [pair for pair in self.machines.schedules() if pair[1].every_minutes in wanted]
        due += [pair for pair in due if self.weather.strikes(OF_A_BATCH) is Fault.TWICE]
        return [
            self.scheduler.spawn("ticker", partial(self.machines.tick, service, schedule))
            for service, schedule in self.chooser.sample(due, len(due))
        ]

    def rest(self) -> None:
        """Let the weather clear up, everything come to its end, and all days be over."""
        self.weather.rates = {}
        for days in RESTING_DAYS:
            self.scheduler.run_for(CALM_SECONDS)
            if days == RESTING_DAYS[0]:
                self._redrive()
                self.scheduler.run_for(CALM_SECONDS)
            ticks = self.tick(daily=True)
            self.scheduler.run_to_end(ticks)
            self.scheduler.run_for(DELAYED_SECONDS)
            self.scheduler.pass_time(days * DAY_SECONDS)
        if any(name == "roll_up" for name, _ in self.machines.given_up):
            self._rebuild()

    def _rebuild(self) -> None:
        """What an operator does when sums no longer follow the ledger."""
        (pair,) = (pair for pair in self.machines.schedules() if pair[1].name == "rebuild")
        self.scheduler.run_to_end([self.scheduler.spawn("operator", partial(self.machines.tick, *pair))])

    def _redrive(self) -> None:
        """What an operator does with dead letters."""
        for queue in QUEUES:
            self.queues.redrive(queue.name)
            self.machines.look_into(queue.name)

    def fetched(self, path: str) -> dict[str, Any]:
        """What the platform is shown there."""
        task = self.scheduler.spawn("auditor", lambda: self.counter.make(Ask("audit", PLATFORM, "GET", path)))
        self.scheduler.run_to_end([task])
        return task.result.body if task.result else {}
