"""The model of payments gives what arithmetic gives, wherever there is arithmetic."""

import random
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from chassis import clock, store
from chassis.errors import Unavailable
from tests.benchmarks.scale import limits
from tests.benchmarks.scale.account import COLD, DEFAULT, RAISED, Account, Entrance
from tests.benchmarks.scale.assumptions import (
    OURS,
    PEER,
    PROBABILITIES,
    PUT,
    SYNCHRONOUS,
    TRANSACTION_OF_5,
    TRANSACTION_OF_25,
    Assumptions,
    Design,
    transaction,
)
from tests.benchmarks.scale.engine import Process, Simulation
from tests.benchmarks.scale.payments import GATEWAY, LAMBDA, STORAGE, Outcome, Scenario, play
from tests.benchmarks.scale.storage import CONFLICT, Demand, Storage, pause

ASSUMED = Assumptions()


class Fixed(random.Random):
    """Chance that always gives the same."""

    def __init__(self, share: float) -> None:
        super().__init__(0)
        self.share = share

    def random(self) -> float:
        return self.share


def hot(design: Design, clients: int, *, warm_up: float = 5, measured: float = 5) -> Outcome:
    return play(Scenario(design, clients, True, warm_up, measured))


def test_processes_go_on_in_the_order_in_which_their_waits_end() -> None:
    simulation, seen = Simulation(), list[tuple[str, float]]()

    def process(name: str, wait: float) -> Process:
        for _ in range(2):
            yield wait
            seen.append((name, simulation.now))

    simulation.start(process("slow", 2.0))
    simulation.start(process("fast", 1.0))
    simulation.run(3.0)

    assert seen == [("fast", 1.0), ("slow", 2.0), ("fast", 2.0)]
    assert simulation.now == 3.0


def test_the_units_of_a_payment() -> None:
    assert [design.units for design in (OURS, SYNCHRONOUS, PEER)] == [7, 9, 11]
    assert [design.writes for design in (OURS, SYNCHRONOUS, PEER)] == [3, 4, 4]


def test_drawn_latencies_have_the_published_quantiles() -> None:
    for share, published in zip(PROBABILITIES[:-1], PUT.quantiles[:-1], strict=True):
        assert PUT.draw(Fixed(share)) == pytest.approx(published)
    drawn = [PUT.draw(Fixed((at + 0.5) / 1000)) for at in range(1000)]
    assert max(drawn) < PUT.quantiles[-1]
    assert sum(drawn) / len(drawn) == pytest.approx(PUT.mean, rel=0.001)


def test_a_transaction_of_a_measured_size_takes_what_was_measured() -> None:
    assert transaction(5) == TRANSACTION_OF_5
    assert transaction(25).quantiles == pytest.approx(TRANSACTION_OF_25.quantiles)


def test_one_worker_takes_its_handler_and_one_transaction() -> None:
    outcome = hot(OURS, 1, measured=400)

    assert outcome.throughput == pytest.approx(1 / (ASSUMED.handler + transaction(3).mean), rel=0.02)
    assert outcome.units == pytest.approx(OURS.units, rel=0.001)


@pytest.mark.parametrize("units", [8.0, 16.0])
def test_a_partition_saturates_at_its_units(units: float) -> None:
    outcome = hot(replace(OURS, index=units), 120, warm_up=3, measured=3)

    every_shard = 8 * limits.PARTITION_WRITE_UNITS
    assert outcome.throughput == pytest.approx(every_shard / units, rel=0.03)


def test_a_table_saturates_at_its_units() -> None:
    account = Account("small", table_units=1_000.0)
    outcome = play(Scenario(OURS, 30, False, 3, 4, account=account))

    assert outcome.throughput == pytest.approx(1_000 / OURS.ledger, rel=0.03)


@pytest.mark.parametrize("design", [OURS, SYNCHRONOUS, PEER], ids=lambda design: str(design.name))
@pytest.mark.parametrize("clients", [1, 8, 30])
def test_littles_law_holds(design: Design, clients: int) -> None:
    assert hot(design, clients, measured=60 / clients**0.5).little == pytest.approx(1, abs=0.03)


