"""Owns schedules outside Lambda: handlers get the events that EventBridge would send, each minute.

    python -m runtime.schedules functions.payments.app

runs what those services have scheduled, until SIGTERM.
"""

import argparse
import importlib
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from chassis import clock, ids
from chassis.config import ConfigurationError, settings
from chassis.service import Service
from chassis.sources import Schedule

TICK_SECONDS = 60.0


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
    """Runs the schedules of these services whose minute has come, one after the other."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._schedules = [schedule for service in services for schedule in service.schedules]
        self._minute = 0
        self._ticking = False
        self.stopping = False

    def stop(self, *_: object) -> None:
        """Leave now, or after the tick under way: a signal handler, so it takes no lock."""
        self.stopping = True
        if not self._ticking:
            sys.exit(0)

    def tick(self) -> None:
        """One minute has passed."""
        self._ticking = True
        for schedule in self._schedules:
            if self._minute % schedule.every_minutes == 0:
                self._invoke(schedule)
        self._minute += 1
        self._ticking = False

    def _invoke(self, schedule: Schedule) -> None:
        try:
            schedule.invoke(scheduled_event(), None)
        except Exception:  # noqa: BLE001 - the service has logged it, and the next tick tries again
            return


def main(arguments: Sequence[str] | None = None) -> int:
    """Tick until SIGTERM, and finish the tick under way. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m runtime.schedules", description=__doc__.splitlines()[0])
    parser.add_argument("services", nargs="+", metavar="MODULE", help="such as functions.payments.app")
    options = parser.parse_args(arguments)
    try:
        settings()
    except ConfigurationError as error:
        sys.stderr.write(f"runtime.schedules cannot start: {error}\n")
        return 2
    ticker = Ticker([importlib.import_module(module).service for module in options.services])
    signal.signal(signal.SIGTERM, ticker.stop)
    while not ticker.stopping:
        time.sleep(TICK_SECONDS)
        ticker.tick()
    return 0


if __name__ == "__main__":
    sys.exit(main())
