"""How a delivery is attempted, by whom it is tried again, and when its endpoint is given up."""

from collections.abc import Sequence

from functions.webhooks.shapes import Attempt


def deliver(attempts: Sequence[Attempt], *, slowly: bool) -> dict[int, Exception]:
    raise NotImplementedError


def retry() -> int:
    raise NotImplementedError
