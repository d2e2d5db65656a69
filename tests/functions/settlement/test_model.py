"""The rules of settlement: days, sums, what is carried over, and what a release moves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from chassis import clock, ids
from functions.payments.model import settlement_window
from functions.settlement import model, postings
from functions.settlement.records import Carry, Line, StoredSettlement, net_of
from functions.settlement.shapes import SettlementEvent
from ledger.reasons import Kind, Reason
from tests.functions.settlement.deliveries import AVAILABLE, TODAY, TOMORROW, captured, refunded

MERCHANT = ids.derive("mer", "test")
AT = datetime(2026, 11, 26, 0, 6, tzinfo=UTC)
EVENTS: TypeAdapter[SettlementEvent] = TypeAdapter(SettlementEvent)


def line(*event: object, **more: object) -> Line:
    return model.line_of(EVENTS.validate_python(captured(MERCHANT, *event, **more)))  # type: ignore[arg-type]


def back(*event: object, **more: object) -> Line:
    return model.line_of(EVENTS.validate_python(refunded(MERCHANT, *event, **more)))  # type: ignore[arg-type]


def settlement(**changes: object) -> StoredSettlement:
    opened = model.opened([line("1")], TODAY)
    return opened.model_copy(update={"version": 1, **changes})


def of(sums: tuple[int, int, int]) -> StoredSettlement:
    """An open settlement that has counted so much: captured, refunded, fees."""
    return settlement(captured=sums[0], refunded=sums[1], fees=sums[2])


@pytest.mark.parametrize(
    ("cut_off", "at", "ends"),
    [
        ("00:00", "2026-11-25T00:00:00+00:00", "2026-11-26T00:00:00.000000Z"),
        ("00:00", "2026-11-25T23:59:59.999999+00:00", "2026-11-26T00:00:00.000000Z"),
        ("17:30", "2026-11-25T17:29:59.999999+00:00", "2026-11-25T17:30:00.000000Z"),
        ("17:30", "2026-11-25T17:30:00+00:00", "2026-11-26T17:30:00.000000Z"),
        ("00:00", "2026-12-31T12:00:00+00:00", "2027-01-01T00:00:00.000000Z"),
        ("23:59", "2028-02-28T23:59:00+00:00", "2028-02-29T23:59:00.000000Z"),
    ],
)
def test_a_settlement_day_ends_at_the_next_cut_off(cut_off: str, at: str, ends: str) -> None:
    assert settlement_window(cut_off, datetime.fromisoformat(at)) == ends


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 10**15))
def test_every_moment_belongs_to_one_day_of_24_hours(hour: int, minute: int, microseconds: int) -> None:
    cut_off, at = f"{hour:02}:{minute:02}", AT + timedelta(microseconds=microseconds)
    window = datetime.fromisoformat(settlement_window(cut_off, at))
    assert timedelta() < window - at <= timedelta(days=1)
    assert settlement_window(cut_off, window - timedelta(microseconds=1)) == clock.timestamp(window)


@given(st.integers(-3, 400), st.integers(0, 86_399))
def test_what_comes_too_late_goes_to_the_first_day_that_has_not_ended(days: int, seconds: int) -> None:
    window = datetime.fromisoformat(TODAY)
    at = window + timedelta(days=days, seconds=seconds)
    target = datetime.fromisoformat(model.following(TODAY, at))
    assert target > max(at, window)
    assert target - max(at, window) <= timedelta(days=1)
    assert (target - window) % timedelta(days=1) == timedelta()


def test_a_late_line_is_as_long_delayed_as_it_would_have_been() -> None:
    late = model.opened([line("1")], TOMORROW)
    assert (late.window, late.available_at) == (TOMORROW, AVAILABLE[TOMORROW])
    assert late.id != model.opened([line("1")], TODAY).id


def test_of_several_delays_the_longest_counts() -> None:
    slow = replace(line("2"), available_at=AVAILABLE[TOMORROW])
    for lines in ([line("1"), slow], [slow, line("1")]):
        assert model.opened(lines, TODAY).available_at == AVAILABLE[TOMORROW]


def test_lines_add_up_by_kind() -> None:
    lines = [line("1", 1000, 35), line("2", 500, 0), back("1", 400)]
    assert model.sums(lines) == {
        "payments": 2,
        "captured": 1500,
        "refunds": 1,
        "refunded": 400,
        "fees": 35,
    }
    net = sum(net_of(each.amount, each.fee, is_refund=each.type == "refund") for each in lines)
    assert net == of((1500, 400, 35)).net
    assert model.sums([]) == {}


def test_lines_are_gathered_by_merchant_currency_and_day_each_event_once() -> None:
    mine = [line("1"), line("2", window=TOMORROW), line("3", currency="EUR"), line("1"), back("1")]
    groups = model.by_settlement(mine)
    assert [[each.order_id for each in group] for group in groups] == [["1", "1"], ["2"], ["3"]]
    assert [each.type for each in groups[0]] == ["payment", "refund"]


@pytest.mark.parametrize(
    ("sums", "carried_in", "paid", "left"),
    [
        ((1000, 0, 35), 0, 965, 0),
        ((1000, 400, 35), -100, 465, 0),
        ((1000, 965, 35), 0, 0, 0),
        ((0, 400, 0), 0, 0, -400),
        ((1000, 0, 35), -965, 0, 0),
        ((1000, 400, 35), -900, 0, -335),
    ],
)
def test_a_negative_net_is_carried_over_and_never_paid(
    sums: tuple[int, int, int], carried_in: int, paid: int, left: int
) -> None:
    before = of(sums)
    carry = Carry(currency="GBP", amount=carried_in, settlement="stl_before" if carried_in else None)
    closed, after = model.closed(before, carry, AT)
    assert closed.net == sums[0] - sums[1] - sums[2] + carried_in
    assert (closed.paid, closed.carried_out) == (paid, left)
    assert closed.carried_from == carry.settlement
    assert (after.amount, after.settlement) == (left, closed.id if left else None)
    assert before.pending + carry.amount == closed.pending + after.amount
    assert model.released(closed, AT).pending == 0


SUMS = st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 50))


@given(st.lists(SUMS, max_size=8))
def test_over_any_days_nothing_is_made_or_lost(days: list[tuple[int, int, int]]) -> None:
    carry = Carry(currency="GBP")
    moved = {Reason.NET_SETTLEMENT: 0, Reason.FEE: 0}
    for sums in days:
        closed, carry = model.closed(of(sums), carry, AT)
        for movement in postings.of_release(model.released(closed, AT)):
            assert movement.source.kind is Kind.MERCHANT_PENDING
            moved[movement.reason] += movement.amount
    assert carry.amount <= 0
    assert moved[Reason.FEE] == sum(fees for _, _, fees in days)
    assert moved[Reason.NET_SETTLEMENT] + carry.amount == sum(sums[0] - sums[1] - sums[2] for sums in days)


def test_a_settlement_moves_in_one_direction_only() -> None:
    closed, carry = model.closed(settlement(captured=5), Carry(currency="GBP"), AT)
    released = model.released(closed, AT)
    for wrong in (closed, released):
        with pytest.raises(ValueError, match="cannot be closed"):
            model.closed(wrong, carry, AT)
    for wrong in (settlement(), released):
        with pytest.raises(ValueError, match="cannot be released"):
            model.released(wrong, AT)


def test_a_release_without_money_moves_none() -> None:
    closed, _ = model.closed(settlement(refunded=400), Carry(currency="GBP"), AT)
    released = model.released(closed, AT)
    assert postings.of_release(released) == ()
    assert released.entries == ()
