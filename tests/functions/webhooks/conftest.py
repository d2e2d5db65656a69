"""What the tests of deliveries share: a receiver on this machine, and the queues of this process."""

from collections.abc import Iterator

import pytest

from local.system import System
from tests.functions.webhooks.office import Office
from tests.receiver import Receiver, receiving


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A receiver that this module's tests share; each has paths of its own."""
    with receiving() as running:
        yield running


@pytest.fixture
def office(engine: System, monkeypatch: pytest.MonkeyPatch) -> Office:
    """The queues of this process, with a principal of this test's own."""
    return Office(monkeypatch)
