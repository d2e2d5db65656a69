"""Waits until the sums that are read have counted all that the journal has."""

import time

import httpx

PATH = "/v1/ledger/trial-balance"
PATIENCE_SECONDS = 30.0


def await_rolled_up(platform: httpx.Client) -> None:
    """Wait for the roll-up, which follows a second later; money must not move meanwhile."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        rolled, anew = (
            platform.get(PATH, params={"source": source}).json() for source in ("rollup", "journal")
        )
        if all(rolled[what] == anew[what] for what in ("data", "entries")):
            return
        assert time.monotonic() < deadline, (rolled, anew)
        time.sleep(0.1)
