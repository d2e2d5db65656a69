"""Tells the story on the terminal: what happens, what came of it, and whether it adds up."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local.demo.books import PARCEL_LINES
from local.demo.checks import Check
from local.demo.ending import Ending
from local.demo.plan import RETURNING_PERCENT, Plan
from local.demo.rows import Row
from local.demo.steps import Capture, Loan, Payment, Refund, Status

SHOWN_CONTRADICTIONS = 5
PAID: tuple[Status, ...] = ("captured", "partially_refunded", "refunded")


def pounds(pence: int) -> str:
    """An amount as people write it, such as £1,234.56."""
    return f"£{pence // 100:,}.{pence % 100:02}"


def tell_beginning(console: Console, plan: Plan) -> None:
    """What is about to happen, in a few sentences."""
    brought = pounds(sum(plan.deposits.values()))
    console.print(
        f"Five days of a real online gift shop, December 2010. {len(plan.deposits)} customers open a wallet "
        f"and bring {brought}: enough if they buy once, {RETURNING_PERCENT} % of what they will want if they "
        "come back. Every order is paid in the order in which it was placed: most at once, but for those of "
        f"{PARCEL_LINES} lines or more the money is only held, and captured when the parcels leave at three "
        "in the afternoon, unless the order was cancelled by then. What comes back is refunded."
    )


@contextmanager
def progress_bar(console: Console, steps: int) -> Iterator[Callable[[], None]]:
    """A bar that the yielded function moves one step; nothing where there is no terminal to draw on."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("Playing", total=steps)
        yield lambda: progress.advance(task)


def tell_examples(console: Console, plan: Plan) -> None:
    """An order paid with borrowed money, one captured in part, and one refunded."""
    loans, refunds = plan.all(Loan), plan.all(Refund)
    reduced = [capture for capture in plan.all(Capture) if capture.left_out]
    if loans:
        console.print(_loan_example(plan, loans))
    if reduced:
        console.print(_capture_example(reduced))
    if refunds:
        row = refunds[0].row
        console.print(
            f"{_were(len(refunds), 'refund')} made, such as {pounds(row.amount)} "
            f"of order {row.refund_of}, and went back to the wallet."
        )


def _loan_example(plan: Plan, loans: Sequence[Loan]) -> str:
    loan = loans[0]
    row = next(payment.row for payment in plan.all(Payment) if payment.row.order_id == loan.order_id)
    return (
        f"{_were(len(loans), 'order')} refused at first and paid with borrowed money, such as "
        f"{row.order_id} of {pounds(row.amount)}: customer {row.customer_id}'s wallet was "
        f"{pounds(loan.amount)} short, customer {loan.lender} sent the difference, and the second "
        "attempt went through."
    )


def _capture_example(reduced: Sequence[Capture]) -> str:
    capture = reduced[0]
    row, cancelled = capture.row, capture.left_out[0]
    return (
        f"{_were(len(reduced), 'order')} captured in part, such as {row.order_id}: {pounds(row.amount)} "
        f"held at {_time(row)}, an article of {pounds(cancelled.amount)} cancelled at {_time(cancelled)}, "
        f"{pounds(capture.amount)} captured, and the rest free to be spent again."
    )


def _time(row: Row) -> str:
    return row.placed_at[11:16]


def _were(count: int, noun: str) -> str:
    return f"{count} {noun} was" if count == 1 else f"{count} {noun}s were"


def tell_table(console: Console, plan: Plan, ending: Ending) -> None:
    """Where every row of the file ended up, and what it means for the shop."""
    guests = [row.amount for row in plan.guests]
    left_out = [row.amount for capture in plan.all(Capture) for row in capture.left_out]
    coming = [row.amount for row in plan.coming]
    not_applied = [row.amount for row in plan.not_applied]
    table = Table("", "count", "total", title="Orders and refunds", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("captured at once", *_figures(ending.costs(PAID, "automatic")))
    table.add_row("authorized, captured when they left", *_figures(ending.costs(PAID, "manual")))
    table.add_row("authorized, cancelled", *_figures(ending.costs(["canceled"])))
    table.add_row("authorized, leaving tomorrow", *_figures(ending.costs(["authorized"])))
    table.add_row("refused, insufficient funds", *_figures(ending.costs(["failed"])))
    table.add_row("waiting: guests, who need a card", *_figures(guests))
    table.add_row("orders", *_figures([*ending.amounts, *guests]), style="bold", end_section=True)
    table.add_row("refunded to the wallet", *_figures(ending.refunded))
    table.add_row("cancelled in time, not captured", *_figures(left_out))
    if coming:
        table.add_row("cancelled in time, leaving tomorrow", *_figures(coming))
    table.add_row("not applicable: not paid in these days", *_figures(not_applied))
    refunds = [*ending.refunded, *left_out, *coming, *not_applied]
    table.add_row("refunds", *_figures(refunds), style="bold", end_section=True)
    table.add_row("captured", *_figures(ending.captured))
    table.add_row("refunded", *_figures(ending.refunded))
    due = sum(ending.captured) - sum(ending.refunded)
    table.add_row("pending for the shop", "", pounds(due), style="bold")
    console.print()
    console.print(table)
    console.print()


def _figures(amounts: Sequence[int]) -> tuple[str, str]:
    return f"{len(amounts):,}", pounds(sum(amounts))


def tell_checks(console: Console, checks: Iterable[Check]) -> list[Check]:
    """Each claim with a tick, or a cross and what contradicts it; returns those that failed."""
    failed = []
    for check in checks:
        mark = "[green]✓[/green]" if check.holds else "[red]✗[/red]"
        console.print(f"{mark} {check.claim}", highlight=False)
        for contradiction in check.contradictions[:SHOWN_CONTRADICTIONS]:
            console.print(f"    {contradiction}", style="red", highlight=False, markup=False)
        hidden = len(check.contradictions) - SHOWN_CONTRADICTIONS
        if hidden > 0:
            console.print(f"    and {hidden} more", style="red")
        if not check.holds:
            failed.append(check)
    return failed
