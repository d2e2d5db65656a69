"""The rules by which an order is paid at most once, without any storage."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import clock
from chassis.auth import FeePlan, Merchant
from chassis.errors import Conflict, IdempotencyMismatch, ValidationFailed
from chassis.operations import Intent
from functions.payments import model
from functions.payments.model import MAX_ATTEMPTS
from functions.payments.records import StoredPayment
from functions.payments.shapes import NewPayment, Status, WalletSource
from ledger.money import MAX_AMOUNT

WALLET = "wal_" + "a" * 24
MERCHANT = Merchant(
    id="mer_" + "a" * 24,
    status="active",
    cut_off="00:00",
    settlement_delay_days=2,
    fees={"GBP": FeePlan(basis_points=150, fixed=20), "JPY": FeePlan(basis_points=300, fixed=0)},
)
AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
LATER = AT + timedelta(minutes=1)


def order(**changes: Any) -> NewPayment:
    return NewPayment.model_validate(
        {"amount": 1000, "currency": "GBP", "source": {"wallet": WALLET}, **changes}
    )


def intent(key: str | None = None, asked: str = "this") -> Intent:
    return Intent(principal=MERCHANT.id, operation="POST /v1/payments/1", key=key, fingerprint=asked)


def asked(stored: StoredPayment | None = None, key: str | None = None, **changes: Any) -> StoredPayment:
    return model.attempt(
        stored, MERCHANT, "1", order(**changes), intent=intent(key), at=LATER if stored else AT
    )


def attempt(stored: StoredPayment | None = None, key: str | None = None, **changes: Any) -> StoredPayment:
    return model.succeeded(asked(stored, key, **changes), LATER if stored else AT)


def failed(times: int = 1) -> StoredPayment:
    payment = None
    for number in range(times):
        payment = model.failed(asked(payment, key=f"key {number}"), "insufficient_funds", LATER)
    assert payment is not None
    return payment


@pytest.mark.parametrize(
    ("basis_points", "fixed", "captured", "fee"),
    [
        (150, 20, 1000, 35),
        (0, 0, 1000, 0),
        (0, 20, 1, 20),
        (10_000, 0, 999, 999),
        (100, 0, 49, 0),
        (100, 0, 50, 1),  # half a unit is rounded up
        (100, 0, 149, 1),
        (100, 0, 150, 2),
    ],
)
def test_the_fee_is_a_share_rounded_half_up_plus_a_fixed_part(
    basis_points: int, fixed: int, captured: int, fee: int
) -> None:
    assert model.fee_of(FeePlan(basis_points=basis_points, fixed=fixed), captured) == fee


@given(
    st.integers(0, 10_000), st.integers(0, 1_000_000), st.integers(1, MAX_AMOUNT), st.integers(1, MAX_AMOUNT)
)
def test_the_fee_is_an_integer_within_half_a_unit_that_grows_with_the_amount(
    basis_points: int, fixed: int, one: int, other: int
) -> None:
    plan = FeePlan(basis_points=basis_points, fixed=fixed)
    fee = model.fee_of(plan, one)
    assert isinstance(fee, int)
    assert abs(10_000 * (fee - fixed) - one * basis_points) <= 5_000
    assert (one <= other) <= (fee <= model.fee_of(plan, other))


def test_an_attempt_that_gets_the_money_captures_all_of_it() -> None:
    paid = attempt(description="Order 1", metadata={"basket": "7"})
    assert (paid.status, paid.captured, paid.fee, paid.version) == (Status.CAPTURED, 1000, 35, 0)
    assert (paid.description, paid.metadata) == ("Order 1", {"basket": "7"})
    assert len(paid.entries) == 1
    assert paid.created_at == paid.updated_at == clock.timestamp(AT)


def test_a_refused_attempt_leaves_no_trace_of_money() -> None:
    payment = failed()
    assert (payment.status, payment.captured, payment.fee, payment.entries) == (Status.FAILED, 0, 0, ())
    assert payment.failure_code == payment.attempts[-1].failure_code == "insufficient_funds"


def test_a_further_attempt_keeps_the_earlier_ones_and_when_the_payment_began() -> None:
    paid = attempt(failed(), key="another")
    assert [tried.outcome for tried in paid.attempts] == [Status.FAILED, Status.CAPTURED]
    assert len({tried.attempt_id for tried in paid.attempts}) == 2
    assert (paid.created_at, paid.updated_at) == (clock.timestamp(AT), clock.timestamp(LATER))
    assert paid.failure_code is None


@pytest.mark.parametrize("changes", [{"amount": 1001}, {"currency": "JPY"}])
def test_the_first_attempt_fixes_amount_and_currency(changes: dict[str, Any]) -> None:
    with pytest.raises(Conflict, match="fixed the"):
        attempt(failed(), key="another", **changes)


def test_a_further_attempt_may_come_from_another_wallet() -> None:
    other = "wal_" + "b" * 24
    paid = attempt(failed(), key="another", source={"wallet": other})
    assert paid.shown().source == WalletSource(wallet=other)


def test_there_are_at_most_twenty_attempts() -> None:
    attempt(failed(MAX_ATTEMPTS - 1), key="the last")
    with pytest.raises(Conflict, match="20 times"):
        attempt(failed(MAX_ATTEMPTS), key="one too many")


def test_a_captured_order_takes_no_further_attempt() -> None:
    with pytest.raises(Conflict, match="is captured"):
        attempt(attempt(key="first"), key="second")


def test_a_currency_without_a_fee_plan_is_refused() -> None:
    with pytest.raises(ValidationFailed) as refusal:
        attempt(currency="EUR")
    assert refusal.value.faults[0].pointer == "/currency"


def test_a_known_key_stands_for_its_own_attempt_whatever_came_later() -> None:
    paid = attempt(failed(2), key="key 2")
    outcomes = [model.earlier_attempt(paid, intent(f"key {number}")) for number in range(3)]
    assert [tried.outcome for tried in outcomes if tried] == [Status.FAILED, Status.FAILED, Status.CAPTURED]


def test_a_known_key_with_another_body_is_a_mismatch() -> None:
    with pytest.raises(IdempotencyMismatch):
        model.earlier_attempt(failed(), intent("key 0", asked="something else"))


@pytest.mark.parametrize(
    ("asked", "repeats"), [pytest.param("this", True, id="same"), pytest.param("that", False, id="other")]
)
def test_an_unknown_key_repeats_a_capture_only_with_the_same_body(asked: str, repeats: bool) -> None:
    paid = attempt(failed(), key="paid")
    found = model.earlier_attempt(paid, intent("unknown", asked=asked))
    assert (found == paid.attempts[-1]) is repeats


def test_an_unknown_key_never_repeats_a_failure() -> None:
    assert model.earlier_attempt(failed(), intent("unknown")) is None


def test_without_a_key_the_body_stands_for_it() -> None:
    payment = model.failed(asked(), "insufficient_funds", LATER)
    assert model.earlier_attempt(payment, intent()) == payment.attempts[0]
    assert model.earlier_attempt(payment, replace(intent(), fingerprint="that")) is None


def test_what_is_shown_has_no_key_and_no_fingerprint() -> None:
    text = attempt(key="a secret of the caller").shown().model_dump_json()
    assert "a secret of the caller" not in text
    assert "fingerprint" not in text
    assert MERCHANT.id not in text