def test_at_random_arrivals_conflict_as_erlang_says() -> None:
    """One item, held for any time with the mean w: of arrivals at rate r, rw / (1 + rw) find it held."""
    simulation, chance = Simulation(), random.Random(1)
    storage = Storage(simulation, chance, ASSUMED, table_units=None)
    rate, latency, refused, arrivals = 60.0, transaction(4), 0, 20_000

    def arriving() -> Process:
        nonlocal refused
        for _ in range(arrivals):
            yield chance.expovariate(rate)
            refused += storage.prepare(Demand(items=("balance",)), latency.draw(chance)) == CONFLICT

    simulation.start(arriving())
    simulation.run(arrivals)

    load = rate * latency.mean
    assert refused / arrivals == pytest.approx(load / (1 + load), rel=0.03)


def test_two_writers_conflict_as_engset_says() -> None:
    """Each finds the other in its window with odds of window / cycle, whatever their distributions."""
    assumed = Assumptions(client_pause=0)
    scenario = Scenario(SYNCHRONOUS, 2, True, 1, 200, RAISED, assumed, gives_up_at_once=True)
    window = assumed.window * transaction(4).mean
    cycle = assumed.handler + transaction(4).mean

    assert play(scenario).refused(STORAGE) == pytest.approx(window / cycle, rel=0.05)


def test_one_item_takes_no_more_transactions_than_fit_one_after_the_other() -> None:
    most = 1 / (ASSUMED.window * transaction(4).mean)

    assert 0.75 * most < hot(SYNCHRONOUS, 100).throughput < most


def test_on_one_hot_merchant_our_workers_do_not_get_in_each_others_way() -> None:
    alone, eight = (hot(OURS, clients, measured=400 / clients) for clients in (1, 8))
    assert eight.capacity / alone.capacity >= 0.95

    alone, eight = (hot(SYNCHRONOUS, clients, measured=200 / clients) for clients in (1, 8))
    assert eight.capacity / alone.capacity < 0.5


def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    scenario = Scenario(PEER, 20, True, 1, 5)
    first = play(scenario)

    assert play(scenario).latencies == first.latencies
    assert play(replace(scenario, seed=2)).latencies != first.latencies


def test_the_storages_retries_are_modelled_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    now, pauses = 100.0, list[float]()

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        pauses.append(seconds)

    def throttled() -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "TransactWriteItems")

    monkeypatch.setattr(clock, "monotonic", lambda: now)
    monkeypatch.setattr(clock, "sleep", sleep)
    random.seed(5)
    with pytest.raises(Unavailable):
        store._until_deadline(throttled)

    chance = random.Random(5)
    elapsed, modelled = 0.0, list[float]()
    while (wait := pause(len(modelled), elapsed, chance)) is not None:
        modelled.append(wait)
        elapsed += wait
    assert len(modelled) > 5
    assert modelled == pytest.approx(pauses)


def test_lambda_makes_a_thousand_environments_and_then_a_hundred_a_second() -> None:
    entrance = Entrance(COLD)
    assert [entrance.environment(0.0) for _ in range(1_001)] == ["cold"] * 1_000 + [None]
    assert [entrance.environment(1.0) for _ in range(101)] == ["cold"] * 100 + [None]

    entrance.release()
    assert entrance.environment(1.0) == "warm"


def test_an_account_has_a_thousand_environments() -> None:
    entrance = Entrance(DEFAULT)
    assert [entrance.environment(0.0) for _ in range(1_001)] == ["warm"] * 1_000 + [None]


def test_the_gateway_lets_its_burst_in_and_then_its_rate() -> None:
    entrance = Entrance(replace(DEFAULT, requests=10.0, burst=5.0))
    assert [entrance.admits(0.0) for _ in range(6)] == [True] * 5 + [False]
    assert [entrance.admits(0.2) for _ in range(3)] == [True] * 2 + [False]


def test_what_is_refused_is_told_by_whom() -> None:
    small = Account("small", requests=500.0, burst=50.0, concurrency=2)
    outcome = play(Scenario(OURS, 50, False, 4, 8, account=small))

    assert outcome.refused(GATEWAY) == 0
    assert outcome.refused(LAMBDA) == pytest.approx(outcome.refused())
    assert outcome.throughput == pytest.approx(2 / (ASSUMED.handler + transaction(3).mean), rel=0.1)
