"""The failures that a person at the terminal can act on."""


class LocalError(Exception):
    """One clear sentence for the person who ran the command; it exits with code 1."""


class StopRequested(BaseException):
    """SIGINT, SIGTERM or SIGHUP arrived.

    Not an `Exception`: nothing on the way may swallow it, and every `with` it unwinds stops its part.
    """
