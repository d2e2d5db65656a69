"""`make containers`: every image, built from the real Dockerfile and run as Lambda and Kubernetes do."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from infra.declaration import CAPABILITIES
from infra.functions import PAGES, Function, Routes, ScheduleFeed, functions
from infra.images_build import CannotBuild, Order, build_all
from tests.containers import contents, crossed, lambdas, pods
from tests.containers.box import LOGS
from tests.containers.contents import Contents
from tests.containers.engine import Engine, Unable, prepare
from tests.containers.lambdas import Trial
from tests.containers.stand_in import NATIVE, stand_in

AT_ONCE = 2
PROVES = """
the real Dockerfile builds, with every dependency by its hash, as a wheel that Amazon Linux 2 loads;
images hold what their functions import, and no tools; they run read-only, as user 993, without capabilities
and, as Kubernetes has them, without a shell; handlers answer through the protocol of Lambda's runtimes, and
over HTTP, where they drain at SIGTERM; an image for the other architecture holds that one's libraries."""
PROVES_NOT = """
that Amazon Linux runs them (the base is a stand-in: Debian under the same paths), that they run on the other
architecture, that ECR takes them, or anything of Lambda's own sandbox: its start times, limits and user."""

console = Console(width=None if sys.stdout.isatty() else 132, highlight=False)


@dataclass
class Row:
    """All that is known of one image."""

    contents: Contents | None = None
    as_lambda: Trial = field(default_factory=Trial)
    as_pod: Trial = field(default_factory=Trial)


def main() -> int:
    """Build, try and tell. Returns the exit code."""
    started = time.monotonic()
    try:
        with _timed("container tools"):
            engine = prepare()
        # The builder of images knows nothing of this folder, but its tools read the same variables.
        os.environ.update(engine.environment)
        with _timed("stand-in for the Lambda base"):
            base = stand_in(engine)
        with _timed(f"{len(CAPABILITIES)} images"):
            build_all(CAPABILITIES, Order("buildah", f"linux/{NATIVE}", base))
        with _timed("one image for the other architecture"):
            faults = crossed.faults_of_the_other(engine, base)
        shutil.rmtree(LOGS, ignore_errors=True)
        LOGS.mkdir()
        trials = Trials(engine)
        with _timed("trials"):
            trials.run()
    except (Unable, CannotBuild) as error:
        console.print(f"[red]make containers cannot tell: [/]{error}", markup=True)
        return 1
    console.print(_table(trials.rows))
    console.print(f"[bold]What this proves[/]: {PROVES.strip()}")
    console.print(f"[bold]What it does not[/]: {PROVES_NOT.strip()}")
    faults += trials.faults
    for fault in faults:
        console.print(f"[red]FAULT[/] {fault}", markup=True, soft_wrap=True)
    verdict = f"{len(faults)} faults" if faults else "every image passed"
    console.print(f"{verdict}, {time.monotonic() - started:.0f} s")
    return 1 if faults else 0


@contextmanager
def _timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    console.print(f"{what} ...")
    yield
    console.print(f"{what}: {time.monotonic() - started:.1f} s")


@dataclass
class Trials:
    """Everything that is tried, and what came of it."""

    engine: Engine
    rows: dict[str, Row] = field(default_factory=lambda: {name: Row() for name in (*CAPABILITIES, PAGES)})
    faults: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Try every image and every function, two at once."""
        pool = ThreadPoolExecutor(AT_ONCE)
        begun = [pool.submit(self._look, capability) for capability in CAPABILITIES]
        for function in functions():
            # Schedules need the storage; that each is there to be called is looked at inside.
            if not isinstance(function.feed, ScheduleFeed):
                begun.append(pool.submit(self._invoke, function))
            if isinstance(function.feed, Routes):
                begun.append(pool.submit(self._serve, function))
        try:
            for done in begun:
                done.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _look(self, capability: str) -> None:
        self.rows[capability].contents = found = contents.looked_into(self.engine, capability)
        self.faults += found.faults

    def _invoke(self, function: Function) -> None:
        trial = lambdas.tried(self.engine, function)
        self.faults += trial.faults
        if isinstance(function.feed, Routes):
            self.rows[function.name].as_lambda = trial

    def _serve(self, function: Function) -> None:
        self.rows[function.name].as_pod = trial = pods.tried(self.engine, function)
        self.faults += trial.faults


def _table(rows: dict[str, Row]) -> Table:
    table = Table("image", title="on the stand-in base; to the first answer since `podman run`, two at once")
    for column in ("dependencies", "total", "as Lambda", "CPU", "resident", "as a pod", "CPU", "resident"):
        table.add_column(column, justify="right")
    for name, row in rows.items():
        found = row.contents
        table.add_row(
            name,
            *((f"{found.dependencies_mb:.1f} MB", f"{found.total_mb:.1f} MB") if found else ("", "")),
            *_told(row.as_lambda),
            *_told(row.as_pod),
        )
    return table


def _told(trial: Trial) -> tuple[str, str, str]:
    spent = trial.spent
    return f"{trial.first_seconds:.2f} s", f"{spent.cpu_seconds:.2f} s", f"{spent.resident_mb:.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
