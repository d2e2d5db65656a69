"""The demo's books: whatever happens in the shop, they conserve money and account for every row."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from local.demo.books import PARCEL_LINES
from local.demo.cards import is_by_card
from local.demo.plan import Plan, make_plan
from local.demo.rows import DATA, Row, read_rows
from local.demo.steps import Balance, Capture, Loan, Payment, Refund, Resolution, Step, TopUp
from tests.local.rows import LATE, MORNING, NEXT_EVENING, NEXT_NOON, refund, row

CUSTOMERS = st.sampled_from(["", "ann", "ben", "cat", "dan1"])
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


def movements(plan: Plan, step: Step) -> list[tuple[str, int, int]]:
    """What a step makes of wallets: customer, change of available, change of held."""
    match step:
        case Loan(lender, borrower, amount):
            return [(lender, -amount, 0), (borrower, amount, 0)]
        case TopUp(card, amount):
            return [(card.payer, 0 if step.refusal else amount, 0)]
        case Refund(row):
            order = plan.orders[row.refund_of].row
            return [] if is_by_card(order) else [(order.customer_id, row.amount, 0)]
    order = step.row
    if is_by_card(order) or isinstance(step, Resolution) or (isinstance(step, Payment) and step.refusal):
        return []
    if isinstance(step, Payment):
        return [(order.customer_id, -order.amount, order.amount if step.is_held else 0)]
    kept = step.amount if isinstance(step, Capture) else 0
    return [(order.customer_id, order.amount - kept, -order.amount)]


def replayed(plan: Plan) -> dict[str, Balance]:
    """The balances that the steps lead to, followed without the books; none is ever below zero."""
    available, held = Counter(plan.deposits), Counter[str]()
    for step in plan.steps:
        if isinstance(step, Payment):
            expected = step.card.decline if step.card else None
            if not is_by_card(step.row) and available[step.row.customer_id] < step.row.amount:
                expected = "insufficient_funds"
            assert (step.refusal, step.card is not None) == (expected, is_by_card(step.row))
        for customer, free, kept in movements(plan, step):
            available[customer] += free
            held[customer] += kept
        assert min([0, *available.values(), *held.values()]) == 0
    return {customer: Balance(available[customer], held[customer]) for customer in plan.deposits}


def check_books(rows: list[Row], plan: Plan) -> None:
    assert plan.balances == replayed(plan)
    kept = sum(order.captured - order.refunded for order in plan.orders.values() if not order.by_card)
    topped_up = sum(topup.amount for topup in plan.all(TopUp) if not topup.refusal)
    left = sum(balance.available + balance.held for balance in plan.balances.values())
    assert sum(plan.deposits.values()) + topped_up == left + kept
    assert all(0 < capture.amount <= capture.row.amount for capture in plan.all(Capture))
    assert all(step.to_card == plan.orders[step.row.refund_of].by_card for step in plan.all(Refund))
    assert all(order.refunded <= order.captured <= order.row.amount for order in plan.orders.values())
    left_out = [row for capture in plan.all(Capture) for row in capture.left_out]
    refunds = [step.row for step in plan.all(Refund)]
    orders = [order.row for order in plan.orders.values()]
    ends = Counter([*orders, *refunds, *left_out, *plan.coming, *plan.not_applied])
    assert ends == Counter(rows)


@given(days())
def test_whatever_the_rows_the_books_conserve_money_and_lose_no_row(rows: list[Row]) -> None:
    check_books(rows, make_plan(rows))


def test_the_plan_of_the_shop_is_worth_telling() -> None:
    rows = list(read_rows(DATA))
    plan = make_plan(rows)
    check_books(rows, plan)

    steps = Counter(type(step).__name__ for step in plan.steps)
    assert steps == {
        "Payment": 461,
        "Loan": 18,
        "TopUp": 18,
        "Capture": 68,
        "Cancellation": 7,
        "Refund": 6,
        "Resolution": 1,
    }
    ends = Counter((order.status, order.by_card) for order in plan.orders.values())
    assert (ends["failed", False], ends["failed", True]) == (23, 5)
    assert (ends["canceled", False], ends["canceled", True]) == (5, 2)
    assert (ends["partially_refunded", False], ends["partially_refunded", True]) == (4, 2)
    assert (ends["authorized", False], ends["authorized", True]) == (3, 1)
    assert sum(bool(capture.left_out) for capture in plan.all(Capture)) == 3
    assert (len(plan.cards), len(plan.not_applied)) == (85, 34)
    assert len([topup for topup in plan.all(TopUp) if topup.refusal]) == 4
    assert plan == make_plan(rows)
