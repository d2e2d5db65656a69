"""`tael listen`: says what it listens for, and tells each event as it arrives."""

from collections.abc import Sequence
from queue import SimpleQueue
from typing import NoReturn

import typer

from local.attach import Caller
from local.events import line_of
from local.receiver import Delivery, Registered, receiving

PAY_AN_ORDER = """
CARD=$(curl -s %(url)s/v1/cards -H "Authorization: Bearer $KEY" \\
  -H 'Idempotency-Key: card-to-listen' -H 'Content-Type: application/json' \\
  -d '{"number": "4242424242424242", "exp_month": 12, "exp_year": 2034, "cvc": "123"}' \\
  | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
curl -s %(url)s/v1/payments/order-$RANDOM$RANDOM -H "Authorization: Bearer $KEY" \\
  -H 'Content-Type: application/json' \\
  -d '{"amount": 1250, "currency": "GBP", "source": {"card": "'"$CARD"'"}}'; echo
"""


def listen(caller: Caller, patterns: Sequence[str], port: int, *, as_json: bool) -> NoReturn:
    """Tell what arrives until it is stopped; standard output has nothing but the events, if they are JSON."""
    arrived: SimpleQueue[Delivery] = SimpleQueue()
    with caller.api as api, receiving(api, patterns, arrived.put, port) as endpoint:
        typer.echo(beginning(caller, patterns, endpoint), err=as_json)
        while True:
            tell(arrived.get(), as_json=as_json)


def beginning(caller: Caller, patterns: Sequence[str], endpoint: Registered) -> str:
    """What is listened for, and what to do to hear something."""
    if caller.merchant is None:
        whose = "the platform itself (--merchant mer_... listens to a merchant's)"
    else:
        whose = f"merchant {caller.merchant}"
    said = (
        f"Listening at {endpoint.url}, as {endpoint.id}, until Ctrl-C.\n"
        f"It is told {' and '.join(patterns)} of {whose}."
    )
    if caller.merchant is None:
        return said
    return f"{said}\nPay an order, in another terminal with bash:\n\n{pay_an_order(caller)}"


def pay_an_order(caller: Caller) -> str:
    """Commands for bash with curl and python3."""
    key = caller.sandbox_key or f"sk_...   # a key of {caller.merchant}"
    return f"KEY={key}{PAY_AN_ORDER % {'url': caller.url}}"


def tell(delivery: Delivery, *, as_json: bool) -> None:
    """A line for an event; what does not verify is told apart from them, and loudly."""
    if delivery.fault:
        whatever = f"{delivery.webhook_id or 'without a webhook-id'}, {len(delivery.body)} bytes"
        said = f"NOT VERIFIED, answered 400: {delivery.fault} ({whatever})"
        typer.secho(said, fg=typer.colors.RED, bold=True, err=True)
    elif as_json:
        typer.echo(delivery.body)
    else:
        typer.echo(f"{line_of(delivery.event)}  verified")
