"""Makes Tael a contestant: the whole of it, of which only the wallet payments are asked for."""

from collections import Counter

from tests.benchmarks.metering import Counting
from tests.simulation import town
from tests.simulation.books import Books
from tests.simulation.contest.workload import SAVINGS, SHOPS, WALLETS, Order, Outcome
from tests.simulation.run import stored
from tests.simulation.town import CURRENCY, Shop
from tests.simulation.world import World

assert SAVINGS == town.SAVINGS
REQUEST = "POST /v1/payments"


class Billed:
    """A client that bills what is asked for by a payment's own request, and nothing else."""

    def __init__(self, world: World, service: str) -> None:
        self._world = world
        self._plain = world.services.clients[service]
        self.counting = Counting(self._plain)

    def __getattr__(self, name: str) -> object:
        task = self._world.scheduler.current
        asked = task is not None and task.name.startswith(REQUEST)
        return getattr(self.counting if asked else self._plain, name)


class Tael:
    """See `workload.Contestant`; for a process that lives in its world."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.scheduler = self.world.scheduler
        self.weather = self.world.weather
        self._bills = {name: Billed(self.world, name) for name in self.world.services.clients}
        self._wallets: list[str] = []

    def begin(self) -> None:
        """Open the shops and the wallets; from then on the seed's weather."""
        self.world.found()
        self._wallets = [*self.world.town.wallets, self.world.town.shops[0].wallets[0]][:WALLETS]
        self.world.services.clients = dict(self._bills)
        self.weather.rates = dict(self.world.storm)

    def _shop(self, order: Order) -> Shop:
        return self.world.town.shops[:SHOPS][order.shop]

    def pay(self, order: Order, patience: float) -> int | None:
        """See `workload.Contestant`."""
        body = {
            "amount": order.amount,
            "currency": CURRENCY,
            "source": {"wallet": self._wallets[order.wallet]},
        }
        headers = {**dict(self._shop(order).on_behalf.headers), "idempotency-key": order.key}
        path = f"/v1/payments/{order.key}"
        answer = self.world.machines.answer("POST", path, body, headers, patience)
        return None if answer is None else answer.status

    def rest(self) -> None:
        """See `workload.Contestant`."""
        self.world.rest()

    def outcome(self, orders: list[Order]) -> Outcome:
        """See `workload.Contestant`."""
        books = Books.of(stored(self.world))
        debits = Counter(
            first["reference"] for first, *_ in books.postings.values() if first["reason"] == "payment"
        )
        settled = Counter(line[3] for chunk in books.records["chunk"] for line in chunk["lines"])
        found = Outcome(write_units=sum(bill.counting.bill.write_units for bill in self._bills.values()))
        for order in orders:
            judge(found, order, debits[order.key], settled[order.key])
        for name, item in books.balances.items():
            found.unbalanced += item["available"] + item["held"] != books.sums.get((name, CURRENCY), 0)
        return found


def judge(found: Outcome, order: Order, debits: int, told: int) -> None:
    """Count one order: how often it was charged, and what its caller and the settlement know."""
    last = order.answers[-1] if order.answers else None
    found.paid += debits > 0
    found.charged_twice += debits > 1
    found.charged_untold += debits > 0 and (last == 402 or told == 0)
    found.told_uncharged += debits == 0 and 201 in order.answers
