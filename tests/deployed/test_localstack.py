"""The journeys on LocalStack: `place` makes all of them there too, where somebody has started one."""

import pytest

from local.system import System
from tests.deployed.conftest import LOCALSTACK, VARIABLE


@pytest.mark.skipif(not LOCALSTACK, reason=f"no LocalStack: name one in {VARIABLE} (docs/localstack.md)")
def test_it_is_localstack_that_the_journeys_are_made_on(on_localstack: System) -> None:
    assert on_localstack.environment["AWS_ENDPOINT_URL"] == LOCALSTACK
    assert on_localstack.engine_url is None
