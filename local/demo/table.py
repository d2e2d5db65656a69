"""The tables that the story ends with: where every row of the file ended up, and what it brought."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from local.demo.claims import pounds
from local.demo.ending import Ending
from local.demo.plan import Plan
from local.demo.settling import Settled
from local.demo.steps import Capture, Status

PAID: tuple[Status, ...] = ("captured", "partially_refunded", "refunded")


def tell_table(console: Console, plan: Plan, ending: Ending) -> None:
    """Print what became of each row."""
    table = Table("", "count", "total", title="Orders and refunds", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    _orders(table, ending)
    _refunds(table, plan, ending)
    _card_money(table, ending)
    _due(table, ending)
    console.print()
    console.print(table)


def _orders(table: Table, ending: Ending) -> None:
    costs = ending.costs
    table.add_row("captured at once from a wallet", *_figures(costs(PAID, "automatic", "wallet")))
    table.add_row("captured at once from a card", *_figures(costs(PAID, "automatic", "card")))
    table.add_row("held in a wallet, captured when they left", *_figures(costs(PAID, "manual", "wallet")))
    table.add_row("held on a card, captured when they left", *_figures(costs(PAID, "manual", "card")))
    table.add_row("held in a wallet, cancelled", *_figures(costs(["canceled"], source="wallet")))
    table.add_row("held on a card, cancelled", *_figures(costs(["canceled"], source="card")))
    table.add_row("held, leaving tomorrow", *_figures(costs(["authorized"])))
    table.add_row("refused: too little in the wallet", *_figures(costs(["failed"], source="wallet")))
    table.add_row("refused: card declined", *_figures(costs(["failed"], source="card")))
    table.add_row("orders", *_figures(ending.amounts), style="bold", end_section=True)


def _refunds(table: Table, plan: Plan, ending: Ending) -> None:
    left_out = [row.amount for capture in plan.all(Capture) for row in capture.left_out]
    coming = [row.amount for row in plan.coming]
    not_applied = [row.amount for row in plan.not_applied]
    table.add_row("refunded to the wallet", *_figures(ending.refunded_to("wallet")))
    table.add_row("refunded to the card", *_figures(ending.refunded_to("card")))
    table.add_row("cancelled in time, not captured", *_figures(left_out))
    if coming:
        table.add_row("cancelled in time, leaving tomorrow", *_figures(coming))
    table.add_row("not applicable: not paid in these days", *_figures(not_applied))
    refunds = [*ending.refunded, *left_out, *coming, *not_applied]
    table.add_row("refunds", *_figures(refunds), style="bold", end_section=True)


def _card_money(table: Table, ending: Ending) -> None:
    payments = [charge for charge in ending.charges.values() if charge[1]]
    captured, refunded = [charge[1] for charge in payments], ending.refunded_to("card")
    declined = [topup["amount"] for topup in ending.topups if topup["status"] == "failed"]
    net = sum(captured) - sum(refunded) + sum(ending.topped_up)
    table.add_row("captured from cards", *_figures(captured))
    table.add_row("topped up from cards", *_figures(ending.topped_up))
    table.add_row("top-ups declined", *_figures(declined))
    table.add_row("due from the acquirer, refunds taken off", "", pounds(net), style="bold", end_section=True)


def _due(table: Table, ending: Ending) -> None:
    table.add_row("captured", *_figures(ending.captured))
    table.add_row("refunded", *_figures(ending.refunded))
    due = sum(ending.captured) - sum(ending.refunded)
    table.add_row("due to the shop, before fees", "", pounds(due), style="bold")


def _figures(amounts: Sequence[int]) -> tuple[str, str]:
    return f"{len(amounts):,}", pounds(sum(amounts))


def tell_settlements(console: Console, settled: Settled) -> None:
    """Print what each settlement day brought, as the system has it."""
    names = ("captured", "refunded", "fees", "net")
    title = "Settlements, each until 00:00 UTC by the system's clock"
    # As narrow as this, it fits a terminal of 80 columns.
    table = Table("until", "count", *names, "status", title=title, title_justify="left")
    for column in table.columns[1:-1]:
        column.justify = "right"
    for settlement in settled.settlements:
        table.add_row(*_settlement(settlement))
    table.add_section()
    captured, refunded, fees, net = (settled.total(name) for name in names)
    amounts = (captured, refunded, fees, net - settled.total("carried_in"))
    table.add_row("all", f"{settled.total('payments'):,}", *map(pounds, amounts), "", style="bold")
    console.print()
    console.print(table)
    console.print()


def _settlement(settlement: dict[str, Any]) -> tuple[str, ...]:
    until = f"{datetime.fromisoformat(settlement['window']):%d %b}"
    amounts = (settlement[name] for name in ("captured", "refunded", "fees", "net"))
    return (until, f"{settlement['payments']:,}", *map(pounds, amounts), settlement["status"])
