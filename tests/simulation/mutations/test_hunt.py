"""The simulator finds bugs of each layer in its first seeds; `make mutations` hunts them all."""

import pytest

from tests.simulation.mutations.__main__ import main
from tests.simulation.mutations.hunt import held, hunt

OPERATIONS = 50
SEEDS = 6
"""Each of these takes one or two of them."""


@pytest.mark.parametrize(
    ("name", "caught_by"),
    [
        ("number-in-the-record", "no_card_in_clear"),
        ("credit-forgotten", "zero_sum"),
        ("payment-overwrites", "records_move_money"),
        ("release-before-fees", "carried_over"),
        ("event-with-random-id", "events_are_told"),
    ],
)
def test_a_bug_is_found(name: str, caught_by: str) -> None:
    found = hunt(name, range(1, SEEDS + 1), OPERATIONS)
    assert found.seed is not None
    assert caught_by in found.caught_by
    # It is the bug that was found: without it the same seed holds.
    assert held(found.seed, OPERATIONS) == (found.seed, True)


def test_the_bugs_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["mutations", "--list"])
    assert main() == 0
    assert "overdraft " in capsys.readouterr().out
