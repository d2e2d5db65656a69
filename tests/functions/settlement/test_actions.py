"""Settlement on the engine: each event is counted once, whatever comes when, and every step is one commit."""

import csv
import io
import itertools
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from chassis import clock, ids, observe, paging, store
from chassis.auth import FeePlan, Merchant, Principal
from chassis.errors import NotFound, Unavailable, ValidationFailed
from chassis.paging import PageQuery
from chassis.writes import Write
from functions.settlement import actions, records, table
from functions.settlement.actions import TooLarge
from functions.settlement.records import Line, StoredSettlement
from functions.settlement.shapes import CurrencyPosition, SettlementQuery
from ledger import accounts, journal
from tests.conftest import SEED
from tests.functions.inside import Faulty, Time, conflict, lost
from tests.functions.settlement.deliveries import (
    TODAY,
    TOMORROW,
    Event,
    captured,
    changed,
    count,
    deliver,
    deliver_all,
    found,
    mortal,
    orders_of,
    refunded,
)
from tests.journeys.together import together

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def merchant() -> str:
    return ids.random("mer")


def principal(merchant_id: str) -> Principal:
    plan = FeePlan(basis_points=0, fixed=0)
    known = Merchant(
        id=merchant_id, status="active", fees={"GBP": plan}, cut_off="00:00", settlement_delay_days=2
    )
    return Principal(is_platform=False, merchant=known)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the calendar of this process, `YYYY-MM-DDTHH:MM`."""

    def set_to(moment: str) -> None:
        fixed = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda: fixed)

    return set_to


def settle(merchant_id: str) -> None:
    """What the schedule does, for one merchant: others' settlements on the same engine are not ours."""
    for step, due in ((actions._close, "open"), (actions._release, "closed")):
        for settlement in list(table.unreleased(merchant_id)):
            threshold = settlement.window if due == "open" else settlement.available_at
            ready = datetime.fromisoformat(threshold) <= clock.now()
            if settlement.status == due and ready:
                step(settlement)


def test_captured_payments_and_refunds_add_up_and_are_listed(merchant: str) -> None:
    assert deliver(captured(merchant, "1"), captured(merchant, "2", 500, 10), refunded(merchant, "1")) == []
    settlement = found(merchant)
    assert (settlement.payments, settlement.captured, settlement.fees) == (2, 1500, 45)
    assert (settlement.refunds, settlement.refunded) == (1, 400)
    assert (settlement.status, settlement.net) == ("open", 1055)
    lines = [(line.type, line.order_id, line.net) for line in table.all_lines(settlement.id)]
    assert lines == [("refund", "1", -400), ("payment", "2", 490), ("payment", "1", 965)]


def test_an_event_is_counted_once_however_often_and_wherever_it_comes(merchant: str) -> None:
    events = [captured(merchant, str(number)) for number in range(120)]
    for batch in (events[:70], events[30:], [*events, *events]):
        assert deliver(*batch) == []
    assert (found(merchant).payments, found(merchant).version) == (120, 2)
    assert Counter(orders_of(found(merchant))) == Counter(str(number) for number in range(120))


def test_twenty_handlers_at_once_count_each_event_once(merchant: str) -> None:
    events = [captured(merchant, str(number)) for number in range(30)]
    batches = [random.sample(events, 20) for _ in range(20)]
    assert together([partial(deliver, *batch) for batch in batches]) == [[]] * 20
    settlement = found(merchant)
    assert settlement.payments == len(set(orders_of(settlement))) == len(orders_of(settlement))
    assert settlement.captured == 1000 * settlement.payments


@pytest.mark.parametrize("faults", [(conflict, conflict), (lost,), (lost, conflict, lost)])
def test_storage_that_fails_midway_counts_once(
    merchant: str, monkeypatch: pytest.MonkeyPatch, faults: tuple[Callable[..., object], ...]
) -> None:
    Time(monkeypatch)
    Faulty(monkeypatch, *faults)
    assert deliver(captured(merchant, "1"), captured(merchant, "2")) == []
    assert found(merchant).payments == 2


