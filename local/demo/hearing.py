"""What the shop's webhook endpoint heard of the story, held against what the API says."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

from local.api import Api, ApiError
from local.demo.claims import Check, differences, pounds
from local.demo.ending import Ending
from local.demo.outcome import Outcome
from local.demo.waiting import wait_until
from local.receiver import Delivery, receiving

EVENTS = "/v1/events"
TOLD_ONCE = {"payment.captured", "refund.succeeded", "settlement.closed", "settlement.released"}
Event = dict[str, Any]


class Fact(NamedTuple):
    """What an event says, as far as it can be known from elsewhere."""

    kind: str
    about: str
    amount: int

    def __str__(self) -> str:
        return f"{self.kind} {self.about} of {pounds(self.amount)}"


@dataclass(slots=True)
class Ear:
    """Hears whatever arrives while the story goes on."""

    shop: Api
    events: dict[str, Event] = field(default_factory=dict)
    """By the `webhook-id` under which they came first."""
    times: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    """Of deliveries that do not verify, or that say something else than the first time."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, delivery: Delivery) -> None:
        """Note a delivery; called by several threads."""
        with self._lock:
            if delivery.fault:
                self.faults.append(f"{delivery.webhook_id or 'a delivery'}: {delivery.fault}")
                return
            event, name = delivery.event, delivery.webhook_id or ""
            self.times[name] += 1
            if self.events.setdefault(name, event) != event:
                self.faults.append(f"{name}: it came again, and was another")

    def after(self, ending: Ending, outcome: Outcome | None) -> "Heard":
        """Wait for the last events of the story, and compare all of them with what the API says."""
        expected = Counter(_facts(ending, outcome))
        self._wait_until(lambda: not expected - Counter(map(_fact, self.heard().values())))
        log = self._log()
        self._wait_until(lambda: log.keys() <= self.heard().keys())
        with self._lock:
            heard, times, faults = dict(self.events), Counter(self.times), tuple(self.faults)
        # An event is in the log before it is delivered: what came since the log was read is in it by now.
        log = log if heard.keys() <= log.keys() else self._log()
        return Heard(expected, log, heard, times, faults)

    def heard(self) -> dict[str, Event]:
        """What came until now."""
        with self._lock:
            return dict(self.events)

    def _wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait until it is so, or nothing more arrives."""
        heard = -1
        while heard < self.times.total():
            heard = self.times.total()
            if wait_until(is_so):
                return

    def _log(self) -> dict[str, Event]:
        return {event["id"]: event for event in self.shop.pages(EVENTS)}


@contextmanager
def listening(shop: Api) -> Iterator[Ear | None]:
    """The shop's own webhook endpoint, told of everything; None where the system does not send to here."""
    ear = Ear(shop)
    is_refused = False
    with ExitStack() as stack:
        try:
            stack.enter_context(receiving(shop, ["*"], ear.hear))
        except ApiError as error:
            if error.status != HTTPStatus.UNPROCESSABLE_ENTITY:
                raise
            is_refused = True
        yield None if is_refused else ear


@dataclass(frozen=True, slots=True)
class Heard:
    """All that arrived, and what should have."""

    expected: Counter[Fact]
    log: dict[str, Event]
    events: dict[str, Event]
    times: Counter[str]
    faults: tuple[str, ...]

    @property
    def types(self) -> Counter[str]:
        """How many of each type."""
        return Counter(event["type"] for event in self.events.values())

    @property
    def repeated(self) -> int:
        """How many came more than once."""
        return sum(times > 1 for times in self.times.values())

    def checks(self) -> Iterator[Check]:
        """Everything that can be said of them."""
        yield Check(
            f"Each of {self.times.total()} webhooks verified by its signature; what came again was the same",
            self.faults,
        )
        facts = Counter(map(_fact, self.events.values()))
        told = {fact: facts[fact] for fact in facts if fact in self.expected or fact.kind in TOLD_ONCE}
        yield Check(
            "Each captured payment, each refund, each settlement and each payout told the shop how it ended",
            differences("webhooks, as many of", self.expected, told),
        )
        yield Check(
            f"The shop was told each of {len(self.log)} events of its log as it stands there, and no other",
            tuple(self._untrue()),
        )

    def _untrue(self) -> Iterator[str]:
        for name, event in (self.log | self.events).items():
            if name not in self.events:
                yield f"{name}, {event['type']}: it never came"
            elif name not in self.log:
                yield f"{name}, {event['type']}: it is not in the log"
            elif self.log[name] != self.events[name]:
                yield f"{name}, {event['type']}: it is another in the log"


def _fact(event: Event) -> Fact:
    data = event["data"]
    match event["type"].partition(".")[0]:
        case "payment":
            return Fact(event["type"], data["order_id"], data["captured"])
        case "refund":
            return Fact(event["type"], data["order_id"], data["amount"])
        case "settlement":
            return Fact(event["type"], data["id"], data["net"])
    return Fact(event["type"], data.get("id", ""), data.get("amount", 0))


def _facts(ending: Ending, outcome: Outcome | None) -> Iterator[Fact]:
    for order_id, payment in ending.payments.items():
        if payment["captured"]:
            yield Fact("payment.captured", order_id, payment["captured"])
    for order_id, amounts in ending.refunds.items():
        yield from (Fact("refund.succeeded", order_id, amount) for amount in amounts)
    if outcome:
        yield from _facts_of(outcome)


def _facts_of(outcome: Outcome) -> Iterator[Fact]:
    for settlement in outcome.settled.settlements:
        for status in ("closed", "released"):
            yield Fact(f"settlement.{status}", settlement["id"], settlement["net"])
    if outcome.paid_out:
        for payout in (outcome.paid_out.trial, outcome.paid_out.whole):
            yield Fact(f"payout.{payout['status']}", payout["id"], payout["amount"])
