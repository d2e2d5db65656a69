"""The `tael` command: its subcommands and their options."""

from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from chassis.config import Engine as EngineKind
from local import dead_letters, events
from local.attach import attach, in_the_name_of, platform
from local.bench.command import bench
from local.calendar import seconds_of
from local.command import STATE, MerchantOption, StateOption, ending
from local.demo import story
from local.deploy import deploy
from local.listen import listen
from local.serve import serve

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would print keys.
    pretty_exceptions_show_locals=False,
)

dlq = typer.Typer(
    no_args_is_help=True, help="Dead letters: messages that a queue gave up after several tries."
)
app.add_typer(dlq, name="dlq")
clock = typer.Typer(
    no_args_is_help=True,
    help="The movable clock of a system on the embedded engine: cut-offs, delays and expiries in seconds.",
)
app.add_typer(clock, name="clock")
app.add_typer(events.app, name="events")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tael {version('tael')}")
        raise typer.Exit


@app.callback()
def tael(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Tael: a payment backend. This command runs all of it on your machine, with no Docker and no account."""


@app.command()
def up(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the API; 0 takes a free one.")] = 8080,
    state: Annotated[
        Path, typer.Option(help="Folder for everything that must survive a restart, logs included.")
    ] = STATE,
    engine: Annotated[
        EngineKind,
        typer.Option(help="Where the AWS services are: in a child process, on LocalStack, or in the cloud."),
    ] = EngineKind.EMBEDDED,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that serve the API.")] = 1,
) -> None:
    """Start the whole system and serve it on 127.0.0.1 until Ctrl-C.

    The operator key is TAEL_PLATFORM_KEY; when unset, one is generated, kept in the state folder and printed.

    The line `ready http://127.0.0.1:PORT` says that it serves.
    """
    with ending(when_stopped=0):
        serve(Console(), state, port, engine, workers)


app.command()(deploy)


@app.command()
def demo(
    url: Annotated[
        str | None,
        typer.Option(help="A running system, whose operator key is in TAEL_PLATFORM_KEY. Default: its own."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Folder to write the shop's settlements to, one CSV file for each.")
    ] = None,
) -> None:
    """Play five days of a real shop through the API, and account for every penny.

    Without --url a whole system is started on free ports for it, and stopped afterwards.

    With it, days pass and money is paid out where the system's clock can be moved, which then stays ahead.
    TAEL_ACQUIRER_URL and TAEL_BANK_URL say where their own statements are, which are then checked too.
    """
    with ending():
        story.run(Console(), url, csv)


app.command()(bench)


@app.command("listen")
def listen_to_webhooks(
    *,
    patterns: Annotated[
        list[str] | None,
        typer.Option(
            "--events", metavar="PATTERN", help="Such as payment.*; several times for more. Default: all."
        ),
    ] = None,
    merchant: MerchantOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the receiver; 0 takes a free one.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event as it came, one JSON document a line.")
    ] = False,
    state: StateOption = STATE,
) -> None:
    """Receive webhooks on this machine: print each event as it arrives, and verify its signature.

    A webhook endpoint on a port of 127.0.0.1 is registered with the running system, and deleted at Ctrl-C.

    Where this is killed, the endpoint stays; the next `tael listen` deletes it.

    Example: `tael listen --events "payment.*"`.
    """
    with ending(when_stopped=0):
        listen(in_the_name_of(state, merchant), patterns or ["*"], port, as_json=as_json)


@dlq.command("list")
def list_dead_letters(
    queue: Annotated[
        str | None,
        typer.Argument(
            help="Show its dead letters, such as payment-resolutions. Default: count those of every queue."
        ),
    ] = None,
    state: StateOption = STATE,
) -> None:
    """Count the dead letters of every queue, or show those of one."""
    with ending():
        attach(state)
        if queue is None:
            for name, count in dead_letters.counts().items():
                typer.echo(f"{count:6}  {name}")
            return
        for letter in dead_letters.letters(queue):
            sent_at = letter.sent_at.isoformat(timespec="seconds")
            typer.echo(f"{letter.id}  {sent_at}  {letter.receives} receives  {letter.body}")


@dlq.command("redrive")
def redrive(
    queue: Annotated[str, typer.Argument(help="The queue whose dead letters are sent back to it.")],
    state: StateOption = STATE,
) -> None:
    """Send the dead letters of a queue back to it, to be tried once more."""
    with ending():
        attach(state)
        typer.echo(f"{dead_letters.redrive(queue)} sent back to {queue}")


@clock.command("advance")
def advance_clock(
    span: Annotated[str, typer.Argument(help="Days, hours, minutes and seconds: 3d, 90m, 1d12h.")],
    state: StateOption = STATE,
) -> None:
    """Move the clock of the running system ahead, by at most 366 days at once; it never goes back.

    What is due by then is done within seconds, each schedule once. The state folder keeps the clock.

    Only the delays of queues do not move, which are at most 15 minutes.

    Example: `tael clock advance 8d` expires every authorization that is held by now.
    """
    with ending():
        seconds = seconds_of(span)
        with platform(state) as api:
            _show_time(api.post("/local/clock", {"advance_seconds": seconds}).body)


@clock.command("show")
def show_clock(state: StateOption = STATE) -> None:
    """Show what time it is for the running system, and how far it is ahead."""
    with ending(), platform(state) as api:
        _show_time(api.get("/local/system"))


def _show_time(system: dict[str, Any]) -> None:
    ahead = timedelta(seconds=system["clock_ahead_seconds"])
    now = datetime.fromisoformat(system["now"]).strftime("%Y-%m-%d %H:%M:%S UTC")
    typer.echo(f"{now}  ({f'{ahead} ahead' if ahead else 'not moved'})")


@app.command("run")
def run_schedule(
    schedule: Annotated[str, typer.Argument(help="By capability and name, such as payments.expire.")],
    state: StateOption = STATE,
) -> None:
    """Run a schedule of the running system now, and say how much it did.

    Example: `tael run payments.expire`. A name that does not exist is answered with those that do.
    """
    with ending(), platform(state) as api:
        ran = api.post("/local/runs", {"schedule": schedule}).body
        typer.echo(f"{ran['schedule']}: {ran['done']} done")


if __name__ == "__main__":
    app()
