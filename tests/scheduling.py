"""Which of the two processes runs which tests: those that need a costly system of their own stay together."""

from xdist.scheduler import LoadFileScheduling

TOGETHER = {
    "tests/layers/": "layers",
    "tests/journeys/test_card_": "hasty",
    "tests/journeys/test_topups.py": "hasty",
    "tests/journeys/test_payout": "hasty",
    "tests/journeys/test_clock.py": "moved",
    "tests/journeys/test_settlement.py": "moved",
}
"""Start of a file's name -> the system that its tests share, which should be started only once."""
FIRST = (*TOGETHER, "tests/local/")
"""What takes longest to begin or to end, so that at the end there is something short for everybody."""


class Together(LoadFileScheduling):  # type: ignore[misc] # xdist tells no types
    """A file stays in one process, and so do the files that share a system."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((name for start, name in TOGETHER.items() if file.startswith(start)), file)


def is_late(nodeid: str) -> bool:
    """Whether a test comes after those of FIRST."""
    return not nodeid.startswith(FIRST)
