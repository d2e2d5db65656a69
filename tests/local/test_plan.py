"""The demo's plan by example: who brings what, and what becomes of each order."""

from local.demo.books import PARCEL_LINES, PARCELS_PER_CANCELLATION, REMEDIES
from local.demo.cards import PAYERS_PER_DECLINE, TOPUPS_PER_DECLINE, Card
from local.demo.plan import make_plan
from local.demo.rows import Row
from local.demo.steps import (
    Balance,
    Cancellation,
    Capture,
    Loan,
    Order,
    Payment,
    Refund,
    Resolution,
    TopUp,
)
from local.demo.takings import Line, Takings, lines_of
from tests.local.rows import LATE, MORNING, NEXT_EVENING, NEXT_NOON, parcel, refund, row


def paid(order: Row, attempt: int = 1, shortfall: int = 0) -> Payment:
    return Payment(order, attempt, is_held=order.lines >= PARCEL_LINES, shortfall=shortfall)


def test_who_buys_once_brings_enough_in_whole_notes() -> None:
    plan = make_plan([row("1", "ann", 2001), row("2", "ben", 3000)])

    assert plan.deposits == {"ann": 3000, "ben": 3000}
    assert [payment.refusal for payment in plan.all(Payment)] == [None, None]
    assert plan.balances == {"ann": Balance(999), "ben": Balance(0)}


def test_who_comes_back_brings_most_and_is_refused_late() -> None:
    plan = make_plan([row("1", "ann", 5000), row("2", "ann", 5000)])

    assert plan.deposits == {"ann": 8000}
    assert plan.steps == (paid(row("1", "ann", 5000)), paid(row("2", "ann", 5000), shortfall=2000))
    assert plan.balances == {"ann": Balance(3000)}
    assert [payment.row.order_id for payment in plan.refused] == ["2"]


def test_at_every_third_refusal_the_richest_lends_the_difference() -> None:
    twice = [row(f"{name}{n}", name, 5000) for n in (1, 2) for name in ("ann", "ben", "cat")]
    plan = make_plan([*twice, row("9", "dan", 90_000)])

    assert plan.steps[-3:] == (
        Loan("dan", "cat", 2000, "cat2"),
        paid(row("cat2", "cat", 5000), attempt=2),
        # The lender is not spared: 90,000 brought, 2,000 lent.
        paid(row("9", "dan", 90_000), shortfall=2000),
    )
    left = {"ann": 3000, "ben": 0, "cat": 0, "dan": 88_000}
    assert plan.balances == {customer: Balance(pence) for customer, pence in left.items()}


def test_nobody_lends_what_nobody_has() -> None:
    plan = make_plan([row(str(n), "ann", 5000) for n in range(16)])

    assert len(plan.refused) > 1
    assert plan.all(Loan) == ()


def test_a_parcel_is_captured_when_it_leaves() -> None:
    early, late, last = (
        parcel("1", "ann", 5000),
        parcel("2", "ben", 7000, LATE),
        parcel("3", "cat", 900, LATE),
    )
    plan = make_plan([early, late, last])

    assert plan.steps == (paid(early), Capture(early, ()), paid(late), paid(last))
    assert plan.balances["ben"] == Balance(0, held=7000)
    assert plan.orders["1"] == Order(early, "captured", captured=5000)
    assert plan.orders["2"] == Order(late, "authorized")


def test_every_day_ends_with_the_parcels_that_leave_on_it() -> None:
    first, night = row("1", "ann", 5000), parcel("2", "ben", 7000, LATE)
    after_a_day_without_rows = parcel("3", "cat", 900, "2010-12-03T12:00:00Z")
    plan = make_plan([first, night, after_a_day_without_rows])

    assert [(day.date.day, day.steps) for day in plan.days] == [
        (1, (paid(first), paid(night))),
        (2, (Capture(night, ()),)),
        (3, (paid(after_a_day_without_rows), Capture(after_a_day_without_rows, ()))),
    ]
    assert make_plan([]).days == ()


def test_a_lost_answer_is_found_before_its_day_ends() -> None:
    guest, later = row("1", "", 500), row("2", "ann", 900, NEXT_NOON)
    plan = make_plan([guest, later])

    assert plan.steps[1:] == (Resolution(guest), paid(later))


def test_the_shop_earns_what_was_captured_less_refunds_and_fees() -> None:
    refused = [row("a", "ann", 5000), row("b", "ann", 5000)]
    held = [parcel("c", "cat", 333, MORNING), parcel("d", "dan", 900, NEXT_EVENING)]
    article, back = refund(1, "c", 33), refund(2, "a", 700, NEXT_NOON)
    plan = make_plan([*refused, held[0], article, back, held[1]])

    lines = tuple(lines_of(plan.steps))
    assert lines == (
        Line("payment", "a", 5000, 95),
        # 4.5 are rounded up.
        Line("payment", "c", 300, 25),
        Line("refund", "a", 700, 0),
    )
    takings = Takings(payments=2, captured=5300, refunds=1, refunded=700, fees=120)
    assert (Takings.of(lines), takings.net) == (takings, 4480)


