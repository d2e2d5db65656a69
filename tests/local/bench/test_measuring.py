"""The measurements themselves, small, on a real system: their figures, and that what is amiss is noticed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.bench import costs, market, quiet, throughput, verification
from local.bench.costs import SHARES, Flows
from local.bench.load import Load
from local.bench.market import Market, Sale, Traffic
from local.errors import LocalError
from local.system import System

FEW = Traffic("few", merchants=2, wallets=4)
ONE = Traffic("one", merchants=1, wallets=2)
PAYMENTS = 12


@pytest.fixture
def opened(system: System) -> Iterator[Market]:
    with market.opened(FEW, system.url, system.platform_key, seed=3) as few:
        yield few


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return Load(tmp_path)


def test_payments_are_measured_until_settled_and_what_is_amiss_is_noticed(
    system: System, opened: Market, load: Load
) -> None:
    measured = throughput.measure(system, opened, load, PAYMENTS, workers=2)
    # As many again warmed it up.
    assert len(opened.sales) == 2 * PAYMENTS
    assert (measured.traffic, measured.workers, measured.payments) == ("few", 2, PAYMENTS)
    assert 0 < measured.accepted_seconds < measured.settled_seconds
    assert measured.accepted == pytest.approx(PAYMENTS / measured.accepted_seconds)
    assert measured.settled == pytest.approx(PAYMENTS / measured.settled_seconds)
    assert measured.per_worker == measured.accepted / 2
    assert all(check.holds for check in verification.checks(opened))

    (wallet, merchant), *_ = opened.wallets.items()
    opened.sales.append(Sale(merchant, wallet, "order-that-never-was", 100))

    # Orders, wallets, balances and settlements: only the trial balance knows nothing of it.
    assert [check.holds for check in verification.checks(opened)] == [False] * 4 + [True]
    with pytest.raises(LocalError, match=r"^It does not add up: .*order order-that-never-was: missing"):
        throughput.verify(opened)


def test_flows_and_shares_cost_what_the_budgets_say(
    system: System, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "TIMES", 2)
    with market.opened(ONE, system.url, system.platform_key, seed=3) as opened:
        found = {cost.name: cost.use for cost in Flows(system, opened).costs()}
        shares = {cost.name: cost.use for cost in costs.shares(system, opened, load, PAYMENTS)}
    assert {name: (use.write_units, use.write_calls) for name, use in found.items()} == {
        "wallet payment": (7, 1),
        "replay of it": (6, 1),
        "refused payment": (8, 2),
        "card payment": (6, 2),
        "authorization": (6, 1),
        "its capture": (7, 1),
        "refund": (8, 1),
        "top-up": (8, 2),
        "transfer": (11, 1),
    }
    assert list(shares) == list(SHARES)
    # The event, its entry in the list, and the delivery that is planned; more where others' come between.
    assert shares["its event"].write_units >= 5
    assert shares["its delivery"].messages >= 1
    # A line costs two, and the batch's own writes are shared by few here.
    assert shares["settlement"].write_units > 2


def test_what_is_not_settled_is_not_waited_for_without_end(
    opened: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "PATIENCE_SECONDS", 0)
    opened.sales.append(Sale(0, next(iter(opened.wallets)), "order-that-never-was", 100))
    assert not verification.await_settled(opened)


def test_a_system_that_does_not_come_to_rest_is_not_waited_for_without_end(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "PATIENCE_SECONDS", 0)
    with pytest.raises(LocalError, match="did not come to rest"):
        quiet.await_quiet(system)
