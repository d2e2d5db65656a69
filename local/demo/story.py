"""The demo from beginning to end, on a system that is already running or on one of its own."""

import os
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from local.api import Api
from local.demo import hearing, nights, report
from local.demo.checks import Audit
from local.demo.ending import Ending
from local.demo.hearing import Ear, Heard
from local.demo.nights import Nights
from local.demo.outcome import Outcome
from local.demo.plan import Day, Plan, make_plan
from local.demo.player import Played, Shop, length, open_shop, play
from local.demo.replays import replay
from local.demo.rows import DATA, read_rows
from local.demo.stage import Stage
from local.demo.statement import Statement
from local.demo.table import tell_settlements, tell_table
from local.errors import LocalError, StopRequested
from local.system import running

OWN_SETTINGS = {
    # An answer is given up, and asked for again, within the length of the story.
    "TAEL_ACQUIRER_TRY_SECONDS": "1.5",
    "TAEL_ACQUIRER_TOTAL_SECONDS": "3",
    "TAEL_RESOLVE_SECONDS": "4",
}
DEFAULT_RESOLVE_SECONDS = 60
PATIENT_SECONDS = 10
"""A running system that looks after a lost answer later than this is not made to lose one."""


def run(console: Console, url: str | None, csv: Path | None = None) -> None:
    """Tell the story against the API at `url`, or against a whole system started for it."""
    if url is None:
        _run_on_own_system(console, csv)
        return
    key = os.environ.get("TAEL_PLATFORM_KEY")
    if not key:
        raise LocalError("A running system's operator key is needed: set TAEL_PLATFORM_KEY.")
    stage = Stage(
        url.rstrip("/"),
        key,
        acquirer_url=os.environ.get("TAEL_ACQUIRER_URL"),
        bank_url=os.environ.get("TAEL_BANK_URL"),
        loses_an_answer=_resolve_seconds() <= PATIENT_SECONDS,
    )
    tell(console, stage, csv=csv)


def _resolve_seconds() -> float:
    given = os.environ.get("TAEL_RESOLVE_SECONDS", "")
    return int(given) if given.isdecimal() else DEFAULT_RESOLVE_SECONDS


def _run_on_own_system(console: Console, csv: Path | None) -> None:
    folder = Path(tempfile.mkdtemp(prefix="tael-demo-"))
    console.print("Starting a whole system of its own ...")
    began = time.monotonic()
    try:
        with running(folder, settings=OWN_SETTINGS) as system:
            console.print(f"Ready at {system.url} after {time.monotonic() - began:.1f} s.", highlight=False)
            stage = Stage(system.url, system.platform_key, system.acquirer_url, system.bank_url)
            tell(console, stage, csv=csv)
    except LocalError:
        # The logs are in there, and the message points to them.
        console.print(f"State and logs are kept in {folder}.", soft_wrap=True)
        raise
    except (StopRequested, KeyboardInterrupt):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def tell(console: Console, stage: Stage, *, csv: Path | None = None, data: Path | None = None) -> None:
    """Play the shop's five days, and account for every penny; raises when something doesn't add up."""
    data = data or DATA
    plan = make_plan(read_rows(data), loses_an_answer=stage.loses_an_answer)
    with ExitStack() as stack:
        platform = stack.enter_context(Api(stage.url, stage.platform_key))
        acquirer, bank = (
            stack.enter_context(Api(url, None)) if url else None
            for url in (stage.acquirer_url, stage.bank_url)
        )
        statement = Statement.begun(acquirer) if acquirer else None
        opened = open_shop(platform)
        shop = stack.enter_context(Api(stage.url, opened.key))
        ear = stack.enter_context(hearing.listening(shop))
        falling = Nights(platform, shop) if nights.can_fall(platform) else None
        report.tell_beginning(console, plan, is_settled=falling is not None)
        played = _play(console, plan, platform, shop, falling)
        repeated = replay(plan, played, shop)
        ending = Ending.read(shop)
        outcome = _settle(console, falling, opened, bank) if falling else None
        heard = _hear_all(console, ear, ending, outcome) if ear else None
        audit = Audit(plan, played, opened.id, shop, platform, data, statement, outcome)
        _report(console, plan, ending, outcome, csv)
        if heard:
            report.tell_webhooks(console, heard)
        checks = [repeated, *audit.checks(ending), *(heard.checks() if heard else ())]
        console.print()
        failed = report.tell_checks(console, checks)
    report.tell_omissions(console, stage, is_settled=outcome is not None, is_heard=heard is not None)
    if failed:
        raise LocalError(f"It does not add up: {'; '.join(check.claim for check in failed)}.")
    console.print("Every penny is accounted for.", style="bold green")


def _play(console: Console, plan: Plan, platform: Api, shop: Api, falling: Nights | None) -> Played:
    began = time.monotonic()
    with report.progress_bar(console, length(plan)) as advance:
        played = play(plan, platform, shop, advance, falling.fall if falling else _no_night)
    console.print(
        f"Played with {played.requests:,} requests, all payments one after the other, "
        f"in {time.monotonic() - began:.1f} s."
    )
    return played


def _no_night(_: Day) -> None:
    """Where the clock cannot be moved, the days are told one right after the other."""


def _settle(console: Console, falling: Nights, opened: Shop, bank: Api | None) -> Outcome:
    began = time.monotonic()
    outcome = Outcome.of(falling, opened.id, bank)
    console.print(f"Settled and paid out in {time.monotonic() - began:.1f} s.")
    return outcome


def _hear_all(console: Console, ear: Ear, ending: Ending, outcome: Outcome | None) -> Heard:
    began = time.monotonic()
    heard = ear.after(ending, outcome)
    console.print(f"The last webhook had arrived {time.monotonic() - began:.1f} s later.")
    return heard


def _report(console: Console, plan: Plan, ending: Ending, outcome: Outcome | None, csv: Path | None) -> None:
    report.tell_examples(console, plan, ending)
    tell_table(console, plan, ending)
    if outcome:
        tell_settlements(console, outcome.settled)
        report.tell_payouts(console, outcome)
        if csv:
            outcome.settled.write(csv)
            report.tell_files(console, outcome.settled, csv)
