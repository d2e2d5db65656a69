"""The system's sums: what they lag behind its journal, and the waiting until they do not."""

from local.api import Api
from local.demo.waiting import wait_until

PATH = "/v1/ledger/trial-balance"


def await_rolled_up(platform: Api) -> None:
    """Wait until the sums are those of the whole journal; once patience is over, whoever reads them tells."""
    wait_until(lambda: _is_rolled_up(platform))


def _is_rolled_up(platform: Api) -> bool:
    rolled, anew = (platform.get(PATH, source=source) for source in ("rollup", "journal"))
    return all(rolled[what] == anew[what] for what in ("data", "entries"))
