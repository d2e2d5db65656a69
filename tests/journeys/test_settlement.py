"""Settlement as a merchant sees it: orders paid over HTTP are counted, closed, released, and traced."""

import csv
import io
import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from chassis import aws, events
from local import dead_letters
from local.system import System
from tests.conftest import Shop, _reconnect, connect, onboard
from tests.journeys.test_clock import tael
from tests.journeys.till import await_until

QUEUE = "settlement-lines"


@pytest.fixture(scope="module")
def operator(moved: System) -> Iterator[httpx.Client]:
    with connect(moved, moved.platform_key) as client:
        yield client


@pytest.fixture
def open_shop(moved: System, operator: httpx.Client) -> Iterator[Callable[..., Shop]]:
    shops: list[Shop] = []

    def onboard_one(**changes: object) -> Shop:
        shops.append(onboard(moved, operator, **changes))
        return shops[-1]

    yield onboard_one
    for shop in shops:
        shop.http.close()


@pytest.fixture
def here(moved: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process's own `chassis`, connected to the moved system's engine."""
    with monkeypatch.context() as patched:
        for name, value in moved.environment.items():
            patched.setenv(name, value)
        _reconnect()
        yield
    _reconnect()


def balance(shop: Shop, currency: str = "GBP") -> tuple[int, int]:
    """What is pending, and what can be paid out."""
    found = {each["currency"]: each for each in shop.http.get("/v1/balance").json()["data"]}
    return found[currency]["pending"], found[currency]["available"]


def settlements(shop: Shop, **query: str) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = shop.http.get("/v1/settlements", params=query).json()["data"]
    return listed


def await_balance(shop: Shop, pending: int, available: int, currency: str = "GBP") -> None:
    await_until(lambda: balance(shop, currency) == (pending, available))


def advance(system: System, span: str) -> None:
    assert tael(system.state.path, "clock", "advance", span).exit_code == 0


def test_from_orders_to_available_money_and_back_to_each_order(
    moved: System, open_shop: Callable[..., Shop]
) -> None:
    shop = open_shop()
    assert balance(shop) == (0, 0)
    wallet = shop.wallet(10_000)
    for order, amount in (("a", 1000), ("b", 2000), ("c", 500)):
        assert shop.pay(order, wallet, amount).status_code == 201
    shop.refund("b", 700)
    net = 3500 - 700 - (35 + 50 + 28)
    await_balance(shop, net, 0)
    (settlement,) = settlements(shop)
    assert (settlement["status"], settlement["net"]) == ("open", net)
    assert settlement["window"] == shop.payment("a")["settlement_window"]

    advance(moved, "1d1h")
    await_until(lambda: settlements(shop)[0]["status"] == "closed")
    assert balance(shop) == (net, 0)
    advance(moved, "2d")
    await_balance(shop, 0, net)
    (released,) = settlements(shop, status="released", currency="GBP")
    assert settlements(shop, status="open") == settlements(shop, currency="EUR") == []

    path = f"/v1/settlements/{released['id']}"
    lines = shop.http.get(f"{path}/payments").json()["data"]
    assert sorted((line["type"], line["order_id"]) for line in lines) == [
        ("payment", "a"),
        ("payment", "b"),
        ("payment", "c"),
        ("refund", "b"),
    ]
    assert sum(line["net"] for line in lines) == released["net"] == net
    exported = shop.http.get(path, headers={"Accept": "text/csv"})
    assert exported.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(exported.text)))
    assert sum(int(row["net"]) for row in rows) == net
    for preferred in ("text/csv;q=0.5, application/json", "*/*", "application/json"):
        assert shop.http.get(path, headers={"Accept": preferred}).json()["id"] == released["id"]

    entries = [shop.http.get(f"/v1/ledger/entries/{entry}").json() for entry in released["entries"]]  # type: ignore[attr-defined]
    assert {(entry["reason"], entry["amount"]) for entry in entries} == {
        ("fee", 113),
        ("net_settlement", net),
    }
    account = shop.http.get(f"/v1/ledger/accounts/merchant_available:{shop.id}:GBP").json()
    assert (account["balance"], account["holder"]) == (net, shop.id)
    assert shop.pending() == 0


def test_a_refund_after_the_release_lowers_the_next_settlement(
    moved: System, open_shop: Callable[..., Shop]
) -> None:
    shop = open_shop(settlement_delay_days=0, fee={"basis_points": 0, "fixed": 0})
    wallet = shop.wallet(10_000)
    shop.pay("1", wallet, 1000)
    await_balance(shop, 1000, 0)
    advance(moved, "1d1h")
    await_balance(shop, 0, 1000)
    # More is refunded than the open settlement has: what is available stays, and what is pending is negative.
    shop.refund("1", 1000)
    await_balance(shop, -1000, 1000)
    advance(moved, "1d")
    await_until(lambda: settlements(shop)[0]["status"] == "released")
    assert balance(shop) == (-1000, 1000)
    shop.pay("2", wallet, 1500)
    await_balance(shop, 500, 1000)
    advance(moved, "1d")
    await_balance(shop, 0, 1500)
    last, lacking, _ = settlements(shop)
    assert (lacking["carried_out"], last["carried_in"], last["carried_from"]) == (-1000, -1000, lacking["id"])


def test_currencies_and_their_decimals_are_settled_apart(
    moved: System, open_shop: Callable[..., Shop]
) -> None:
    plans = {"JPY": {"basis_points": 100, "fixed": 0}, "KWD": {"basis_points": 0, "fixed": 5}}
    shop = open_shop(settlement_delay_days=0, fees=plans)
    for currency, amount in (("JPY", 1234), ("KWD", 12_345), ("GBP", 1000)):
        paid = shop.pay(currency, shop.wallet(amount, currency), amount, currency=currency)
        assert paid.status_code == 201, paid.text
    for currency, net in (("JPY", 1222), ("KWD", 12_340), ("GBP", 965)):
        await_balance(shop, net, 0, currency)
    advance(moved, "1d1h")
    for currency, net in (("JPY", 1222), ("KWD", 12_340), ("GBP", 965)):
        await_balance(shop, 0, net, currency)


def test_another_merchant_s_settlement_is_not_there(open_shop: Callable[..., Shop]) -> None:
    shop, other = open_shop(), open_shop()
    shop.pay("1", shop.wallet(1000), 1000)
    await_balance(shop, 965, 0)
    (settlement,) = settlements(shop)
    for path in (f"/v1/settlements/{settlement['id']}", f"/v1/settlements/{settlement['id']}/payments"):
        assert shop.http.get(path).status_code == 200
        assert other.http.get(path).status_code == 404
        assert other.http.get(path, headers={"Accept": "text/csv"}).status_code == 404
    assert settlements(other) == []
    assert balance(other) == (0, 0)


@pytest.mark.usefixtures("here")
def test_a_poison_message_dies_alone_and_can_be_sent_again(
    moved: System, open_shop: Callable[..., Shop]
) -> None:
    shop = open_shop()
    sqs, url = aws.client("sqs"), events.queue_url(QUEUE)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    before = dead_letters.counts()[QUEUE]
    wallet = shop.wallet(10_000)
    # A receive that began before the timeout was shortened still hides what it gets for the longer one.
    shop.pay("before", wallet, 100)
    await_until(lambda: settlements(shop) != [])
    poison = {"id": "evt_poison", "type": "payment.captured"}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(poison))
    for number in range(8):
        shop.pay(str(number), wallet, 100)
    await_until(lambda: settlements(shop)[0]["payments"] == 9)

    await_until(lambda: dead_letters.counts()[QUEUE] == before + 1, 60)
    shown = tael(moved.state.path, "dlq", "list", QUEUE)
    assert "evt_poison" in shown.stdout
    assert f"{before + 1:6}  {QUEUE}" in tael(moved.state.path, "dlq", "list").stdout
    assert f"{before + 1} sent back to {QUEUE}" in tael(moved.state.path, "dlq", "redrive", QUEUE).stdout
    assert dead_letters.counts()[QUEUE] == before
    assert settlements(shop)[0]["payments"] == 9


@pytest.mark.usefixtures("here")
def test_what_a_queue_has_lost_is_told_again(moved: System, open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    sqs = aws.client("sqs")
    kept = events.queue_url(QUEUE)
    wallet = shop.wallet(10_000)
    shop.pay("counted", wallet, 100)
    await_until(lambda: settlements(shop) != [])
    # Nobody takes what is told meanwhile, and then it is gone.
    sqs.set_queue_attributes(QueueUrl=kept, Attributes={"DelaySeconds": "900"})
    shop.pay("lost", wallet, 100)
    await_until(lambda: _waiting(kept) > 0)
    sqs.purge_queue(QueueUrl=kept)
    sqs.set_queue_attributes(QueueUrl=kept, Attributes={"DelaySeconds": "0"})
    assert tael(moved.state.path, "run", "payments.republish").exit_code == 0
    await_until(lambda: settlements(shop)[0]["payments"] == 2)
    lines = shop.http.get(f"/v1/settlements/{settlements(shop)[0]['id']}/payments").json()["data"]
    assert sorted(line["order_id"] for line in lines) == ["counted", "lost"]


def _waiting(url: str) -> int:
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    found = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, found.values()))
