"""The layers' own system: their tests set balances by hand, which no trial balance should see."""

from collections.abc import Iterator

import httpx
import pytest

from local.system import System
from tests.conftest import connect
from tests.lending import lent


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system, serving HTTP, for the tests of the layers alone."""
    with lent("layers", tmp_path_factory.mktemp("layers") / "state") as started:
        yield started


# Of its own too: pytest would hand the first one's, whichever system that calls, to every other folder.
@pytest.fixture(scope="session")
def platform(system: System) -> Iterator[httpx.Client]:
    """The platform of that system, calling."""
    with connect(system, system.platform_key) as client:
        yield client
