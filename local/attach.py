"""How a command finds a running system: by the environment, or in its state folder."""

import json
import os
import secrets as randomness
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Caller:
    """The API of a running system, called by its operator, and in whose name."""

    api: Api
    url: str
    merchant: str | None
    """None: the platform's own."""
    sandbox_key: str | None
    """The merchant's, where it is the sandbox's."""


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


def in_the_name_of(folder: Path, merchant: str | None) -> Caller:
    """The same, in the name of a merchant: that one, the state folder's sandbox, or else of nobody."""
    url, key = _url_and_key(folder)
    sandbox = _secrets(folder) if _url(folder) == url else None
    if sandbox and merchant in {None, sandbox.sandbox_merchant}:
        merchant, sandbox_key = sandbox.sandbox_merchant, sandbox.sandbox_key
    else:
        sandbox_key = None
    return Caller(Api(url, key, merchant=merchant), url, merchant, sandbox_key)


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
    url, key = os.environ.get("TAEL_URL", "").rstrip("/"), os.environ.get("TAEL_PLATFORM_KEY")
    if not url and (url := _url(folder)):
        key = key or _secrets(folder).platform_key
    if not key:
        raise LocalError(
            f"The operator key of {url} is missing: set TAEL_PLATFORM_KEY."
            if url
            else f"No system runs on the state folder {folder}: "
            "name its --state, or set TAEL_URL and TAEL_PLATFORM_KEY."
        )
    return url or DEFAULT_URL, key


def _url(folder: Path) -> str:
    """Where the system of that state folder serves; empty where none runs."""
    path = folder.expanduser() / FILE
    if not path.exists():
        return ""
    try:
        return str(json.loads(path.read_text())["url"])
    except (OSError, ValueError, KeyError, TypeError):
        raise LocalError(f"{path} cannot be read: start that system again.") from None


def _secrets(folder: Path) -> secrets.Secrets:
    return secrets.load_or_generate(folder.expanduser() / "secrets.json")


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
