"""Which of the two processes runs which tests: those that need a costly system of their own stay together."""

from xdist.scheduler import LoadFileScheduling

TOGETHER = {
    "tests/deployed/": "deployed",
    "tests/journeys/test_card_": "hasty",
    "tests/journeys/test_topups.py": "hasty",
    "tests/journeys/test_payout": "hasty",
    "tests/layers/": "layers",
    "tests/journeys/test_clock.py": "moved",
    "tests/journeys/test_settlement.py": "moved",
}
"""Start of a file's name -> the system that its tests share, which should be started only once."""
APART = ("tests/simulation/test_seeds.py",)
"""Files of which each test may run wherever there is time: they share no system, and take long."""
LENT = frozenset({"deployed", "hasty", "moved"})
"""Fixtures of these names: tests of other groups cannot have them, for each system ends with its group."""
FIRST = (
    *dict.fromkeys(TOGETHER.values()),
    "tests/local/",
    "tests/journeys/test_concurrency.py",
    "tests/journeys/test_races.py",
)
"""What takes longest to begin or to end, so that at the end there is something short for everybody; and then
what reads the whole ledger after each test, while that is short."""


class Together(LoadFileScheduling):  # type: ignore[misc] # xdist tells no types
    """A file stays in one process, and so do the files that share a system."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """The system that a test shares with those of other files, or the name of its own file, or its own."""
    file = nodeid.partition("::")[0]
    if file in APART:
        return nodeid
    return next((name for start, name in TOGETHER.items() if file.startswith(start)), file)


def turn(nodeid: str) -> int:
    """When a test has its turn: those of one group one after the other, in the order of FIRST."""
    mine = group(nodeid)
    return next((place for place, start in enumerate(FIRST) if mine.startswith(start)), len(FIRST))
