"""TCP ports on the loopback address: which are free, and whether a server answers on one."""

import socket
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from local.errors import LocalError

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port that nothing listens on now; the system hands them out in turn, so it stays free for a while."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int) -> None:
    """Refuse a port that another program holds, before anything is started for it."""
    # Some systems allow binding loopback beside a listener on all interfaces: so ask for one first.
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex((LOOPBACK, port)) == 0:
            raise LocalError(f"Port {port} is already in use on {LOOPBACK}: choose another with --port.")
    with socket.socket() as probe:
        # As the server does it: connections of an earlier run in TIME_WAIT do not occupy a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise LocalError(
                f"Port {port} cannot be used on {LOOPBACK} ({error.strerror}): choose another with --port."
            ) from error


def answers(url: str, path: str) -> bool:
    """Whether a server of ours answers 200 here.

    Asked many times while it starts, hence the plain client: no proxy, no TLS context, no pool.
    """
    connection = HTTPConnection(urlsplit(url).netloc, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
