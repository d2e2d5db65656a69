"""How a command finds the engine of a running system: by the environment, or in its state folder."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chassis.config import ConfigurationError, Engine, settings
from local import secrets
from local.errors import LocalError
from local.state import PRIVATE_FILE

FILE = "running.json"


@contextmanager
def announced(folder: Path, engine: Engine, engine_url: str | None, stage: str) -> Iterator[None]:
    """Say in the state folder where the engine is, while it runs; the secrets have a file of their own."""
    path = folder / FILE
    where = {"TAEL_ENGINE": engine.value, "TAEL_ENGINE_URL": engine_url, "TAEL_STAGE": stage}
    path.touch(PRIVATE_FILE)
    path.write_text(json.dumps({name: value for name, value in where.items() if value}) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def attach(folder: Path) -> None:
    """Connect this process's `chassis` to the system of that folder; TAEL_ENGINE in the environment wins."""
    if "TAEL_ENGINE" not in os.environ:
        path = folder.expanduser() / FILE
        try:
            os.environ.update(json.loads(path.read_text()))
        except (OSError, ValueError):
            raise LocalError(
                f"No system runs on the state folder {folder}: name its --state, or set TAEL_ENGINE."
            ) from None
        kept = secrets.load_or_generate(path.with_name("secrets.json"))
        os.environ.setdefault("TAEL_PLATFORM_KEY", kept.platform_key)
        os.environ.setdefault("TAEL_PEPPERS", kept.peppers)
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"
    try:
        settings()
    except ConfigurationError as error:
        raise LocalError(f"The engine cannot be reached: {error}.") from None
