"""The demo's plan: who brings what, what becomes of each order, and that its books conserve money."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from local.demo.books import PARCEL_LINES, PARCELS_PER_CANCELLATION
from local.demo.plan import Plan, make_plan
from local.demo.rows import DATA, Row, read_rows
from local.demo.steps import Balance, Cancellation, Capture, Loan, Order, Payment, Refund

MORNING = "2010-12-01T08:26:00Z"
LATE = "2010-12-01T17:00:00Z"
NEXT_NOON = "2010-12-02T12:00:00Z"
NEXT_EVENING = "2010-12-02T18:00:00Z"


def row(order_id: str, customer_id: str, amount: int, placed_at: str = MORNING, lines: int = 1) -> Row:
    return Row(placed_at, "order", order_id, customer_id, "France", amount, "", lines)


def parcel(order_id: str, customer_id: str, amount: int, placed_at: str = MORNING) -> Row:
    return row(order_id, customer_id, amount, placed_at, PARCEL_LINES)


def refund(number: int, order_id: str, amount: int, placed_at: str = MORNING) -> Row:
    return Row(placed_at, "refund", f"C{number}", "ann", "France", amount, order_id, 1)


def paid(order: Row, attempt: int = 1, shortfall: int = 0) -> Payment:
    return Payment(order, attempt, is_held=order.lines >= PARCEL_LINES, shortfall=shortfall)


def test_who_buys_once_brings_enough_in_whole_notes() -> None:
    plan = make_plan([row("1", "ann", 2001), row("2", "ben", 3000)])

    assert plan.deposits == {"ann": 3000, "ben": 3000}
    assert [payment.is_covered for payment in plan.all(Payment)] == [True, True]
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
    left = {"ann": 3000, "ben": 3000, "cat": 0, "dan": 88_000}
    assert plan.balances == {customer: Balance(pence) for customer, pence in left.items()}


def test_nobody_lends_what_nobody_has() -> None:
    plan = make_plan([row(str(n), "ann", 5000) for n in range(8)])

    assert len(plan.refused) > 1
    assert plan.all(Loan) == ()


def test_a_parcel_is_captured_when_it_leaves() -> None:
    early, late = parcel("1", "ann", 5000), parcel("2", "ben", 7000, LATE)
    plan = make_plan([early, late, row("3", "cat", 900, NEXT_NOON)])

    assert plan.steps == (paid(early), Capture(early, ()), paid(late), paid(row("3", "cat", 900, NEXT_NOON)))
    assert plan.balances["ben"] == Balance(0, held=7000)
    assert plan.orders["1"] == Order(early, "captured", captured=5000)
    assert plan.orders["2"] == Order(late, "authorized")


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
    guest = row("g", "", 500)
    orders = [row("1", "ann", 5000), row("2", "ann", 5000)]
    refunds = [refund(1, "2", 700), refund(2, "", 700), refund(3, "g", 100), refund(4, "unknown", 1)]
    plan = make_plan([guest, *orders, *refunds])

    assert (plan.guests, plan.not_applied) == ((guest,), tuple(refunds))
    assert plan.all(Refund) == ()


CUSTOMERS = st.sampled_from(["", "ann", "ben", "cat"])
ARE_REFUNDS = st.booleans()
AMOUNTS = st.integers(1, 9000)
TIMES = st.sampled_from([MORNING, LATE, NEXT_NOON, NEXT_EVENING])


@st.composite
def days(draw: st.DrawFn) -> list[Row]:
    """Orders and refunds of any of them, in the order of time."""
    rows: list[Row] = []
    for number, placed_at in enumerate(sorted(draw(st.lists(TIMES, max_size=40)))):
        if draw(ARE_REFUNDS) and rows:
            named = draw(st.sampled_from(["", *(row.order_id for row in rows)]))
            rows.append(refund(number, named, draw(AMOUNTS), placed_at))
        else:
            lines = draw(st.sampled_from([1, PARCEL_LINES]))
            rows.append(row(str(number), draw(CUSTOMERS), draw(AMOUNTS), placed_at, lines))
    return rows


def replayed(plan: Plan) -> dict[str, Balance]:
    """The balances that the steps lead to, followed without the books; none is ever below zero."""
    available, held = Counter(plan.deposits), Counter[str]()
    owners = {payment.row.order_id: payment.row.customer_id for payment in plan.all(Payment)}
    for step in plan.steps:
        match step:
            case Payment(order):
                assert step.is_covered == (available[order.customer_id] >= order.amount)
                if step.is_covered:
                    available[order.customer_id] -= order.amount
                    held[order.customer_id] += order.amount if step.is_held else 0
            case Loan(lender, borrower, amount):
                available[lender] -= amount
                available[borrower] += amount
            case Capture(order):
                assert 0 < step.amount <= order.amount
                held[order.customer_id] -= order.amount
                available[order.customer_id] += order.amount - step.amount
            case Cancellation(order):
                held[order.customer_id] -= order.amount
                available[order.customer_id] += order.amount
            case Refund(row):
                available[owners[row.refund_of]] += row.amount
        assert min(*available.values(), *held.values(), 0) == 0
    return {customer: Balance(available[customer], held[customer]) for customer in plan.deposits}


def check_books(rows: list[Row], plan: Plan) -> None:
    assert plan.balances == replayed(plan)
    kept = sum(order.captured - order.refunded for order in plan.orders.values())
    left = sum(balance.available + balance.held for balance in plan.balances.values())
    assert sum(plan.deposits.values()) == left + kept
    assert all(order.refunded <= order.captured <= order.row.amount for order in plan.orders.values())
    left_out = [row for capture in plan.all(Capture) for row in capture.left_out]
    refunds = [step.row for step in plan.all(Refund)]
    orders = [order.row for order in plan.orders.values()]
    ends = Counter([*orders, *plan.guests, *refunds, *left_out, *plan.coming, *plan.not_applied])
    assert ends == Counter(rows)


@given(days())
def test_whatever_the_rows_the_books_conserve_money_and_lose_no_row(rows: list[Row]) -> None:
    check_books(rows, make_plan(rows))


def test_the_plan_of_the_shop_is_worth_telling() -> None:
    rows = list(read_rows(DATA))
    plan = make_plan(rows)
    check_books(rows, plan)

    steps = Counter(type(step).__name__ for step in plan.steps)
    assert steps == {"Payment": 420, "Loan": 19, "Capture": 60, "Cancellation": 6, "Refund": 6}
    statuses = Counter(order.status for order in plan.orders.values())
    assert (statuses["failed"], statuses["authorized"]) == (40, 4)
    assert sum(bool(capture.left_out) for capture in plan.all(Capture)) == 3
    assert (len(plan.guests), len(plan.not_applied)) == (23, 34)
    assert plan == make_plan(rows)
