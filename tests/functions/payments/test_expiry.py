"""Authorizations that nobody may capture any more are released, exactly these, by the schedule."""

import json
from typing import Any

import pytest

from chassis import clock, store
from chassis.errors import Unavailable
from chassis.writes import Write
from functions.payments import app, model, table
from ledger import accounts, balances
from runtime.schedules import Ticker, scheduled_event
from tests.conftest import Shop
from tests.functions.inside import Inside, days_later

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture(autouse=True)
def _nothing_else_is_due(engine: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests have authorized is out of the way; in this module it is 30 days later."""
    days_later(monkeypatch, 1000)
    run()
    days_later(monkeypatch, 30)


def run() -> int:
    """What Lambda does when EventBridge's event arrives; returns how many were released."""
    done: int = app.expire(scheduled_event(), None)["done"]
    return done


def authorize(shop: Shop, wallet: str, *orders: str) -> None:
    for order in orders:
        body = {"amount": 100, "currency": "GBP", "source": {"wallet": wallet}, "capture": "manual"}
        assert Inside(shop.key)("POST", f"/v1/payments/{order}", body).status == 201


def statuses(shop: Shop, *orders: str) -> list[str]:
    return [shop.payment(order)["status"] for order in orders]


def test_what_is_due_is_released_and_what_is_not_is_left_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = shop.wallet(1000)
    authorize(shop, wallet, "old", "older", "captured", "canceled")
    Inside(shop.key)("POST", "/v1/payments/captured/capture", {"amount": 30})
    Inside(shop.key)("POST", "/v1/payments/canceled/cancel")
    days_later(monkeypatch, 31)
    authorize(shop, wallet, "young")
    days_later(monkeypatch, 30 + model.AUTHORIZATION_DAYS)
    untouched = [shop.payment(order) for order in ("captured", "canceled", "young")]

    assert run() == 2

    for order in ("old", "older"):
        payment = shop.payment(order)
        assert (payment["status"], payment["cancellation_reason"]) == ("canceled", "expired")
        assert payment["updated_at"] >= payment["expires_at"]
    assert [shop.payment(order) for order in ("captured", "canceled", "young")] == untouched
    assert shop.balance(wallet) == (1000 - 30 - 100, 100)


def test_nothing_is_released_before_its_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    wallet = shop.wallet(100)
    authorize(shop, wallet, "1")
    days_later(monkeypatch, 30 + model.AUTHORIZATION_DAYS - 0.01)
    assert run() == 0
    assert (statuses(shop, "1"), shop.balance(wallet)) == (["authorized"], (0, 100))


def test_running_again_releases_nothing_more(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    wallet = shop.wallet(300)
    authorize(shop, wallet, "1", "2", "3")
    days_later(monkeypatch, 40)
    assert (run(), run(), run()) == (3, 0, 0)
    assert shop.balance(wallet) == (300, 0)


@pytest.mark.parametrize("change", ["freeze", "unfreeze"])
def test_a_hold_of_a_frozen_wallet_is_released(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    wallet = shop.wallet(100)
    authorize(shop, wallet, "1")
    shop.become(wallet, "freeze")
    shop.become(wallet, change)
    days_later(monkeypatch, 40)
    assert run() == 1
    assert shop.balance(wallet) == (100, 0)


def fail_for(monkeypatch: pytest.MonkeyPatch, order: str, failure: Exception) -> None:
    """No commit that has to do with that order succeeds."""
    commit = store.commit

    def failing(*writes: Write) -> None:
        if any(str(write.key["pk"]).endswith(f"#{order}") for write in writes):
            raise failure
        commit(*writes)

    monkeypatch.setattr(store, "commit", failing)


@pytest.mark.parametrize("failure", [Unavailable(), RuntimeError("a defect")], ids=["refused", "defect"])
def test_one_that_cannot_be_released_keeps_no_other_from_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    wallet = shop.wallet(1000)
    orders = [str(number) for number in range(8)]
    authorize(shop, wallet, *orders)
    days_later(monkeypatch, 40)
    bad, *others = (payment.order_id for payment in table.due(clock.now()))
    assert sorted([bad, *others]) == orders
    with monkeypatch.context() as failing:
        fail_for(failing, bad, failure)
        with pytest.raises(type(failure)):
            run()
    assert statuses(shop, bad, *others) == ["authorized"] + ["canceled"] * len(others)
    assert run() == 1
    assert shop.balance(wallet) == (1000, 0)


def test_one_whose_hold_is_not_there_keeps_no_other_from_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = shop.wallet(100), shop.wallet(100)
    authorize(shop, broken, "broken")
    authorize(shop, sound, "sound")
    days_later(monkeypatch, 40)
    stored = table.payment(shop.id, "broken")
    assert stored
    release = balances.release(accounts.wallet(broken), 100)
    store.commit(release)
    with pytest.raises(Exception, match="holds less"):
        run()
    assert statuses(shop, "broken", "sound") == ["authorized", "canceled"]
    store.commit(balances.hold(accounts.wallet(broken), 100, "GBP", None))
    assert run() == 1


def only_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one line that was logged."""
    (line,) = capsys.readouterr().out.splitlines()
    told: dict[str, Any] = json.loads(line)
    return told


def test_a_run_leaves_one_line_with_its_outcome(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    authorize(shop, shop.wallet(100), "1")
    days_later(monkeypatch, 40)
    capsys.readouterr()
    event = scheduled_event()
    app.expire(event, None)
    line = only_line(capsys)
    told = {
        "service": "payments",
        "level": "INFO",
        "operation": "schedule expire",
        "request_id": event["id"],
        "status": 200,
        "outcome": "ok",
        "write_units": 5,
        "write_calls": 1,
    }
    assert {name: line[name] for name in told} == told


def test_a_run_that_fails_says_so_in_its_line(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    authorize(shop, shop.wallet(100), "1")
    days_later(monkeypatch, 40)
    fail_for(monkeypatch, "1", Unavailable())
    capsys.readouterr()
    with pytest.raises(Unavailable):
        run()
    line = only_line(capsys)
    assert (line["level"], line["status"], line["outcome"]) == ("ERROR", 500, "internal_error")
    assert line["exception"][-1] == "Unavailable"


def test_each_minutes_tick_releases_what_is_due(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    wallet = shop.wallet(200)
    ticker = Ticker([app.service])
    authorize(shop, wallet, "1")
    days_later(monkeypatch, 31)
    ticker.tick()
    assert statuses(shop, "1") == ["authorized"]
    days_later(monkeypatch, 40)
    ticker.tick()
    assert statuses(shop, "1") == ["canceled"]
    authorize(shop, wallet, "2")
    days_later(monkeypatch, 50)
    with monkeypatch.context() as failing:
        fail_for(failing, "2", Unavailable())
        ticker.tick()
    assert statuses(shop, "2") == ["authorized"]
    days_later(monkeypatch, 51)
    ticker.tick()
    assert statuses(shop, "2") == ["canceled"]
