"""Owns schedules outside Lambda: handlers get the events that EventBridge would send, each at its rate.

    python -m runtime.schedules functions.payments.app functions.topups.app

runs what those services have scheduled, until SIGTERM; with `--once expire` it runs that one, now.
"""

import argparse
import importlib
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chassis import clock, ids
from chassis.config import ConfigurationError, settings
from chassis.errors import Problem
from chassis.service import Service
from chassis.sources import Schedule

POLL_SECONDS = 0.2
"""How often the clock is looked at, which may have been moved."""
FIRST_AFTER = timedelta(minutes=1)


class NoSuchSchedule(Exception):
    """The message says what there is."""


def scheduled_event() -> dict[str, Any]:
    """The event of a rule with a rate (EventBridge User Guide, "Scheduled events")."""
    return {
        "version": "0",
        "id": ids.random("evt"),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "",
        "time": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": settings().region,
        "resources": [],
        "detail": {},
    }


class Ticker:
    """Runs the schedules of these services whose time has come, one after the other."""

    def __init__(self, services: Sequence[Service]) -> None:
        # Nobody can say whether a clock was moved just before this or long ago: then all are due at once.
        started = clock.now() - clock.moved()
        self._waiting = [
            _Waiting(schedule, timedelta(minutes=schedule.every_minutes), started, FIRST_AFTER)
            for service in services
            for schedule in service.schedules
            if schedule.every_minutes is not None
        ]
        self._ticking = False
        self.stopping = False

    def stop(self, *_: object) -> None:
        """Leave now, or after the schedule under way: a signal handler, so it takes no lock."""
        self.stopping = True
        if not self._ticking:
            sys.exit(0)

    def tick(self) -> None:
        """Run what is due by the clock, each once however far that has been moved."""
        self._ticking = True
        for waiting in self._waiting:
            if self.stopping:
                break
            now = clock.now()
            if waiting.is_over(now):
                waiting.since, waiting.wait = now, waiting.every
                _invoke(waiting.schedule)
        self._ticking = False


@dataclass(slots=True)
class _Waiting:
    """A schedule, and how long it waits since when."""

    schedule: Schedule
    every: timedelta
    since: datetime
    wait: timedelta

    def is_over(self, now: datetime) -> bool:
        # A machine's clock can be set back, by hours too; nothing may wait for it to catch up.
        return not timedelta() <= now - self.since < self.wait


def _invoke(schedule: Schedule) -> None:
    try:
        schedule.invoke(scheduled_event(), None)
    except Exception:  # noqa: BLE001 - the service has logged it, and it is tried again at its rate
        return


def run_once(service: Service, name: str) -> int:
    """Run one schedule now, whatever its rate; returns how much it did. Raises whatever it raises."""
    known = {schedule.name: schedule for schedule in service.schedules}
    if name not in known:
        names = ", ".join(known) or "none"
        raise NoSuchSchedule(f"{service.name} has no schedule {name}; its schedules are: {names}")
    done: int = known[name].invoke(scheduled_event(), None)["done"]
    return done


def main(arguments: Sequence[str] | None = None) -> int:
    """Tick until SIGTERM, and finish the schedule under way. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m runtime.schedules", description=__doc__.splitlines()[0])
    parser.add_argument("services", nargs="+", metavar="MODULE", help="such as functions.payments.app")
    parser.add_argument("--once", metavar="SCHEDULE", help="run this one now and leave, such as expire")
    options = parser.parse_args(arguments)
    if options.once is not None and len(options.services) != 1:
        parser.error("--once takes one service")
    try:
        settings()
        services = [importlib.import_module(module).service for module in options.services]
    except (ConfigurationError, ModuleNotFoundError) as error:
        sys.stderr.write(f"runtime.schedules cannot start: {error}\n")
        return 2
    if options.once is not None:
        return _once(services[0], options.once)
    ticker = Ticker(services)
    signal.signal(signal.SIGTERM, ticker.stop)
    while not ticker.stopping:
        time.sleep(POLL_SECONDS)
        ticker.tick()
    return 0


def _once(service: Service, name: str) -> int:
    """Run one schedule, and say in one line how it went."""
    try:
        done = run_once(service, name)
    except NoSuchSchedule as error:
        sys.stderr.write(f"runtime.schedules: {error}\n")
        return 2
    except Exception as error:  # noqa: BLE001 - the service has logged where it was
        # A message may quote what a caller sent, unless it is one that callers are told.
        why = error.detail if isinstance(error, Problem) else type(error).__name__
        sys.stderr.write(f"runtime.schedules: {service.name}.{name} failed: {why}\n")
        return 1
    sys.stdout.write(f"{service.name}.{name}: {done} done\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
