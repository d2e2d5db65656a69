"""The `tael` command: its subcommands and their options."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from chassis.config import Engine as EngineKind
from local import dead_letters
from local.attach import attach, platform
from local.calendar import seconds_of
from local.demo import story
from local.errors import LocalError, StopRequested
from local.serve import serve
from local.signals import stoppable

INTERRUPTED = 130

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

StateOption = Annotated[
    Path,
    typer.Option(
        help="State folder of the running system. TAEL_URL and TAEL_PLATFORM_KEY in the environment win."
    ),
]


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
    ] = Path(".tael"),
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
    with _exit_code(when_stopped=0):
        serve(Console(), state, port, engine, workers)


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
    with _exit_code(when_stopped=INTERRUPTED):
        story.run(Console(), url, csv)


@dlq.command("list")
def list_dead_letters(
    queue: Annotated[
        str | None,
        typer.Argument(
            help="Show its dead letters, such as payment-resolutions. Default: count those of every queue."
        ),
    ] = None,
    state: StateOption = Path(".tael"),
) -> None:
    """Count the dead letters of every queue, or show those of one."""
    with _exit_code(when_stopped=INTERRUPTED):
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
    state: StateOption = Path(".tael"),
) -> None:
    """Send the dead letters of a queue back to it, to be tried once more."""
    with _exit_code(when_stopped=INTERRUPTED):
        attach(state)
        typer.echo(f"{dead_letters.redrive(queue)} sent back to {queue}")


@clock.command("advance")
def advance_clock(
    span: Annotated[str, typer.Argument(help="Days, hours, minutes and seconds: 3d, 90m, 1d12h.")],
    state: StateOption = Path(".tael"),
) -> None:
    """Move the clock of the running system ahead, by at most 366 days at once; it never goes back.

    What is due by then is done within seconds, each schedule once. The state folder keeps the clock.

    Only the delays of queues do not move, which are at most 15 minutes.

    Example: `tael clock advance 8d` expires every authorization that is held by now.
    """
    with _exit_code(when_stopped=INTERRUPTED):
        seconds = seconds_of(span)
        with platform(state) as api:
            _show_time(api.post("/local/clock", {"advance_seconds": seconds}).body)


@clock.command("show")
def show_clock(state: StateOption = Path(".tael")) -> None:
    """Show what time it is for the running system, and how far it is ahead."""
    with _exit_code(when_stopped=INTERRUPTED), platform(state) as api:
        _show_time(api.get("/local/system"))


def _show_time(system: dict[str, Any]) -> None:
    ahead = timedelta(seconds=system["clock_ahead_seconds"])
    now = datetime.fromisoformat(system["now"]).strftime("%Y-%m-%d %H:%M:%S UTC")
    typer.echo(f"{now}  ({f'{ahead} ahead' if ahead else 'not moved'})")


@app.command("run")
def run_schedule(
    schedule: Annotated[str, typer.Argument(help="By capability and name, such as payments.expire.")],
    state: StateOption = Path(".tael"),
) -> None:
    """Run a schedule of the running system now, and say how much it did.

    Example: `tael run payments.expire`. A name that does not exist is answered with those that do.
    """
    with _exit_code(when_stopped=INTERRUPTED), platform(state) as api:
        ran = api.post("/local/runs", {"schedule": schedule}).body
        typer.echo(f"{ran['schedule']}: {ran['done']} done")


@contextmanager
def _exit_code(when_stopped: int) -> Iterator[None]:
    """Turn the ways in which a command can end into an exit code, and a failure into one sentence."""
    try:
        with stoppable():
            yield
    except StopRequested:
        raise typer.Exit(when_stopped) from None
    except LocalError as error:
        typer.echo(f"tael: {error}", err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
