"""The demo's nights: they fall only where the system's clock can be moved."""

import httpx
import pytest

from local.api import Api, ApiError
from local.demo import nights


@pytest.mark.parametrize(
    ("status", "body", "can_fall"),
    [
        (200, {"engine": "embedded"}, True),
        (200, {"engine": "localstack"}, False),
        (403, {"message": "Missing Authentication Token"}, False),
        (404, {}, False),
    ],
)
def test_nights_fall_where_the_clock_can_be_moved(
    status: int, body: dict[str, str], *, can_fall: bool
) -> None:
    system = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    with Api("http://tael", "key", system) as platform:
        assert nights.can_fall(platform) == can_fall


def test_a_system_that_fails_is_not_one_without_a_clock() -> None:
    failing = httpx.MockTransport(lambda _: httpx.Response(500, json={}))
    with Api("http://tael", "key", failing) as platform, pytest.raises(ApiError):
        nights.can_fall(platform)
