"""The `tael` command: its subcommands and their options."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chassis.config import Engine as EngineKind
from local import dead_letters
from local.attach import attach
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

StateOption = Annotated[
    Path, typer.Option(help="State folder of the running system; TAEL_ENGINE in the environment wins.")
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
) -> None:
    """Play five days of a real shop through the API, and account for every penny.

    Without --url a whole system is started on free ports for it, and stopped afterwards.

    With it, TAEL_ACQUIRER_URL says where the acquirer's own statement is, which is then checked too.
    """
    with _exit_code(when_stopped=INTERRUPTED):
        story.run(Console(), url)


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
