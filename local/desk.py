"""The operations of a system on this machine alone: where it is, its clock, and its schedules on demand."""

import importlib
from typing import Annotated

from pydantic import Field

from chassis import clock
from chassis.auth import Access
from chassis.config import Engine, settings
from chassis.errors import Conflict, NotFound
from chassis.service import Service
from chassis.shapes import Input, Resource, Timestamp, example
from infra.declaration import CAPABILITIES
from local import calendar
from runtime.schedules import run_once

service = Service("local", "A system on this machine: its clock, and its schedules on demand.")


class Whereabouts(Resource):
    """Where the system's engine is, and what time it is there."""

    engine: Engine
    engine_url: Annotated[str | None, Field(description="Of the embedded engine.")]
    stage: str
    now: Timestamp
    clock_ahead_seconds: int


class Advance(Input):
    """By how much to move the clock ahead."""

    model_config = example(advance_seconds=3 * 24 * 60 * 60)

    advance_seconds: Annotated[int, Field(ge=1, le=calendar.MAX_ADVANCE_SECONDS)]


class NewRun(Input):
    """What to run."""

    model_config = example(schedule="payments.expire")

    schedule: Annotated[str, Field(max_length=100, description="Of a capability, by name.")]


class Run(Resource):
    """What a schedule did."""

    schedule: str
    done: Annotated[int, Field(description="How much, as that schedule counts.")]


@service.operation("GET /local/system", access=Access.PLATFORM)
def get_system() -> Whereabouts:
    """Show where the engine is, and what time it is there."""
    known = settings()
    return Whereabouts(
        engine=known.engine,
        engine_url=known.engine_url,
        stage=known.stage,
        now=clock.timestamp(clock.now()),
        clock_ahead_seconds=int(clock.moved().total_seconds()),
    )


@service.operation("POST /local/clock", access=Access.PLATFORM, refusals=(Conflict,))
def move_clock(body: Advance) -> Whereabouts:
    """Move the clock of the whole system ahead.

    What is due by then is done at once, in the order of its schedules. It never goes back, and it does not
    move the delays of queues.
    """
    file = settings().clock_file
    if file is None:
        raise Conflict("only the clock of the embedded engine can be moved")
    try:
        calendar.advance(file, body.advance_seconds)
    except calendar.TooFar as error:
        raise Conflict(str(error)) from None
    return get_system()


@service.operation("POST /local/runs", access=Access.PLATFORM, refusals=(NotFound,))
def run(body: NewRun) -> Run:
    """Run a schedule now, and wait for its end."""
    services = [importlib.import_module(f"functions.{name}.app").service for name in CAPABILITIES]
    known = {f"{each.name}.{schedule.name}": each for each in services for schedule in each.schedules}
    if body.schedule not in known:
        raise NotFound(f"there is no schedule {body.schedule}, only {', '.join(sorted(known))}")
    return Run(schedule=body.schedule, done=run_once(known[body.schedule], body.schedule.partition(".")[2]))
