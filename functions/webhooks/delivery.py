"""How a delivery is attempted, what follows from its outcome, and when its endpoint is given up."""

# A message stands for one version of a delivery, and means nothing once it has another one. So whatever is
# done here may be done twice, by two workers or by one that died and its successor:
#
#   dies before the outcome is put    the message comes again, and the endpoint gets the event again, under
#                                     the same webhook-id
#   dies after that                   the message comes again and means nothing; `retry` finds the next
#                                     attempt in the index `due`
#   puts an outcome second            Exists: another has put it
#
# What an endpoint's health is, is put last: lost, it costs one more slow attempt in the fast lane.

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from chassis import clock, events, store
from chassis.errors import Unavailable
from chassis.events import MAX_DELAY_SECONDS, Message
from chassis.writes import Exists
from functions.webhooks import gateway, model, publication, table
from functions.webhooks.gateway import Letter
from functions.webhooks.records import Outcome, StoredDelivery, StoredEndpoint, StoredEvent
from functions.webhooks.shapes import Attempt, DeliveryStatus, Failure
from functions.webhooks.table import Loaded

FAST_SECONDS = 3.0
SLOW_SECONDS = 10.0
"""What is promised; an attempt that has taken longer than the fast lane gives it is made again."""
AT_ONCE = 2
"""Attempts of a batch to one endpoint, in the slow lane."""
BUSY_SECONDS = (5, 15)
"""When what had to wait for such an endpoint comes again."""
BATCH_SECONDS = 15.0
"""After which no outcome is put any more, should the storage be slow: half of a function's time."""
RACES = 5


def deliver(attempts: Sequence[Attempt], *, slowly: bool) -> dict[int, Exception]:
    """Send what is due, all at the same time, and keep how it went; returns failures by position."""
    batch = _Batch(slowly=slowly)
    tasks: dict[int, _Task] = {}
    for position, loaded in enumerate(table.load(attempts)):
        with batch.alone(position):
            task = batch.begun(position, attempts[position], loaded)
            if task is not None:
                tasks[position] = task
    batch.pass_on()
    letters = [task.letter for task in tasks.values()]
    outcomes = gateway.post_all(letters, SLOW_SECONDS if slowly else FAST_SECONDS)
    for (position, task), outcome in zip(tasks.items(), outcomes, strict=True):
        with batch.alone(position):
            batch.conclude(task, outcome)
    return batch.failed


@dataclass(frozen=True, slots=True)
class _Task:
    """A delivery that is attempted now."""

    delivery: StoredDelivery
    endpoint: StoredEndpoint
    letter: Letter


