"""The queues of this process: what is sent waits here until its time, and is then handed to the handlers."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import clock, events, ids, store
from chassis.config import settings
from chassis.events import Message
from chassis.operations import Intent
from functions.webhooks import app, delivery, model, publication, table
from functions.webhooks.records import StoredDelivery, StoredEndpoint
from functions.webhooks.shapes import EndpointChange, NewEndpoint
from tests.functions.webhooks.telling import an_event

EVENTS = "webhook-events"
HANDLERS = {
    EVENTS: app.record,
    publication.QUEUE: app.deliver,
    publication.SLOW_QUEUE: app.deliver_slowly,
}
BATCH = 10
VISIBILITY = timedelta(seconds=180)
FAST_SECONDS, SLOW_SECONDS = 0.4, 0.7
"""In place of 3 and 10."""


@contextmanager
def configured(*, allow_loopback: bool) -> Iterator[None]:
    """The settings of a process that needs no storage, while the block runs."""
    environment = {"PLATFORM_KEY": "x" * 32, "PEPPERS": "1:" + "00" * 16, "ENGINE": "aws"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment, "WEBHOOK_ALLOW_LOOPBACK": str(allow_loopback)}.items():
            patch.setenv(f"TAEL_{name}", value)
        settings.cache_clear()
        yield
    settings.cache_clear()


class Office:
    """A principal of a test's own, and all messages about it; its calendar is far ahead and can be moved.

    Far ahead, so that the schedule of the system that these tests share finds nothing of theirs due.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.principal = ids.random("mer")
        self.ahead = timedelta(days=1000)
        self.waiting: list[tuple[datetime, Message]] = []
        self.batches: list[tuple[str, int]] = []
        """Queue and size of all that were handed over."""
        patch.setattr(clock, "now", lambda: datetime.now(UTC) + self.ahead)
        patch.setattr(events, "send", self.take)
        self._patch = patch

    def hurry(self) -> None:
        """Give attempts less time: for tests that wait until it is over."""
        self._patch.setattr(delivery, "FAST_SECONDS", FAST_SECONDS)
        self._patch.setattr(delivery, "SLOW_SECONDS", SLOW_SECONDS)

    def take(self, messages: Iterable[Message]) -> None:
        """In place of `events.send`."""
        self.waiting += [
            (clock.now() + timedelta(seconds=message.delay_seconds), message) for message in messages
        ]

    def move(self, **much: float) -> None:
        """Set the calendar ahead: `move(hours=1)`."""
        self.ahead += timedelta(**much)

    def move_to(self, moment: str | None, **more: float) -> None:
        """Set the calendar to that moment, and so much later."""
        assert moment is not None
        self.ahead += datetime.fromisoformat(moment) - clock.now() + timedelta(**more)

    def register(self, url: str, *patterns: str) -> StoredEndpoint:
        """An endpoint for events of these types, or for all."""
        intent = Intent(self.principal, "POST /v1/webhook-endpoints", uuid.uuid4().hex, "asked")
        new = NewEndpoint(url=url, events=list(patterns or ["*"]))
        made = model.new_endpoint(self.principal, intent, new, clock.now())
        store.commit(table.save_endpoint(made))
        return table.kept(made)

    def tell(self, count: int = 1) -> list[str]:
        """So many things happen, and are recorded; returns the ids of their events."""
        told = [an_event(self.principal) for _ in range(count)]
        assert publication.record(told) == {}
        return [event.id for event in told]

    def queued(self, queue: str) -> list[Message]:
        """All that waits in a queue, due or not."""
        return [message for _, message in self.waiting if message.queue == queue]

    def is_due(self, queue: str) -> bool:
        """Whether there is something in a queue that can be handed over."""
        return any(message.queue == queue and due_at <= clock.now() for due_at, message in self.waiting)

    def hand_over(self, queue: str) -> int:
        """Give a batch of what is due to its handler, and take back what fails; returns how many that is."""
        due = [entry for entry in self.waiting if entry[1].queue == queue and entry[0] <= clock.now()]
        batch = [message for _, message in due[:BATCH]]
        for entry in due[:BATCH]:
            self.waiting.remove(entry)
        records = [
            {"messageId": str(at), "body": message.body.model_dump_json()} for at, message in enumerate(batch)
        ]
        self.batches.append((queue, len(records)))
        try:
            answer = HANDLERS[queue]({"Records": records}, None)
        except BaseException:
            self._return(batch)
            raise
        failed = [batch[int(failure["itemIdentifier"])] for failure in answer["batchItemFailures"]]
        self._return(failed)
        return len(failed)

    def _return(self, failed: Iterable[Message]) -> None:
        self.waiting += [(clock.now() + VISIBILITY, message) for message in failed]

    def work(self) -> None:
        """Hand over all that is due, and what that sends, until nothing more is."""
        while queues := {message.queue for due_at, message in self.waiting if due_at <= clock.now()}:
            for queue in sorted(queues):
                assert self.hand_over(queue) == 0

    def retry(self) -> int:
        """Run the schedule, and keep what it begins for this principal; returns how many that is."""
        before = list(self.waiting)
        publication.retry()
        sent = [entry for entry in self.waiting if entry not in before]
        own = [entry for entry in sent if getattr(entry[1].body, "principal", None) == self.principal]
        self.waiting = before + own
        return len(own)

    def delivery(self, event_id: str, endpoint: StoredEndpoint) -> StoredDelivery:
        """A delivery, as it is kept."""
        return table.deliveries_of_event(event_id)[endpoint.id]

    def change(self, endpoint: StoredEndpoint, **changes: Any) -> StoredEndpoint:
        """Have its owner change it."""
        changed = model.changed(self.endpoint(endpoint), EndpointChange(**changes), clock.now())
        store.commit(table.save_endpoint(changed))
        return table.kept(changed)

    def endpoint(self, endpoint: StoredEndpoint) -> StoredEndpoint:
        """An endpoint, as it is kept."""
        found = table.endpoint(self.principal, endpoint.id)
        assert found is not None
        return found


def secret_of(endpoint: StoredEndpoint) -> str:
    return model.secret_of(endpoint, endpoint.secret_id)
