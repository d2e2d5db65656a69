"""Tells the story on the terminal: what happens, what came of it, and whether it adds up."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local.demo.checks import Check, Ending
from local.demo.plan import RETURNING_PERCENT, Loan, Payment, Plan

SHOWN_CONTRADICTIONS = 5


def pounds(pence: int) -> str:
    """An amount as people write it, such as £1,234.56."""
    return f"£{pence // 100:,}.{pence % 100:02}"


def tell_beginning(console: Console, plan: Plan) -> None:
    """What is about to happen, in three sentences."""
    brought = pounds(sum(plan.deposits.values()))
    console.print(
        f"Five days of a real online gift shop, December 2010. {len(plan.deposits)} customers open a wallet "
        f"and bring {brought}: enough if they buy once, {RETURNING_PERCENT} % of what they will want if they "
        "come back. Every order is then paid in the order in which it was placed."
    )


@contextmanager
def progress_bar(console: Console, steps: int) -> Iterator[Callable[[], None]]:
    """A bar that the yielded function moves one step; nothing where there is no terminal to draw on."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("Playing", total=steps)
        yield lambda: progress.advance(task)


def tell_example(console: Console, plan: Plan) -> None:
    """One order that was refused, and then paid with borrowed money."""
    for index, step in enumerate(plan.steps):
        before = plan.steps[index - 1]
        if isinstance(step, Loan) and isinstance(before, Payment):
            row = before.row
            console.print(
                f"{len(plan.loans)} orders were refused at first and paid with borrowed money, such as order "
                f"{row.order_id} of {pounds(row.amount)}: customer {row.customer_id}'s wallet was "
                f"{pounds(step.amount)} short, customer {step.lender} sent the difference, and the second "
                "attempt went through."
            )
            return


def tell_table(console: Console, plan: Plan, ending: Ending) -> None:
    """Where every row of the file ended up."""
    guests = [row.amount for row in plan.guests]
    refunds = [row.amount for row in plan.refunds]
    table = Table("", "count", "total", title="Orders and refunds", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("paid from a wallet", *_figures(ending.paid))
    table.add_row("refused, insufficient funds", *_figures(ending.refused))
    table.add_row("waiting: guests, who need a card", *_figures(guests))
    orders = [*ending.paid, *ending.refused, *guests]
    table.add_row("orders", *_figures(orders), style="bold", end_section=True)
    table.add_row("waiting: refunds", *_figures(refunds))
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
