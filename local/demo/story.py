"""The demo from beginning to end, on a system that is already running or on one of its own."""

import os
import shutil
import tempfile
import time
from pathlib import Path

from rich.console import Console

from local.api import Api
from local.demo import report
from local.demo.checks import Audit
from local.demo.ending import Ending
from local.demo.plan import make_plan
from local.demo.player import open_shop, play
from local.demo.rows import DATA, read_rows
from local.errors import LocalError, StopRequested
from local.system import running


def run(console: Console, url: str | None) -> None:
    """Tell the story against the API at `url`, or against a whole system started for it."""
    if url is None:
        _run_on_own_system(console)
        return
    key = os.environ.get("TAEL_PLATFORM_KEY")
    if not key:
        raise LocalError("A running system's operator key is needed: set TAEL_PLATFORM_KEY.")
    tell(console, url.rstrip("/"), key)


def _run_on_own_system(console: Console) -> None:
    folder = Path(tempfile.mkdtemp(prefix="tael-demo-"))
    console.print("Starting a whole system of its own ...")
    began = time.monotonic()
    try:
        with running(folder) as system:
            console.print(f"Ready at {system.url} after {time.monotonic() - began:.1f} s.", highlight=False)
            tell(console, system.url, system.platform_key)
    except LocalError:
        # The logs are in there, and the message points to them.
        console.print(f"State and logs are kept in {folder}.", soft_wrap=True)
        raise
    except (StopRequested, KeyboardInterrupt):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def tell(console: Console, url: str, platform_key: str, data: Path = DATA) -> None:
    """Play the shop's five days, and account for every penny; raises when something doesn't add up."""
    plan = make_plan(read_rows(data))
    with Api(url, platform_key) as platform:
        opened = open_shop(platform)
        with Api(url, opened.key) as shop:
            report.tell_beginning(console, plan)
            began = time.monotonic()
            with report.progress_bar(console, len(plan.deposits) + len(plan.steps)) as advance:
                played = play(plan, platform, shop, advance)
            console.print(
                f"Played with {played.requests:,} requests, one after the other, "
                f"in {time.monotonic() - began:.1f} s."
            )
            report.tell_examples(console, plan)
            audit = Audit(plan, played, opened.id, shop, platform, data)
            replays = audit.replays()
            ending = Ending.read(shop)
            report.tell_table(console, plan, ending)
            failed = report.tell_checks(console, [replays, *audit.checks(ending)])
    if failed:
        raise LocalError(f"It does not add up: {'; '.join(check.claim for check in failed)}.")
    console.print("Every penny is accounted for.", style="bold green")
