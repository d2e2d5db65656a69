"""The layers' own system: their tests set balances by hand, which no trial balance should see."""

from collections.abc import Iterator

import pytest

from local.system import System, running


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system, serving HTTP, for the tests of the layers alone."""
    with running(tmp_path_factory.mktemp("layers") / "state") as started:
        yield started
