"""A worker dies before anything that it asks of others: no event is lost, and none comes under two names."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from chassis import events, store
from functions.webhooks import gateway, publication
from functions.webhooks.shapes import DeliveryStatus
from tests import receiver as acts
from tests.functions.webhooks.office import EVENTS, Office
from tests.receiver import Receiver

ROUNDS = 60
"""More than any of these stories needs."""
LANES = (publication.QUEUE, publication.SLOW_QUEUE)


class Killed(BaseException):
    """The process ends here."""


class Life:
    """Counts what `deliver` asks of others since a batch began, and ends before some of these calls."""

    def __init__(self, patch: pytest.MonkeyPatch, dies_at: Callable[[int], bool]) -> None:
        self.calls = 0
        self.deaths = 0
        self.delivers = False
        self._dies_at = dies_at
        for owner, name in ((store, "commit"), (store, "get_many"), (events, "send"), (gateway, "post_all")):
            patch.setattr(owner, name, self._mortal(getattr(owner, name)))

    def _mortal(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            if self.delivers:
                self.calls += 1
                if self._dies_at(self.calls):
                    self.deaths += 1
                    raise Killed
            return call(*arguments, **named)

        return called

    def live(self, deliver: Callable[[], object]) -> None:
        """Deliver a batch, as far as it goes."""
        self.calls, self.delivers = 0, True
        with suppress(Killed):
            deliver()
        self.delivers = False


ACTS = {
    "well": [acts.answers()],
    "fails": [acts.answers(500), acts.answers()],
    "gone": [acts.answers(410)],
}
ENDS = {
    "well": DeliveryStatus.SUCCEEDED,
    "fails": DeliveryStatus.SUCCEEDED,
    "gone": DeliveryStatus.FAILED,
}


class Story:
    """Endpoints of one owner, by what they do, and one that hears of it when another is disabled."""

    def __init__(self, office: Office, receiver: Receiver, count: int, *names: str) -> None:
        self.office, self.receiver = office, receiver
        self.path = f"/{office.principal}"
        self.endpoints = {}
        for name in names:
            receiver.act(f"{self.path}/{name}", *ACTS[name])
            self.endpoints[name] = office.register(f"{receiver.url}{self.path}/{name}", "payment.*")
        office.register(f"{receiver.url}{self.path}/hears", "webhook_endpoint.*")
        self.told = office.tell(count)

    def live(self, life: Life) -> None:
        """All that the queues and the schedule do, over and over; whoever dies has a successor."""
        for _ in range(ROUNDS):
            for queue in LANES:
                while self.office.is_due(queue):
                    life.live(partial(self.office.hand_over, queue))
            while self.office.queued(EVENTS):
                self.office.hand_over(EVENTS)
            if not self.office.waiting and not self.office.retry():
                return
            self.office.move(seconds=200)
        raise AssertionError("it has not come to an end")

    def came(self, name: str) -> Counter[str]:
        """How often each event came to that endpoint."""
        return Counter(one.id for one in self.receiver.at(f"{self.path}/{name}"))

    def assert_told_in_full(self) -> None:
        """Everybody has got everything, under its one id."""
        for name, endpoint in self.endpoints.items():
            assert {self.office.delivery(event, endpoint).status for event in self.told} == {ENDS[name]}
            if name == "gone":
                off = self.office.endpoint(endpoint)
                assert (off.status, off.disabled_reason) == ("disabled", "gone")
                assert set(self.came("hears")) == {off.disabled_event}
            else:
                assert set(self.came(name)) == set(self.told)


@pytest.mark.parametrize("name", ACTS)
def test_a_death_before_each_of_its_calls(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # Each worker dies one call later than the one before it, until one comes to the end of its batch.
    survived = 0

    def dies_at(call: int) -> bool:
        nonlocal survived
        dies = call > survived
        survived = call if dies else survived
        return dies

    story = Story(office, receiver, 1, name)
    life = Life(monkeypatch, dies_at)
    story.live(life)
    story.assert_told_in_full()
    assert life.deaths == survived >= 5
    # What came more often than it should have came because of a death after it had been sent.
    assert 2 <= sum(story.came(name).values()) <= life.deaths - 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_deaths_at_random(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chooser = random.Random(seed)
    story = Story(office, receiver, 3, *ACTS)
    life = Life(monkeypatch, lambda _: chooser.random() < 0.2)
    story.live(life)
    story.assert_told_in_full()
    assert life.deaths
