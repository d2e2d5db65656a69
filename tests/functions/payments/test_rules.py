"""A payment's life as properties: whatever is asked in whatever order, money and status agree."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import clock, ids
from chassis.auth import FeePlan, Merchant
from chassis.errors import Conflict, Problem, ValidationFailed
from chassis.operations import Intent
from functions.payments import model, postings
from functions.payments.model import (
    AUTHORIZATION_DAYS,
    MAX_REFUNDS,
    TRANSITIONS,
    AuthorizationExpired,
    RefundExceedsCapture,
)
from functions.payments.records import StoredPayment, StoredRefund
from functions.payments.shapes import NewPayment, NewRefund, PaymentQuery, Status
from ledger.posting import entries, post

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
EXPIRED = AT + timedelta(days=AUTHORIZATION_DAYS)
MERCHANT = Merchant(
    id="mer_" + "a" * 24,
    status="active",
    cut_off="00:00",
    settlement_delay_days=2,
    fees={"GBP": FeePlan(basis_points=150, fixed=20)},
)


def asked(capture: str = "manual", amount: int = 1000) -> StoredPayment:
    source = {"wallet": "wal_" + "a" * 24}
    body = {"amount": amount, "currency": "GBP", "source": source, "capture": capture}
    intent = Intent(principal=MERCHANT.id, operation="POST", key="key", fingerprint="this")
    return model.attempt(None, MERCHANT, "1", NewPayment.model_validate(body), intent=intent, at=AT)


def attempt(capture: str = "manual", amount: int = 1000) -> StoredPayment:
    return model.succeeded(asked(capture, amount), AT)


def capture(payment: StoredPayment, amount: int | None, at: datetime = LATER) -> StoredPayment:
    return model.captured(payment, model.capturable(payment, amount, at), at)


def refund(payment: StoredPayment, amount: int | None = None) -> tuple[StoredPayment, StoredRefund]:
    made = model.new_refund(payment, ids.random("ref"), NewRefund(amount=amount), "this", LATER)
    return model.refunded(model.counting(payment), made, LATER)


MOVES: dict[str, Callable[[StoredPayment, int | None], StoredPayment]] = {
    "capture": capture,
    "cancel": lambda payment, _: model.canceled(payment, "requested", LATER),
    "expire": lambda payment, _: model.canceled(payment, "expired", EXPIRED),
    "refund": lambda payment, amount: refund(payment, amount)[0],
}
PAYMENTS = {
    Status.PROCESSING: asked(),
    Status.AUTHORIZED: attempt(),
    Status.CAPTURED: attempt("automatic"),
    Status.PARTIALLY_REFUNDED: refund(attempt("automatic"), 1)[0],
    Status.REFUNDED: refund(attempt("automatic"))[0],
    Status.FAILED: model.failed(asked(), "insufficient_funds", LATER),
    Status.CANCELED: model.canceled(attempt(), "requested", LATER),
}
"""One of each status."""


def test_every_status_has_its_transitions_and_an_example() -> None:
    assert set(TRANSITIONS) == set(PAYMENTS) == set(Status)
    assert all(payment.status is status for status, payment in PAYMENTS.items())
    assert {status for status, after in TRANSITIONS.items() if not after} == {
        Status.REFUNDED,
        Status.CANCELED,
    }


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("move", MOVES)
def test_a_move_is_a_declared_transition_or_a_conflict(before: Status, move: str) -> None:
    allowed = {
        "capture": {Status.AUTHORIZED},
        "cancel": {Status.AUTHORIZED},
        "expire": {Status.AUTHORIZED},
        "refund": {Status.CAPTURED, Status.PARTIALLY_REFUNDED},
    }[move]
    payment = PAYMENTS[before]
    if before in allowed:
        after = MOVES[move](payment, None)
        assert after.status in TRANSITIONS[before]
        assert after.updated_at > payment.created_at
    else:
        with pytest.raises(Conflict, match=f"is {before}"):
            MOVES[move](payment, None)


@given(
    st.integers(1, 10**12),
    st.sampled_from(["manual", "automatic"]),
    st.lists(st.tuples(st.sampled_from(sorted(MOVES)), st.none() | st.integers(1, 10**12)), max_size=30),
    st.floats(0, 1.1),
)
def test_refunds_never_exceed_the_capture_nor_this_the_authorization(
    amount: int, mode: str, moves: list[tuple[str, int | None]], share: float
) -> None:
    payment = attempt(mode, amount)
    for move, wanted in moves:
        # Some of the amounts are near what there is, others anything.
        part = wanted if wanted is None or wanted % 2 else max(1, int(payment.amount * share / 3))
        before = payment
        try:
            payment = MOVES[move](payment, part)
        except Problem:
            continue
        assert payment.status in TRANSITIONS[before.status]
        assert 0 <= payment.refunded <= payment.captured <= payment.amount == amount
        assert payment.refundable == payment.captured - payment.refunded >= 0
        assert (payment.status is Status.REFUNDED) == (payment.captured == payment.refunded > 0)
        assert (payment.status is Status.PARTIALLY_REFUNDED) == (0 < payment.refunded < payment.captured)
        assert (payment.captured > 0) == bool(payment.entries)
        if before.captured:
            assert (payment.fee, payment.entries) == (before.fee, before.entries)


@given(st.integers(1, 10**12), st.data())
def test_a_capture_moves_what_it_takes_and_releases_the_rest(amount: int, data: Any) -> None:
    taken = data.draw(st.integers(1, amount))
    payment = capture(attempt(amount=amount), taken)
    assert payment.fee == model.fee_of(payment.fee_plan, taken)
    (release, entry) = post(postings.capture_posting(payment))
    assert release.add["held"] == -amount
    assert release.add.get("available", 0) == amount - taken
    assert entry.item
    assert entry.item["amount"] == taken
    assert payment.entries == (entries(postings.capture_posting(payment))[0].id,)


def test_an_automatic_capture_takes_from_what_is_available() -> None:
    (debit, _) = post(postings.capture_posting(attempt("automatic")))
    assert debit.add == {"available": -1000, "version": 1}


@pytest.mark.parametrize("amount", [1001, 10**12])
def test_a_capture_of_more_than_was_authorized_is_pointed_at(amount: int) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        capture(attempt(), amount)
    assert refusal.value.faults[0].pointer == "/amount"


@pytest.mark.parametrize(
    ("seconds", "expired"), [(-1, False), (-0.000_001, False), (0, True), (0.000_001, True), (10**7, True)]
)
def test_an_authorization_ends_after_seven_days_to_the_microsecond(seconds: float, expired: bool) -> None:
    payment = attempt()
    moment = EXPIRED + timedelta(seconds=seconds)
    assert payment.expires_at == clock.timestamp(EXPIRED)
    assert model.is_expired(payment, moment) is expired
    if expired:
        with pytest.raises(AuthorizationExpired):
            capture(payment, None, moment)
    else:
        assert capture(payment, None, moment).status is Status.CAPTURED


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.AUTHORIZED}))
def test_only_an_authorization_expires(status: Status) -> None:
    assert not model.is_expired(PAYMENTS[status], EXPIRED + timedelta(days=365))


@pytest.mark.parametrize(
    ("captured", "asked", "same"),
    [(1000, None, True), (1000, 1000, True), (1000, 999, False), (400, 400, True), (400, None, False)],
)
def test_a_capture_repeats_the_one_of_the_same_amount(captured: int, asked: int | None, same: bool) -> None:
    payment = capture(attempt(), captured)
    assert model.is_captured_already(payment, asked) is same
    assert model.is_captured_already(refund(payment)[0], asked) is same
    assert not model.is_captured_already(attempt(), asked)


def test_a_refund_without_an_amount_is_of_all_that_is_left() -> None:
    payment, first = refund(attempt("automatic"), 300)
    payment, rest = refund(payment)
    assert (first.amount, rest.amount, payment.refunds, payment.status) == (300, 700, 2, Status.REFUNDED)
    with pytest.raises(Conflict, match="is refunded"):
        refund(payment, 1)


def test_a_refund_of_more_than_is_left_is_refused() -> None:
    payment, _ = refund(attempt("automatic"), 300)
    with pytest.raises(RefundExceedsCapture, match="700 left"):
        refund(payment, 701)


def test_a_payment_is_refunded_a_hundred_times_at_most() -> None:
    payment = attempt("automatic")
    for _ in range(MAX_REFUNDS):
        payment, _ = refund(payment, 1)
    with pytest.raises(Conflict, match="100 times"):
        refund(payment, 1)


def test_a_refund_is_posted_whatever_the_wallets_status_and_holder() -> None:
    payment = attempt("automatic")
    _, made = refund(payment, 300)
    credit, entry = post(postings.refund_posting(payment, made))
    assert {condition.attribute for condition in credit.conditions} == {"pk", "currency"}
    assert credit.add["available"] == 300
    assert entry.item
    assert made.shown().entry == made.entry


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("asked", [None, *Status])
def test_a_list_is_filtered_by_status(status: Status, asked: Status | None) -> None:
    assert PaymentQuery(status=asked).keeps(PAYMENTS[status].shown()) is (asked in {None, status})
