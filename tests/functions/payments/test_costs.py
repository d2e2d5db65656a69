"""What holds, captures, cancellations and refunds cost the storage."""

from collections.abc import Callable
from typing import Any

import pytest

from chassis import observe
from chassis.errors import Conflict, InsufficientFunds
from functions.payments import actions, refunds
from functions.payments.shapes import Capture, NewPayment, NewRefund, WalletSource
from tests.conftest import Shop
from tests.functions.inside import Faulty, Inside, Time, conflict, lost

pytestmark = pytest.mark.usefixtures("engine")


class Till:
    """A shop's verbs, called in this process, which has read the shop's key already."""

    def __init__(self, shop: Shop) -> None:
        self.caller = Inside(shop.key)
        self.principal = self.caller.principal

    def authorize(self, wallet: str, amount: int = 1000) -> Callable[[], object]:
        new = NewPayment(amount=amount, currency="GBP", source=WalletSource(wallet=wallet), capture="manual")
        intent = self.caller.intent("POST /v1/payments/1", "key", asked=new.model_dump_json())
        return lambda: actions.pay(self.principal, intent, "1", new)

    def capture(self, amount: int | None = None) -> Callable[[], object]:
        return lambda: actions.capture(self.principal, "1", Capture(amount=amount))

    def cancel(self) -> object:
        return actions.cancel(self.principal, "1")

    def refund(self, amount: int | None = None, key: str = "key") -> Callable[[], object]:
        asked = NewRefund(amount=amount)
        intent = self.caller.intent("POST /v1/payments/1/refunds", key, asked=asked.model_dump_json())
        return lambda: refunds.refund(self.principal, intent, "1", asked)


@pytest.fixture
def till(shop: Shop) -> Till:
    return Till(shop)


def cost(work: Callable[[], object]) -> tuple[float, int, int]:
    """Write units, write calls and read calls."""
    with observe.metered() as counted:
        work()
    return counted.write_units, counted.write_calls, counted.read_calls


def refused(work: Callable[[], object], problem: type[Exception]) -> Callable[[], object]:
    def run() -> None:
        with pytest.raises(problem):
            work()

    return run


def test_an_authorization_costs_six_units_in_one_call_and_no_read(shop: Shop, till: Till) -> None:
    authorize = till.authorize(shop.wallet(1000))
    # Payment and hold, and the payment's entries in two indexes.
    assert cost(authorize) == (2 * 2 + 2, 1, 0)
    assert cost(authorize) == (2 * 2, 1, 0)


def test_a_refused_authorization_is_two_write_calls_and_no_read(shop: Shop, till: Till) -> None:
    authorize = till.authorize(shop.wallet())
    # The refused transaction at full price, then the payment and its index entry.
    assert cost(refused(authorize, InsufficientFunds)) == (2 * 2 + 2, 2, 0)
    assert cost(refused(authorize, InsufficientFunds)) == (2 * 2, 1, 0)


@pytest.mark.parametrize("amount", [None, 400], ids=["all of it", "a part"])
def test_a_capture_costs_seven_units_in_one_call_after_one_read(
    shop: Shop, till: Till, amount: int | None
) -> None:
    till.authorize(shop.wallet(1000))()
    # Payment, balance and entry, and the payment leaves the index of what is due.
    assert cost(till.capture(amount)) == (2 * 3 + 1, 1, 1)
    assert cost(till.capture(amount)) == (0, 0, 1)


def test_a_cancellation_costs_five_units_in_one_call_after_one_read(shop: Shop, till: Till) -> None:
    till.authorize(shop.wallet(1000))()
    assert cost(till.cancel) == (2 * 2 + 1, 1, 1)
    assert cost(till.cancel) == (0, 0, 1)


def test_a_refund_costs_eight_units_in_one_call_after_one_read(shop: Shop, till: Till) -> None:
    shop.pay("1", shop.wallet(1000), 1000)
    # Refund, payment, balance and entry.
    assert cost(till.refund(400)) == (2 * 4, 1, 1)
    assert cost(till.refund(400)) == (2 * 4, 1, 1)
    assert cost(till.refund(600, key="rest")) == (2 * 4, 1, 1)
    # Nothing is left to refund, so the refund itself is read instead of refused.
    assert cost(till.refund(600, key="rest")) == (0, 0, 2)
    assert cost(refused(till.refund(1, key="more"), Conflict)) == (0, 0, 2)


FAULTS = pytest.mark.parametrize(
    "faults", [(conflict, conflict), (lost,), (lost, conflict, lost)], ids=["conflicts", "lost", "both"]
)


@FAULTS
@pytest.mark.parametrize(
    ("verb", "body", "balance"),
    [("capture", {"amount": 400}, (600, 0)), ("cancel", None, (1000, 0))],
)
def test_storage_that_fails_midway_ends_a_hold_once(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    *,
    faults: Any,
    verb: str,
    body: Any,
    balance: tuple[int, int],
) -> None:
    wallet = shop.wallet(1000)
    shop.authorize("1", wallet, 1000)
    Time(monkeypatch)
    Faulty(monkeypatch, *faults)
    answer = Inside(shop.key)("POST", f"/v1/payments/1/{verb}", body)
    assert (answer.status, answer.is_replay) == (200, False)
    assert shop.balance(wallet) == balance


@FAULTS
def test_storage_that_fails_midway_refunds_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, faults: Any
) -> None:
    wallet = shop.wallet(1000)
    shop.pay("1", wallet, 1000)
    Time(monkeypatch)
    Faulty(monkeypatch, *faults)
    answer = Inside(shop.key)("POST", "/v1/payments/1/refunds", {"amount": 400}, idempotency_key="key")
    assert (answer.status, answer.is_replay) == (201, False)
    assert (shop.payment("1")["refunded"], shop.balance(wallet)) == (400, (400, 0))


@pytest.mark.parametrize("verb", ["capture", "cancel", "refunds"])
def test_conflicts_past_the_deadline_are_503_and_change_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    wallet = shop.wallet(1000)
    (shop.pay if verb == "refunds" else shop.authorize)("1", wallet, 1000)
    before, balance = shop.payment("1"), shop.balance(wallet)
    Time(monkeypatch)
    Faulty(monkeypatch, for_ever=conflict)
    answer = Inside(shop.key)("POST", f"/v1/payments/1/{verb}", idempotency_key="key")
    assert (answer.status, answer.code) == (503, "unavailable")
    assert (shop.payment("1"), shop.balance(wallet)) == (before, balance)
