"""The functions of the deployed system: which there are, what each runs, and what it is fed by."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from infra.declaration import CAPABILITIES, FUNCTION_TIMEOUT_SECONDS, QUEUES, STREAMS, Queue, Stream

PAGES = "pages"
"""The function that answers for all of them: health, the merged OpenAPI document, and the page showing it."""
PAGES_ROUTES = (
    *("GET /health", "GET /openapi.json", "GET /docs"),
    *("GET /docs/start.js", "GET /docs/swagger-ui-bundle.js", "GET /docs/swagger-ui.css"),
)
SWEEP_TIMEOUT_SECONDS = 900
"""Of what runs once a day or on demand, and reads a whole table: the most that Lambda gives."""
SWEEP_MINUTES = 60
"""A schedule that runs no more often than that is such a sweep."""
MEMORY_MB = 512
WHOLE_BATCH_MEMORY_MB = 1024
"""Of what is given thousands of messages at once; Lambda's share of a processor grows with it."""


@dataclass(frozen=True, slots=True)
class Routes:
    """The operations of the API that a function answers: `POST /v1/payments/{order_id}`."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueueFeed:
    """Batches of a queue's messages."""

    queue: Queue
    batch_size: int
    window_seconds: int
    concurrency: int | None


@dataclass(frozen=True, slots=True)
class StreamFeed:
    """Batches of a table's changes, in order for each key."""

    stream: Stream
    batch_size: int
    window_seconds: int
    retries: int
    tells_shards: bool


@dataclass(frozen=True, slots=True)
class ScheduleFeed:
    """A tick every so many minutes; None: only when somebody asks."""

    every_minutes: int | None

    @property
    def is_sweep(self) -> bool:
        """Whether it reads whole tables, which takes its time."""
        return self.every_minutes is None or self.every_minutes >= SWEEP_MINUTES


Feed = Routes | QueueFeed | StreamFeed | ScheduleFeed


@dataclass(frozen=True, slots=True)
class Function:
    """One Lambda function: `payments` answers HTTP, `payments.resolve` is one of its event handlers."""

    name: str
    image: str
    """Whose image it runs."""
    handler: str
    """What the image is told to run: `functions.payments.app.resolve`."""
    feed: Feed

    @property
    def slug(self) -> str:
        """Its part of physical names: `payments-resolve`."""
        return re.sub(r"[._]", "-", self.name)

    @property
    def timeout_seconds(self) -> int:
        """After which it is stopped."""
        is_sweep = isinstance(self.feed, ScheduleFeed) and self.feed.is_sweep
        return SWEEP_TIMEOUT_SECONDS if is_sweep else FUNCTION_TIMEOUT_SECONDS

    @property
    def memory_mb(self) -> int:
        """What it may use."""
        is_whole = isinstance(self.feed, QueueFeed) and self.feed.window_seconds > 0
        return WHOLE_BATCH_MEMORY_MB if is_whole else MEMORY_MB


@cache
def functions() -> tuple[Function, ...]:
    """Every function, in the order of the declaration."""
    pages = Function(PAGES, CAPABILITIES[0], "runtime.pages.handler", Routes(PAGES_ROUTES))
    return (pages, *(function for capability in CAPABILITIES for function in _of(capability)))


def _of(capability: str) -> Iterator[Function]:
    module = f"functions.{capability}.app"
    # The chassis has the type of a service, and what infra knows of that it reads here alone.
    service: Any = import_module(module).service
    own = (operation.name for operation in service.operations if operation.name not in PAGES_ROUTES)
    yield Function(capability, capability, f"{module}.app", Routes(tuple(own)))
    for source in (*service.queues, *service.streams, *service.schedules):
        handler = f"{module}.{source.name}"
        yield Function(f"{capability}.{source.name}", capability, handler, _feed(source, handler))


def _feed(source: Any, handler: str) -> Feed:
    if hasattr(source, "queue"):
        queue = next(queue for queue in QUEUES if queue.name == source.queue and queue.consumer == handler)
        return QueueFeed(queue, source.batch_size, source.window_seconds, source.concurrency)
    if hasattr(source, "table"):
        stream = next(each for each in STREAMS if each.table == source.table and each.handler == handler)
        return StreamFeed(
            stream, source.batch_size, source.window_seconds, source.retries, source.tells_shards
        )
    return ScheduleFeed(source.every_minutes)