def test_what_cannot_be_stored_in_time_comes_again_and_nothing_else_does(
    merchant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ids.random("mer")
    commit = store.commit

    def refusing(*writes: Write) -> None:
        if any(str(write.key["pk"]).startswith(merchant) for write in writes):
            raise Unavailable
        commit(*writes)

    monkeypatch.setattr(store, "commit", refusing)
    assert deliver(captured(merchant, "1"), captured(other, "1"), captured(merchant, "2")) == [0, 2]
    monkeypatch.undo()
    assert found(other).payments == 1
    assert deliver(captured(merchant, "1"), captured(merchant, "2")) == []
    assert found(merchant).payments == 2


POISON = [
    "no JSON",
    "{}",
    captured("mer_short", "1"),
    captured("mer_" + "a" * 24, "1", 0),
    captured("mer_" + "a" * 24, "1", currency="XXX"),
    {**captured("mer_" + "a" * 24, "1"), "type": "payment.unheard"},
    {**captured("mer_" + "a" * 24, "1"), "id": "evt_1"},
    captured("mer_" + "a" * 24, "1", fee=10**40),
    changed(captured("mer_" + "a" * 24, "1"), captured_at="2096-11-25T25:00:00.000000Z"),
    changed(captured("mer_" + "a" * 24, "1"), available_at="2096-13-25T12:00:00.000000Z"),
]


def test_what_no_rule_foresees_fails_alone_too(merchant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = records.packed

    def choking(line: Line) -> list[str | int]:
        if line.order_id == "bad":
            raise ArithmeticError
        return packed(line)

    monkeypatch.setattr(table, "packed", choking)
    names = ["1", "2", "bad", "3"]
    assert deliver(*(captured(merchant, name) for name in names)) == [2]
    assert found(merchant).payments == 3


def test_what_is_not_counted_in_time_comes_again(merchant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "SWEEP_SECONDS", -1)
    assert deliver(captured(merchant, "1"), captured(merchant, "2")) == [0, 1]


def test_poison_fails_alone(merchant: str) -> None:
    good = [captured(merchant, str(number)) for number in range(3)]
    assert deliver(good[0], *POISON, *good[1:]) == list(range(1, 1 + len(POISON)))
    assert found(merchant).payments == 3


def _many(merchants: int, payments: int) -> list[Event]:
    names = [ids.random("mer") for _ in range(merchants)]
    return [
        (refunded if number % 10 == 9 else captured)(names[number % merchants], f"order-{number:06}")
        for number in range(payments)
    ]


@pytest.mark.parametrize(("merchants", "payments"), [(4, 400), (1, 400)])
def test_killed_at_random_with_every_message_one_to_three_times_each_counts_once(
    merchants: int, payments: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chooser = random.Random(SEED)
    events = _many(merchants, payments)
    monkeypatch.setattr(store, "commit", mortal(chooser, 0.2))
    deliver_all(events, chooser, batch=150)
    monkeypatch.undo()
    counted: Counter[str] = Counter()
    for name in {event["principal"] for event in events}:
        settlement = found(name)
        counted.update(orders_of(settlement))
        assert settlement.captured == 1000 * settlement.payments
        assert settlement.refunded == 400 * settlement.refunds
        assert settlement.fees == 35 * settlement.payments
    assert counted == Counter(event["data"]["order_id"] for event in events)


def test_a_settled_payment_costs_at_most_two_point_two_units_and_one_read_a_delivery() -> None:
    events = _many(merchants=2, payments=400)
    deliveries = [event for event in events for _ in range(random.choice([1, 2, 3]))]
    random.shuffle(deliveries)
    with observe.metered() as counted:
        for start in range(0, len(deliveries), 500):
            count(*deliveries[start : start + 500])
    # Each batch makes one call for each 98 lines of a merchant that are new to it, and a few are left over.
    assert counted.write_calls <= 2 * 4
    assert 2 < counted.write_units / len(events) <= 2.2
    assert 0 < counted.read_units / len(deliveries) <= 0.5


def test_a_new_duplicate_costs_half_a_read_unit_and_no_write(merchant: str) -> None:
    count(captured(merchant, "1"))
    with observe.metered() as counted:
        count(captured(merchant, "1"))
    assert (counted.write_calls, counted.read_calls, counted.read_units) == (0, 1, 0.5)


def test_after_the_cut_off_it_is_closed_and_after_the_delay_released(
    merchant: str, at: Callable[[str], None]
) -> None:
    deliver(captured(merchant, "1"), refunded(merchant, "1"))
    at("2096-11-26T00:06")
    settle(merchant)
    closed = found(merchant)
    assert (closed.status, closed.net) == ("closed", 565)
    assert accounts.read(accounts.merchant_available(merchant, "GBP")) is None
    at("2096-11-28T00:00")
    settle(merchant)
    settle(merchant)
    released = found(merchant)
    assert (released.status, released.released_at) == ("released", "2096-11-28T00:00:00.000000Z")
    balance = accounts.read(accounts.merchant_available(merchant, "GBP"))
    assert balance
    assert (balance.available, balance.holder) == (565, merchant)
    moved = {}
    for entry_id in released.entries:
        entry = journal.find(entry_id)
        assert entry
        assert entry.source == f"merchant_pending:{merchant}:GBP"
        assert entry.reference == released.id
        moved[entry.target] = entry.amount
    assert moved == {"fees:GBP": 35, f"merchant_available:{merchant}:GBP": 565}


def test_the_schedule_closes_after_the_grace_and_releases_when_due(
    merchant: str, at: Callable[[str], None]
) -> None:
    deliver(captured(merchant, "1"))
    for moment, status in (
        ("2096-11-26T00:04:59", "open"),
        ("2096-11-26T00:05:01", "closed"),
        ("2096-11-27T23:59:59", "closed"),
        ("2096-11-28T00:00:01", "released"),
    ):
        at(moment)
        actions.settle()
        assert found(merchant).status == status
    at("2096-11-28T00:01")
    actions.settle()
    assert found(merchant).version == 3


def test_one_that_cannot_be_closed_keeps_no_other_from_it(
    merchant: str, at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(captured(merchant, "1"), captured(bad := ids.random("mer"), "1"))
    deliver(captured(bad, "2", window=TOMORROW))
    at("2096-11-27T00:06")
    close = actions._close

    def failing(settlement: StoredSettlement) -> bool:
        if settlement.merchant_id == bad and settlement.window == TODAY:
            raise TimeoutError(bad)
        return close(settlement)

    monkeypatch.setattr(actions, "_close", failing)
    with pytest.raises(ExceptionGroup) as failed:
        actions.settle()
    assert failed.group_contains(TimeoutError)
    assert (found(merchant).status, found(bad).status) == ("closed", "open")
    # What it lacks may have to be made up for by the next, which therefore waits.
    assert found(bad, window=TOMORROW).status == "open"


@pytest.mark.parametrize("moment", ["2096-11-26T00:06", "2096-11-27T02:00", "2096-12-24T12:00"])
def test_what_comes_after_the_close_is_counted_by_the_open_settlement(
    merchant: str, at: Callable[[str], None], moment: str
) -> None:
    deliver(captured(merchant, "1"))
    at("2096-11-26T00:06")
    settle(merchant)
    at(moment)
    # One was counted in time and comes again, one was not.
    for _ in range(2):
        assert deliver(captured(merchant, "1"), captured(merchant, "late"), refunded(merchant, "1")) == []
    assert (found(merchant).payments, found(merchant).refunds) == (1, 0)
    (later,) = table.settlements_of(merchant, SettlementQuery(status="open")).data
    assert datetime.fromisoformat(later.window) > clock.now()
    assert (later.payments, later.refunds, later.captured, later.refunded) == (1, 1, 1000, 400)
    assert {(line.order_id, line.window) for line in table.all_lines(later.id)} == {
        ("late", TODAY),
        ("1", TODAY),
    }


def test_events_that_come_while_their_settlement_is_closed_are_counted_once(
    merchant: str, at: Callable[[str], None]
) -> None:
    at("2096-11-26T00:06")
    deliver(captured(merchant, "first"))
    events = [captured(merchant, str(number)) for number in range(40)]
    calls: list[Callable[[], object]] = [partial(deliver, event, event) for event in events]
    together([*calls[:20], lambda: actions._close(found(merchant)), *calls[20:]])
    both = table.settlements_of(merchant, SettlementQuery()).data
    assert found(merchant).status == "closed"
    listed = Counter(line.order_id for each in both for line in table.all_lines(each.id))
    assert listed == Counter(["first", *(str(number) for number in range(40))])
    assert sum(each.payments for each in both) == 41


def test_closing_twice_at_once_carries_over_once(merchant: str, at: Callable[[str], None]) -> None:
    deliver(refunded(merchant, "1"))
    at("2096-11-26T00:06")
    settlement = found(merchant)
    closing: Callable[[], object] = partial(actions._close, settlement)
    together([closing] * 8)
    assert table.carry(merchant, "GBP").amount == -400
    assert found(merchant).status == "closed"


def test_a_refund_larger_than_the_open_settlement_is_made_up_for_by_later_ones(
    merchant: str, at: Callable[[str], None]
) -> None:
    deliver(captured(merchant, "1", 100, 35), refunded(merchant, "0", 400))
    deliver(captured(merchant, "2", 1000, 35, window=TOMORROW))
    at("2096-11-26T00:06")
    settle(merchant)
    first = found(merchant)
    assert (first.net, first.paid, first.carried_out) == (-335, 0, -335)
    assert position(merchant) == [CurrencyPosition(currency="GBP", pending=630, available=0)]
    at("2096-11-30T00:06")
    settle(merchant)
    second = found(merchant, window=TOMORROW)
    assert (second.carried_in, second.carried_from, second.net) == (-335, first.id, 630)
    assert position(merchant) == [CurrencyPosition(currency="GBP", pending=0, available=630)]
    assert found(merchant).status == "released"
    assert table.carry(merchant, "GBP").amount == 0


@pytest.mark.parametrize("number", range(6))
def test_settlements_that_are_due_at_once_are_closed_in_their_order(
    number: int, at: Callable[[str], None]
) -> None:
    merchant = ids.derive("mer", "in order", str(number), str(random.random()))
    deliver(captured(merchant, "2", 500, 0, window=TOMORROW))
    deliver(refunded(merchant, "1", 500))
    at("2096-12-30T00:06")
    actions.settle()
    assert position(merchant) == [CurrencyPosition(currency="GBP", pending=0, available=0)]
    assert found(merchant, window=TOMORROW).carried_in == -500


def test_the_longest_delay_of_a_settlement_counts_whichever_line_comes_first(merchant: str) -> None:
    quick = changed(refunded(merchant, "0", 1), available_at=TODAY)
    slow = changed(captured(merchant, "1"), available_at="2096-12-26T00:00:00.000000Z")
    for event in (quick, slow, changed(refunded(merchant, "2", 1), available_at=TODAY)):
        assert deliver(event) == []
    settlement = found(merchant)
    assert (settlement.payments, settlement.refunds) == (1, 2)
    assert settlement.available_at == "2096-12-26T00:00:00.000000Z"


def test_a_release_that_an_index_tells_of_late_is_none(merchant: str, at: Callable[[str], None]) -> None:
    deliver(captured(merchant, "1"))
    at("2096-11-28T00:06")
    settle(merchant)
    assert actions._release(found(merchant)) is False
    assert actions._close(found(merchant)) is False
    assert found(merchant).version == 3


def test_a_balance_that_moves_while_it_is_read_shows_nothing_twice(
    merchant: str, at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(captured(merchant, "1"))
    at("2096-11-28T00:06")
    unreleased, steps = table.unreleased, iter([actions._close, actions._release])

    def meanwhile(merchant_id: str) -> list[StoredSettlement]:
        read = list(unreleased(merchant_id))
        for step in itertools.islice(steps, 1):
            step(found(merchant))
        return read

    monkeypatch.setattr(table, "unreleased", meanwhile)
    shown = position(merchant)
    assert shown == [CurrencyPosition(currency="GBP", pending=0, available=965)]


@pytest.mark.parametrize("place", ["CHUNK#x~abc", "CHUNK#x~1~2", "CHUNK#x", "CHUNK#x~-03", "CHUNK#x~1"])
def test_a_cursor_that_was_made_up_is_refused(merchant: str, place: str) -> None:
    deliver(captured(merchant, "1"))
    settlement_id = found(merchant).id
    made_up = paging.cursor(f"settlements/{settlement_id}", place)
    with pytest.raises(ValidationFailed, match="cursor"):
        actions.list_lines(principal(merchant), settlement_id, PageQuery(cursor=made_up))


def position(merchant_id: str) -> list[CurrencyPosition]:
    return actions.get_position(principal(merchant_id)).data


def test_each_currency_has_its_own_settlements_whatever_its_decimals(
    merchant: str, at: Callable[[str], None]
) -> None:
    deliver(
        captured(merchant, "pounds", 1000, 35),
        captured(merchant, "yen", 500, 0, currency="JPY"),
        captured(merchant, "dinars", 12_345, 123, currency="KWD"),
    )
    at("2096-11-28T00:06")
    settle(merchant)
    assert [(each.currency, each.available) for each in position(merchant)] == [
        ("GBP", 965),
        ("JPY", 500),
        ("KWD", 12_222),
    ]
    query = SettlementQuery(currency="JPY")
    assert [each.captured for each in table.settlements_of(merchant, query).data] == [500]


def test_a_merchant_without_payments_has_nothing(merchant: str) -> None:
    assert position(merchant) == [CurrencyPosition(currency="GBP", pending=0, available=0)]


def test_killed_at_each_step_a_settlement_is_closed_and_released_once(
    merchant: str, at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(captured(merchant, "1"), captured(merchant, "2"))
    at("2096-11-29T00:06")
    commit = store.commit
    for step in range(4):
        dies_before = step % 2 == 0

        def dying(*writes: Write, before: bool = dies_before) -> None:
            if not before:
                commit(*writes)
            raise KeyboardInterrupt

        monkeypatch.setattr(store, "commit", dying)
        with pytest.raises(KeyboardInterrupt):
            settle(merchant)
        monkeypatch.setattr(store, "commit", commit)
    settle(merchant)
    assert (found(merchant).status, found(merchant).version) == ("released", 3)
    balance = accounts.read(accounts.merchant_available(merchant, "GBP"))
    assert balance
    assert balance.available == 2 * 965


@pytest.mark.parametrize("skew_minutes", [-5, 5])
def test_a_clock_that_is_five_minutes_wrong_loses_nothing(
    merchant: str, at: Callable[[str], None], skew_minutes: int
) -> None:
    cut_off = datetime.fromisoformat(TODAY)
    wrong = cut_off + timedelta(minutes=skew_minutes)
    window = TODAY if wrong < cut_off else TOMORROW
    at("2096-11-26T00:00")
    deliver(captured(merchant, "early"), captured(merchant, "skewed", window=window))
    at("2096-11-29T00:06")
    settle(merchant)
    assert position(merchant) == [CurrencyPosition(currency="GBP", pending=0, available=2 * 965)]


def test_lines_are_paged_without_gap_or_repetition(merchant: str) -> None:
    for start in (0, 7, 130):
        deliver(*(captured(merchant, str(number)) for number in range(start, start + 40)))
    settlement_id = found(merchant).id
    for limit in (1, 7, 100):
        seen: list[str] = []
        query = PageQuery(limit=limit)
        while True:
            page = actions.list_lines(principal(merchant), settlement_id, query)
            assert len(page.data) <= limit
            seen += [line.order_id for line in page.data]
            if page.next_cursor is None:
                break
            query = PageQuery(limit=limit, cursor=page.next_cursor)
        assert seen == orders_of(found(merchant))
        assert len(seen) == len(set(seen)) == 47 + 40


def test_the_csv_of_a_settlement_adds_up_to_its_net(merchant: str, at: Callable[[str], None]) -> None:
    deliver(refunded(merchant, "0", 400))
    deliver(captured(merchant, "1", window=TOMORROW), refunded(merchant, "1", 100, window=TOMORROW))
    at("2096-11-27T00:06")
    settle(merchant)
    settlement = found(merchant, window=TOMORROW)
    rows = list(csv.DictReader(io.StringIO(actions.settlement_csv(principal(merchant), settlement.id))))
    assert [row["type"] for row in rows] == ["refund", "payment", "carried_over"]
    assert sum(int(row["net"]) for row in rows) == settlement.net == 1000 - 35 - 100 - 400
    assert {row["settlement"] for row in rows} == {settlement.id}
    assert rows[0]["refund_id"].startswith("ref_")


def test_a_settlement_that_one_answer_cannot_hold_says_so(
    merchant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(captured(merchant, "1"), captured(merchant, "2"))
    monkeypatch.setattr(actions, "CSV_LINES", 1)
    with pytest.raises(TooLarge, match="page by page"):
        actions.settlement_csv(principal(merchant), found(merchant).id)


def test_another_merchant_s_settlement_is_not_there(merchant: str) -> None:
    deliver(captured(merchant, "1"))
    settlement_id = found(merchant).id
    stranger = principal(ids.random("mer"))
    for read in (
        lambda: actions.get_settlement(stranger, settlement_id),
        lambda: actions.list_lines(stranger, settlement_id, PageQuery()),
        lambda: actions.settlement_csv(stranger, settlement_id),
    ):
        with pytest.raises(NotFound):
            read()
    assert actions.list_settlements(stranger, SettlementQuery()).data == []
    assert actions.get_position(stranger).data[0].pending == 0


def test_what_a_close_and_a_release_cost(merchant: str, at: Callable[[str], None]) -> None:
    count(captured(merchant, "1"), refunded(merchant, "1"))
    at("2096-11-28T00:06")
    with observe.metered() as closing:
        actions._close(found(merchant))
    with observe.metered() as releasing:
        actions._release(found(merchant))
    # Settlement and carry; it leaves the index of what is to be closed for that of what is to be released.
    assert (closing.write_units, closing.write_calls) == (2 * 2 + 2, 1)
    # Settlement, balance and two entries; it leaves two indexes.
    assert (releasing.write_units, releasing.write_calls) == (2 * 4 + 2, 1)
