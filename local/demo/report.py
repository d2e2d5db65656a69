"""Tells the story on the terminal: what happens, what came of it, and whether it adds up."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local.bank.accounts import PAYING
from local.demo.books import PARCEL_LINES
from local.demo.claims import Check, pounds
from local.demo.ending import Ending
from local.demo.hearing import Heard
from local.demo.outcome import Outcome
from local.demo.payout import RETURNING
from local.demo.plan import RETURNING_PERCENT, Plan
from local.demo.player import DELAY_DAYS
from local.demo.rows import Row
from local.demo.settling import Settled
from local.demo.stage import Stage
from local.demo.steps import Capture, Loan, Payment, Refund, Resolution, TopUp
from local.demo.takings import FEE_BASIS_POINTS, FEE_FIXED

SHOWN_CONTRADICTIONS = 5


def tell_beginning(console: Console, plan: Plan, *, is_settled: bool) -> None:
    """What is about to happen, in a few sentences."""
    brought = pounds(sum(plan.deposits.values()))
    payers = {payment.card.payer for payment in plan.all(Payment) if payment.card}
    console.print(
        f"Five days of a real online gift shop, December 2010. {len(plan.deposits)} customers open a wallet "
        f"and bring {brought}: enough if they buy once, {RETURNING_PERCENT} % of what they will want if they "
        f"come back. {len(payers)} others, guests among them, pay by card. Every order is paid in the order "
        f"in which it was placed: most at once, but for those of {PARCEL_LINES} lines or more the money is "
        "only held, and captured when the parcels leave at three in the afternoon, unless the order was "
        "cancelled by then. What comes back is refunded to where it came from."
    )
    if is_settled:
        console.print(
            f"Each midnight ends a settlement day; {DELAY_DAYS} days later what it brought can be paid out, "
            f"less refunds and a fee of {FEE_BASIS_POINTS / 100:g} % and {FEE_FIXED}p for each payment. "
            "The system's clock is moved to the next day each evening, so that nobody waits for it."
        )


@contextmanager
def progress_bar(console: Console, steps: int) -> Iterator[Callable[[], None]]:
    """A bar that the yielded function moves one step; nothing where there is no terminal to draw on."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("Playing", total=steps)
        yield lambda: progress.advance(task)


def tell_examples(console: Console, plan: Plan, ending: Ending) -> None:
    """One example of each thing that doesn't happen to most orders."""
    loans, refunds = plan.all(Loan), plan.all(Refund)
    topups = [topup for topup in plan.all(TopUp) if not topup.refusal]
    reduced = [capture for capture in plan.all(Capture) if capture.left_out]
    if loans:
        console.print(_loan_example(plan, loans))
    if topups:
        console.print(_topup_example(plan, topups))
    second_cards = [payment for payment in plan.all(Payment) if payment.card and payment.attempt > 1]
    if second_cards:
        console.print(_second_card_example(plan, second_cards))
    for resolution in plan.all(Resolution):
        console.print(_lost_answer(ending.payments[resolution.row.order_id]))
    if reduced:
        console.print(_capture_example(reduced))
    if refunds:
        row = refunds[0].row
        to_card = sum(refund.to_card for refund in refunds)
        console.print(
            f"{_were(len(refunds), 'refund')} made, such as {pounds(row.amount)} of order {row.refund_of}: "
            f"{len(refunds) - to_card} went back to wallets and {to_card} to cards."
        )


def _loan_example(plan: Plan, loans: Sequence[Loan]) -> str:
    loan = loans[0]
    row = _order(plan, loan.order_id)
    return (
        f"{_were(len(loans), 'order')} refused at first and paid with borrowed money, such as "
        f"{row.order_id} of {pounds(row.amount)}: customer {row.customer_id}'s wallet was "
        f"{pounds(loan.amount)} short, customer {loan.lender} sent the difference, and the second "
        "attempt went through."
    )


def _topup_example(plan: Plan, topups: Sequence[TopUp]) -> str:
    topup = topups[0]
    row = _order(plan, topup.order_id)
    return (
        f"{_were(len(topups), 'order')} refused at first and paid after a top-up by card, such as "
        f"{row.order_id} of {pounds(row.amount)}, with {pounds(topup.amount)} from the card."
    )


def _second_card_example(plan: Plan, payments: Sequence[Payment]) -> str:
    row = payments[0].row
    first = next(payment for payment in plan.all(Payment) if payment.row == row)
    return (
        f"{_were(len(payments), 'order')} paid with another card after the first was declined, such as "
        f"{row.order_id} ({first.refusal})."
    )


def _lost_answer(payment: dict[str, Any]) -> str:
    began, ended = (datetime.fromisoformat(payment[name]) for name in ("created_at", "updated_at"))
    return (
        f"The acquirer charged order {payment['order_id']}, but its answer was lost: the shop heard 202 "
        f"processing, and {(ended - began).total_seconds():.1f} s after it began the payment was "
        f"{payment['status']} by itself, charged once."
    )


def _order(plan: Plan, order_id: str) -> Row:
    return plan.orders[order_id].row


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


def tell_payouts(console: Console, outcome: Outcome) -> None:
    """Where the money went in the end."""
    paid_out = outcome.paid_out
    if paid_out is None:
        return
    trial, whole = paid_out.trial, paid_out.whole
    console.print(
        f"A first payout of {pounds(trial['amount'])}, to the account that ends in {RETURNING.iban[-4:]}, "
        f"is {trial['status']}: {pounds(paid_out.restored)} was available after it. All of that went to the "
        f"account that ends in {PAYING.iban[-4:]}, and is {whole['status']}."
    )


def tell_files(console: Console, settled: Settled, folder: Path) -> None:
    """Where the CSV files are."""
    console.print(
        f"{_were(len(settled.files), 'settlement')} written as CSV to {folder}.",
        soft_wrap=True,
        highlight=False,
    )


def tell_webhooks(console: Console, heard: Heard) -> None:
    """What the shop was told of all that."""
    types = ", ".join(f"{count} {name}" for name, count in heard.types.most_common())
    verified = "not all of them verified" if heard.faults else "every delivery verified by its signature"
    console.print(
        f"{len(heard.events):,} events arrived at the shop's webhook endpoint, {heard.repeated} of them more "
        f"than once, {verified}: {types}.",
        highlight=False,
    )


def tell_omissions(console: Console, stage: Stage, *, is_settled: bool, is_heard: bool) -> None:
    """What this telling left out, because of the system that it was told on."""
    strangers = {"TAEL_ACQUIRER_URL": ("acquirer", stage.acquirer_url)}
    if is_settled:
        strangers["TAEL_BANK_URL"] = ("bank", stage.bank_url)
    else:
        console.print(
            "Not shown: settlements and payouts, for which days must pass. That can be had at once where "
            "`tael up` runs on the embedded engine, whose clock can be moved."
        )
    if not is_heard:
        console.print(
            "Not shown: webhooks, which this system does not send to this machine. What `tael up` runs does."
        )
    for variable, (name, url) in strangers.items():
        if not url:
            console.print(
                f"Not checked: the {name}'s own statement. Set {variable} to the address that `tael up` says."
            )
    if not stage.loses_an_answer:
        console.print(
            "Not shown: a lost answer of the acquirer, which is looked after too late for this story. Start "
            "the system with TAEL_RESOLVE_SECONDS=6, and set it here too."
        )
