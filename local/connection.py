"""Which engine this process's own `chassis` is connected to, for as long as somebody needs it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chassis import aws
from chassis.config import ConfigurationError, settings
from local.errors import LocalError


@contextmanager
def connected(environment: Mapping[str, str]) -> Iterator[None]:
    """Inside, these variables are set beside its own, and its settings and clients are made from them."""
    before = dict(os.environ)
    os.environ.update(environment)
    _forget()
    try:
        settings()
        yield
    except ConfigurationError as error:
        raise LocalError(f"This cannot be: {error}.") from None
    finally:
        os.environ.clear()
        os.environ.update(before)
        _forget()


def _forget() -> None:
    settings.cache_clear()
    aws.client.cache_clear()
