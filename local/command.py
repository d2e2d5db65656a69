"""What the commands share: options that several of them take, and the way in which each of them ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from local.errors import LocalError, StopRequested
from local.signals import stoppable

INTERRUPTED = 130
STATE = Path(".tael")

StateOption = Annotated[
    Path,
    typer.Option(
        help="State folder of the running system. TAEL_URL and TAEL_PLATFORM_KEY in the environment win."
    ),
]
MerchantOption = Annotated[
    str | None,
    typer.Option(
        metavar="MER_...",
        help="In whose name. Default: the sandbox merchant of that state folder; without one, the platform.",
    ),
]


@contextmanager
def ending(when_stopped: int = INTERRUPTED) -> Iterator[None]:
    """Turn the ways in which a command can end into an exit code, and a failure into one sentence."""
    try:
        with stoppable():
            yield
    except StopRequested:
        raise typer.Exit(when_stopped) from None
    except LocalError as error:
        typer.echo(f"tael: {error}", err=True)
        raise typer.Exit(1) from None
