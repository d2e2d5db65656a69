"""The commands about events: what happened, told in a line each, whole, or delivered once more."""

import json
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import typer

from local.attach import in_the_name_of
from local.command import STATE, MerchantOption, StateOption, ending
from local.errors import LocalError

EVENTS = "/v1/events"
TELLING = ("status", "amount", "net", "currency", "order_id", "owner", "failure_code", "disabled_reason")
"""Members of a resource that say most of what happened to it."""
TYPE_WIDTH = 26
ID_WIDTH = 29

app = typer.Typer(
    no_args_is_help=True, help="Events: what happened to payments, wallets and all else in the last 30 days."
)
EventArgument = Annotated[str, typer.Argument(metavar="EVENT_ID", help="As `tael events list` shows it.")]


def line_of(event: dict[str, Any]) -> str:
    """An event in one line: when, what, to which object, and what is to be known of it."""
    when = datetime.fromisoformat(event["created_at"]).strftime("%Y-%m-%d %H:%M:%S")
    data = event["data"]
    # An order has no other name than the merchant's own.
    name = "id" if data.get("id") else "order_id"
    what = f"{event['type']:{TYPE_WIDTH}} {data.get(name) or '-':{ID_WIDTH}}"
    told = (f"{each}={data[each]}" for each in TELLING if data.get(each) is not None and each != name)
    return f"{when}  {what} {' '.join(told)}  {event['id']}"


@app.command("list")
def list_events(
    *,
    kind: Annotated[
        str | None, typer.Option("--type", help="A type, or a pattern such as payment.*. Default: all.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, from the newest on.")] = 20,
    merchant: MerchantOption = None,
    state: StateOption = STATE,
) -> None:
    """List what happened, the newest first: a line for each event, with its id at the end.

    Example: `tael events list --type "payment.*"`.
    """
    with ending(), in_the_name_of(state, merchant).api as api:
        filters = {} if kind is None else {"type": kind}
        for event in islice(api.pages(EVENTS, **filters), limit):
            typer.echo(line_of(event))


@app.command("show")
def show_event(event_id: EventArgument, merchant: MerchantOption = None, state: StateOption = STATE) -> None:
    """Show an event as it is delivered: `data` is the object as of then."""
    with ending(), in_the_name_of(state, merchant).api as api:
        event = api.get(f"{EVENTS}/{event_id}")
        typer.echo(json.dumps(event, indent=2, ensure_ascii=False))


@app.command("redeliver")
def redeliver_event(
    event_id: EventArgument,
    endpoint: Annotated[
        str | None,
        typer.Option(metavar="WE_...", help="Default: every enabled endpoint whose patterns match."),
    ] = None,
    merchant: MerchantOption = None,
    state: StateOption = STATE,
) -> None:
    """Deliver an event once more, whether it had arrived or not: it keeps its id."""
    with ending(), in_the_name_of(state, merchant).api as api:
        body = {"endpoint": endpoint} if endpoint else {}
        deliveries = api.post(f"{EVENTS}/{event_id}/redeliver", body).body["data"]
        if not deliveries:
            raise LocalError(f"No enabled webhook endpoint asks for {event_id}: it is sent to nobody.")
        for delivery in deliveries:
            attempts = delivery["attempts"]
            before = f"{attempts} attempt{'' if attempts == 1 else 's'} before"
            typer.echo(f"{delivery['event_type']} goes to {delivery['endpoint']}  ({before})")
