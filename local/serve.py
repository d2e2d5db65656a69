"""`tael up` from beginning to end: start, say so, and serve until told to stop."""

from pathlib import Path

from rich.console import Console

from chassis.config import Engine as EngineKind
from local import sandbox
from local.announce import announce
from local.system import running


def serve(console: Console, state: Path, port: int, engine: EngineKind, workers: int) -> None:
    """Serve until a signal or a failure ends it."""
    with running(state, port, engine, workers) as system:
        is_embedded = engine is EngineKind.EMBEDDED
        announce(console, system, sandbox.prepare(system) if is_embedded else None)
        system.supervise()
