"""How a command finds a running system: by the environment, or in its state folder."""

import json
import os
import secrets as randomness
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from chassis.config import PEPPER_MIN_BYTES, ConfigurationError, settings
from local import secrets
from local.api import Api, ApiError
from local.errors import LocalError
from local.ports import LOOPBACK
from local.state import PRIVATE_FILE

FILE = "running.json"
DEFAULT_URL = "http://127.0.0.1:8080"


@contextmanager
def announced(folder: Path, url: str) -> Iterator[None]:
    """Say in the state folder where the API is, while it runs; the secrets have a file of their own."""
    path = folder / FILE
    path.touch(PRIVATE_FILE)
    path.write_text(json.dumps({"url": url}) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def platform(folder: Path) -> Api:
    """The API of the running system, called by its operator.

    TAEL_URL in the environment wins, with TAEL_PLATFORM_KEY; then the system of that state folder; then,
    where there is a TAEL_PLATFORM_KEY, the address that `tael up` serves by itself.
    """
    return Api(*_url_and_key(folder))


def attach(folder: Path) -> None:
    """Connect this process's `chassis` to the engine of the running system; TAEL_ENGINE wins."""
    if "TAEL_ENGINE" not in os.environ:
        url, key = _url_and_key(folder)
        where = _whereabouts(url, key)
        os.environ.update({f"TAEL_{name.upper()}": value for name, value in where.items() if value})
        os.environ["TAEL_PLATFORM_KEY"] = key
        # Who works on the engine itself checks nobody's API key.
        os.environ.setdefault("TAEL_PEPPERS", f"1:{randomness.token_hex(PEPPER_MIN_BYTES)}")
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = LOOPBACK
    try:
        settings()
    except ConfigurationError as error:
        raise LocalError(f"The engine cannot be reached: {error}.") from None


def _url_and_key(folder: Path) -> tuple[str, str]:
    url, key = os.environ.get("TAEL_URL"), os.environ.get("TAEL_PLATFORM_KEY")
    path = folder.expanduser() / FILE
    if not url and path.exists():
        try:
            url = str(json.loads(path.read_text())["url"])
        except (OSError, ValueError, KeyError, TypeError):
            raise LocalError(f"{path} cannot be read: start that system again.") from None
        key = key or secrets.load_or_generate(path.with_name("secrets.json")).platform_key
    if not key:
        raise LocalError(
            f"The operator key of {url} is missing: set TAEL_PLATFORM_KEY."
            if url
            else f"No system runs on the state folder {folder}: "
            "name its --state, or set TAEL_URL and TAEL_PLATFORM_KEY."
        )
    return url or DEFAULT_URL, key


def _whereabouts(url: str, key: str) -> dict[str, str | None]:
    with Api(url, key) as api:
        try:
            system = api.get("/local/system")
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise LocalError(
                    f"{url} is not served by `tael up`: name its engine in TAEL_ENGINE."
                ) from None
            raise
    return {name: system[name] for name in ("engine", "engine_url", "stage")}