def test_what_is_cancelled_before_a_parcel_leaves_is_not_captured() -> None:
    order, first, second = parcel("1", "ann", 5000), refund(1, "1", 300), refund(2, "1", 200)
    plan = make_plan([order, first, second, row("2", "ben", 900, LATE)])

    assert plan.all(Capture) == (Capture(order, (first, second)),)
    assert plan.orders["1"] == Order(order, "captured", captured=4500)
    assert plan.balances["ann"] == Balance(500)
    assert (plan.all(Refund), plan.not_applied) == ((), ())


def test_an_order_of_which_nothing_remains_is_cancelled() -> None:
    order, whole = parcel("1", "ann", 5000), refund(1, "1", 5000)
    plan = make_plan([order, whole, row("2", "ben", 900, LATE)])

    assert plan.all(Cancellation) == (Cancellation(order),)
    assert plan.balances["ann"] == Balance(5000)
    assert plan.not_applied == (whole,)


def test_every_tenth_parcel_is_given_up_with_its_refunds() -> None:
    parcels = [parcel(str(n), "ann", 1000) for n in range(PARCELS_PER_CANCELLATION - 1)]
    last = parcel("last", "ben", 4000)
    article = refund(1, "last", 100)
    again = refund(2, "last", 100, NEXT_NOON)
    plan = make_plan([row("0", "ann", 90_000), *parcels, last, article, again])

    assert plan.all(Cancellation) == (Cancellation(last),)
    assert plan.orders["last"] == Order(last, "canceled")
    assert plan.balances["ben"] == Balance(4000)
    assert plan.not_applied == (article, again)


def test_refunds_never_exceed_what_was_captured() -> None:
    order = row("1", "ann", 1000)
    refunds = [refund(n, "1", amount) for n, amount in enumerate((600, 500, 400, 1))]
    plan = make_plan([order, *refunds])

    assert plan.all(Refund) == (Refund(refunds[0]), Refund(refunds[2]))
    assert plan.orders["1"] == Order(order, "refunded", captured=1000, refunded=1000)
    assert plan.not_applied == (refunds[1], refunds[3])
    assert plan.balances["ann"] == Balance(1000)


def test_a_refund_of_what_nobody_paid_is_not_applicable() -> None:
    guest = parcel("g", "", 500)
    orders = [row("1", "ann", 5000), row("2", "ann", 5000)]
    refunds = [refund(1, "2", 700), refund(2, "", 700), refund(3, "g", 501), refund(4, "unknown", 1)]
    plan = make_plan([guest, *orders, *refunds])

    assert plan.not_applied == tuple(refunds)
    assert plan.all(Refund) == ()


def test_guests_and_customers_without_a_wallet_pay_by_card() -> None:
    orders = [row("g", "", 500), row("1", "ann1", 700), row("2", "ann1", 900), row("3", "ben", 1000)]
    plan = make_plan(orders, loses_an_answer=False)

    guest, ann = Card("guest-g", "approves"), Card("ann1", "approves")
    assert plan.cards == (guest, ann)
    assert [payment.card for payment in plan.all(Payment)] == [guest, ann, ann, None]
    assert plan.deposits == {"ben": 1000}
    assert all(order.status == "captured" for order in plan.orders.values())


def test_the_answer_to_the_first_guest_who_pays_at_once_is_lost() -> None:
    orders = [parcel("0", "", 500), row("1", "ann1", 500), row("2", "", 500), row("3", "", 500)]
    plan = make_plan(orders)

    assert [payment.loses_the_answer for payment in plan.all(Payment)] == [False, False, True, False]
    assert plan.steps[-1] == Resolution(orders[2])
    assert plan.orders["2"] == Order(orders[2], "captured", captured=500, by_card=True)
    unlost = make_plan(orders, loses_an_answer=False)
    assert (unlost.all(Resolution), unlost.orders) == ((), plan.orders)


def test_some_cards_are_declined_and_some_payers_have_another() -> None:
    orders = [row(str(n), "", 500) for n in range(1, 2 * PAYERS_PER_DECLINE + 1)]
    plan = make_plan(orders, loses_an_answer=False)

    first, second = orders[PAYERS_PER_DECLINE - 1], orders[-1]
    tried = [payment for payment in plan.all(Payment) if payment.row in {first, second}]
    assert [(payment.row, payment.attempt, payment.refusal) for payment in tried] == [
        (first, 1, "do_not_honor"),
        (second, 1, "insufficient_funds"),
        (second, 2, None),
    ]
    assert (plan.orders[first.order_id].status, plan.orders[second.order_id].status) == ("failed", "captured")


def test_what_was_paid_by_card_goes_back_to_the_card() -> None:
    order, back = row("1", "ann1", 1000), refund(1, "1", 400)
    plan = make_plan([order, back])

    assert plan.all(Refund) == (Refund(back, to_card=True),)
    assert plan.orders["1"] == Order(order, "partially_refunded", 1000, 400, by_card=True)
    assert plan.balances == {}


def test_at_every_third_refusal_the_shortfall_comes_from_a_card_which_may_be_declined() -> None:
    names = [f"customer-{chr(97 + n)}" for n in range(REMEDIES * TOPUPS_PER_DECLINE)]
    orders = [row(f"{name}{n}", name, 5000) for n in (1, 2) for name in names]
    plan = make_plan(orders)

    topups = plan.all(TopUp)
    assert [topup.refusal for topup in topups] == [None, None, None, "do_not_honor"]
    statuses = [plan.orders[topup.order_id].status for topup in topups]
    assert statuses == ["captured", "captured", "captured", "failed"]
