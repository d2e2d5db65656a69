"""What is sold in the benchmark: who pays whom how much, and what is not accepted."""

import json

import pytest

from local.api import Api
from local.bench.arithmetic import chance
from local.bench.market import LARGEST, SMALLEST, Market, Merchant, Sale, Traffic
from local.bench.plan import Answer, Outcome
from local.errors import LocalError

TRAFFIC = Traffic("few", merchants=2, wallets=3)
NOBODY = Api("http://127.0.0.1:1", None)


def market(seed: int = 1) -> Market:
    merchants = [Merchant(f"mer_{number}", f"sk_{number}", NOBODY) for number in range(2)]
    return Market(TRAFFIC, NOBODY, merchants, {"wal_a": 0, "wal_b": 1, "wal_c": 0}, chance(seed))


def test_the_same_seed_sells_the_same() -> None:
    assert market().orders(20) == market().orders(20) != market(seed=2).orders(20)


def test_no_order_id_comes_twice_and_every_wallet_pays_its_own_merchant() -> None:
    opened = market()
    orders = [*opened.orders(50), *opened.orders(50)]
    assert len({order.order_id for order in orders}) == 100
    assert {(order.wallet, order.merchant) for order in orders} == set(opened.wallets.items())
    assert all(SMALLEST <= order.amount <= LARGEST for order in orders)


@pytest.mark.parametrize(
    # 1.5 %, half a penny rounded up, and 20p.
    ("amount", "fee"),
    [(100, 22), (1000, 35), (33, 20), (34, 21), (10_000, 170)],
)
def test_the_fee_is_reckoned_as_the_system_does(amount: int, fee: int) -> None:
    assert Sale(0, "wal_a", "order-1", amount).fee == fee


def test_a_request_pays_one_order_in_the_name_of_its_merchant() -> None:
    opened = market()
    orders = [Sale(1, "wal_b", "order-1", 500), Sale(0, "wal_a", "order-2", 700)]
    first, second = opened.requests(orders, [0.5, 1.5])
    assert (first.path, first.key, first.due) == ("/v1/payments/order-1", "sk_1", 0.5)
    assert json.loads(second.body) == {"amount": 700, "currency": "GBP", "source": {"wallet": "wal_a"}}
    assert [request.due for request in opened.requests(orders)] == [None, None]


def test_what_is_not_answered_with_201_ends_the_run() -> None:
    opened = market()
    orders = opened.orders(2)
    answers = [Answer(201, 0, 0, 1), Answer(503, 0, 0, 1, "busy")]
    with pytest.raises(LocalError, match=r"order-000001 was answered 503 instead of 201: busy\."):
        opened.accept(orders, Outcome(0, 0, answers))
    assert opened.sales == []
    opened.accept(orders[:1], Outcome(0, 0, answers[:1]))
    assert (opened.sold_by(orders[0].merchant), opened.sold_by(1 - orders[0].merchant)) == (orders[:1], [])