class _Batch:
    """What the members of a batch must know of each other."""

    def __init__(self, *, slowly: bool) -> None:
        self.slowly = slowly
        self.failed: dict[int, Exception] = {}
        self._ends_at = clock.monotonic() + BATCH_SECONDS
        self._endpoints: dict[str, StoredEndpoint] = {}
        """As the latest write of this batch has left or found them."""
        self._attempted: Counter[str] = Counter()
        self._seen: set[tuple[str, str]] = set()
        self._told: set[str] = set()
        self._passed_on: dict[int, Message] = {}

    @contextmanager
    def alone(self, position: int) -> Iterator[None]:
        """Whatever goes wrong here, this message alone comes again."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - as it says
            self.failed[position] = error

    def begun(self, position: int, attempt: Attempt, loaded: Loaded) -> _Task | None:
        """The attempt that is to be made now; None where there is none, or another message will begin it."""
        delivery, endpoint, event = loaded
        if delivery is None or event is None or not self._is_meant(attempt, delivery):
            return None
        if endpoint is None or endpoint.deleted:
            _save(model.given_up(delivery, Failure.ENDPOINT_DELETED))
        elif endpoint.status == "disabled":
            self._tell_again(endpoint)
            _save(model.given_up(delivery, Failure.ENDPOINT_DISABLED))
        elif message := self._for_later(attempt, delivery, endpoint):
            self._passed_on[position] = message
        elif self._must_wait(endpoint):
            if delivery.begins_at_once:
                _save(model.put_off(delivery, clock.now()))
        else:
            self._attempted[endpoint.id] += 1
            return _Task(delivery, endpoint, _letter(event, endpoint))
        return None

    def _must_wait(self, endpoint: StoredEndpoint) -> bool:
        """Whether the endpoint has its share of this batch, or does not answer, which takes the most time."""
        is_busy = self._attempted[endpoint.id] >= AT_ONCE
        return self.slowly and (is_busy or endpoint.paused_seconds(clock.now()) > 0)

    def _is_meant(self, attempt: Attempt, delivery: StoredDelivery) -> bool:
        if delivery.version != attempt.version or delivery.status is not DeliveryStatus.PENDING:
            return False
        name = (attempt.event, attempt.endpoint)
        is_first = name not in self._seen
        self._seen.add(name)
        return is_first

    def _for_later(
        self, attempt: Attempt, delivery: StoredDelivery, endpoint: StoredEndpoint
    ) -> Message | None:
        """The message in place of one that came too soon, to the wrong lane, or to a busy endpoint."""
        wait = delivery.seconds_until_due(clock.now())
        if wait > 0:
            return publication.attempt_of(delivery, endpoint, min(wait, MAX_DELAY_SECONDS))
        if self.slowly and delivery.tries and (pause := endpoint.paused_seconds(clock.now())):
            return publication.attempt_of(delivery, endpoint, pause)
        if (endpoint.slow or attempt.broken_off) is not self.slowly:
            return publication.attempt_of(delivery, endpoint)
        is_busy = self.slowly and self._attempted[endpoint.id] >= AT_ONCE
        if is_busy and endpoint.failing_since is None:
            pause = random.randint(*BUSY_SECONDS)  # noqa: S311 - jitter, not a secret
            return publication.attempt_of(delivery, endpoint, pause, broken_off=attempt.broken_off)
        return None

    def _tell_again(self, endpoint: StoredEndpoint) -> None:
        """Tell once more that it was disabled: who did it may have died before that was told."""
        if endpoint.disabled_event is None or endpoint.id in self._told:
            return
        event = table.event(endpoint.disabled_event)
        if event is not None:
            events.send(publication.telling(event))
        self._told.add(endpoint.id)

    def pass_on(self) -> None:
        """Send the messages that take the place of others, before these are done with."""
        try:
            events.send(self._passed_on.values())
        except Exception as error:  # noqa: BLE001 - whatever it is, none of them has moved
            self.failed |= dict.fromkeys(self._passed_on, error)

    def conclude(self, task: _Task, outcome: Outcome | BaseException) -> None:
        """Keep how an attempt went, and what follows from it for the delivery and its endpoint."""
        if isinstance(outcome, BaseException):
            raise outcome
        if clock.monotonic() > self._ends_at:
            raise Unavailable
        at = clock.now()
        endpoint = self._endpoints.get(task.endpoint.id, task.endpoint)
        if outcome.failure is Failure.TIMEOUT and not self.slowly:
            # It may be slow and well: it gets the whole time, once, where it holds up nobody else.
            slowed = model.slowed(endpoint)
            self._keep(task.endpoint, endpoint, model.slowed)
            events.send([publication.attempt_of(task.delivery, slowed, broken_off=True)])
            return
        # Before the delivery's own outcome, so that after a death in between the attempt's message finds out.
        endpoint = self._disabled_for(outcome, task.endpoint, endpoint, at)
        healthy = model.health_after(endpoint, outcome, at)
        after = model.attempted(task.delivery, outcome, at)
        if _save(after):
            events.send(_next_attempts(table.kept(after), healthy, at))
        self._keep(task.endpoint, endpoint, lambda found: model.health_after(found, outcome, at))

    def _keep(
        self,
        asked: StoredEndpoint,
        endpoint: StoredEndpoint,
        change: Callable[[StoredEndpoint], StoredEndpoint],
    ) -> None:
        """Put what an answer has changed of the endpoint, if anything, whatever others change of it."""
        for _ in range(RACES):
            changed = change(endpoint)
            if changed == endpoint or not _is_asked_still(asked, endpoint):
                break
            try:
                store.commit(table.save_endpoint(changed))
            except Exists as existing:
                endpoint = table.parsed_endpoint(existing.item)
                continue
            endpoint = table.kept(changed)
            break
        self._endpoints[endpoint.id] = endpoint

    def _disabled_for(
        self, outcome: Outcome, asked: StoredEndpoint, endpoint: StoredEndpoint, at: datetime
    ) -> StoredEndpoint:
        """The endpoint as of now, disabled, and that told, where the answer is reason enough."""
        for _ in range(RACES):
            reason = model.reason_to_disable(endpoint, outcome, at)
            if reason is None or not _is_asked_still(asked, endpoint):
                break
            told = {"disabled_event": table.disabling_event_id(endpoint)}
            off = model.disabled(endpoint, reason, at).model_copy(update=told)
            event = publication.disabling(off)
            try:
                store.commit(table.save_endpoint(off), table.create_event(event))
            except Exists as existing:
                endpoint = table.parsed_endpoint(existing.item)
                continue
            endpoint = table.kept(off)
            events.send(publication.telling(event))
            break
        self._endpoints[endpoint.id] = endpoint
        return endpoint


def _is_asked_still(asked: StoredEndpoint, endpoint: StoredEndpoint) -> bool:
    """Whether the answer of the one that was asked says anything of the endpoint as it is now."""
    return endpoint.url == asked.url and endpoint.status == "enabled" and not endpoint.deleted


def _save(delivery: StoredDelivery) -> bool:
    """Put a delivery in place of the version that it came from; False where another was faster."""
    with suppress(Exists):
        store.commit(table.save_delivery(delivery))
        return True
    return False


def _letter(event: StoredEvent, endpoint: StoredEndpoint) -> Letter:
    # The real time, which is what receivers compare it with, even where the calendar has been moved.
    headers = model.signed(event, model.secrets_of(endpoint, clock.now()), int(time.time()))
    return Letter(endpoint.url, headers, event.body.encode())


def _next_attempts(delivery: StoredDelivery, endpoint: StoredEndpoint, at: datetime) -> list[Message]:
    """The message that begins the next attempt, where it can wait for that: `retry` begins all others."""
    wait = delivery.seconds_until_due(at)
    if delivery.status is not DeliveryStatus.PENDING or wait > MAX_DELAY_SECONDS:
        return []
    return [publication.attempt_of(delivery, endpoint, wait)]
