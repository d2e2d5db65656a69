"""The demo from beginning to end, on a system that is already running or on one of its own."""

import os
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from local.api import Api
from local.demo import report
from local.demo.checks import Audit
from local.demo.ending import Ending
from local.demo.plan import Plan, make_plan
from local.demo.player import Played, length, open_shop, play
from local.demo.rows import DATA, read_rows
from local.demo.statement import Statement
from local.demo.table import tell_table
from local.errors import LocalError, StopRequested
from local.system import running

OWN_SETTINGS = {
    # An answer is given up, and asked for again, within the length of the story.
    "TAEL_ACQUIRER_TRY_SECONDS": "1.5",
    "TAEL_ACQUIRER_TOTAL_SECONDS": "3",
    "TAEL_RESOLVE_SECONDS": "6",
}
DEFAULT_RESOLVE_SECONDS = 60
PATIENT_SECONDS = 10
"""A running system that looks after a lost answer later than this is not made to lose one."""


def run(console: Console, url: str | None) -> None:
    """Tell the story against the API at `url`, or against a whole system started for it."""
    if url is None:
        _run_on_own_system(console)
        return
    key = os.environ.get("TAEL_PLATFORM_KEY")
    if not key:
        raise LocalError("A running system's operator key is needed: set TAEL_PLATFORM_KEY.")
    acquirer_url = os.environ.get("TAEL_ACQUIRER_URL")
    loses_an_answer = _resolve_seconds() <= PATIENT_SECONDS
    tell(console, url.rstrip("/"), key, acquirer_url, loses_an_answer=loses_an_answer)


def _resolve_seconds() -> float:
    given = os.environ.get("TAEL_RESOLVE_SECONDS", "")
    return int(given) if given.isdecimal() else DEFAULT_RESOLVE_SECONDS


def _run_on_own_system(console: Console) -> None:
    folder = Path(tempfile.mkdtemp(prefix="tael-demo-"))
    console.print("Starting a whole system of its own ...")
    began = time.monotonic()
    try:
        with running(folder, settings=OWN_SETTINGS) as system:
            console.print(f"Ready at {system.url} after {time.monotonic() - began:.1f} s.", highlight=False)
            tell(console, system.url, system.platform_key, system.acquirer_url)
    except LocalError:
        # The logs are in there, and the message points to them.
        console.print(f"State and logs are kept in {folder}.", soft_wrap=True)
        raise
    except (StopRequested, KeyboardInterrupt):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def tell(
    console: Console,
    url: str,
    platform_key: str,
    acquirer_url: str | None,
    *,
    loses_an_answer: bool = True,
    data: Path | None = None,
) -> None:
    """Play the shop's five days, and account for every penny; raises when something doesn't add up."""
    data = data or DATA
    plan = make_plan(read_rows(data), loses_an_answer=loses_an_answer)
    with ExitStack() as stack:
        platform = stack.enter_context(Api(url, platform_key))
        acquirer = stack.enter_context(Api(acquirer_url, None)) if acquirer_url else None
        statement = Statement.begun(acquirer) if acquirer else None
        opened = open_shop(platform)
        shop = stack.enter_context(Api(url, opened.key))
        report.tell_beginning(console, plan)
        played = _play(console, plan, platform, shop)
        audit = Audit(plan, played, opened.id, shop, platform, data, statement)
        replays = audit.replays()
        ending = Ending.read(shop)
        report.tell_examples(console, plan, ending)
        tell_table(console, plan, ending)
        failed = report.tell_checks(console, [replays, *audit.checks(ending)])
    report.tell_omissions(console, no_statement=statement is None, no_lost_answer=not loses_an_answer)
    if failed:
        raise LocalError(f"It does not add up: {'; '.join(check.claim for check in failed)}.")
    console.print("Every penny is accounted for.", style="bold green")


def _play(console: Console, plan: Plan, platform: Api, shop: Api) -> Played:
    began = time.monotonic()
    with report.progress_bar(console, length(plan)) as advance:
        played = play(plan, platform, shop, advance)
    console.print(
        f"Played with {played.requests:,} requests, all payments one after the other, "
        f"in {time.monotonic() - began:.1f} s."
    )
    return played
