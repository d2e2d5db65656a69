"""What payments tell: each status once, under ids that stay, in words that settlement understands."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from acquiring.acquirer import Approved, DeclineCode, Declined
from chassis import clock, events, store
from chassis.auth import FeePlan, Merchant
from chassis.events import Message
from chassis.operations import Intent
from chassis.sources import Change
from chassis.writes import Write
from functions.payments import model, pending, publication, resolution, table
from functions.payments.records import StoredPayment, StoredRefund
from functions.payments.shapes import NewPayment, NewRefund
from functions.settlement import model as settlement
from functions.settlement.shapes import PaymentCaptured, RefundSucceeded
from tests.conftest import Shop
from tests.functions import told as log
from tests.functions.inside import days_later
from tests.functions.told import read, types

pytestmark = pytest.mark.usefixtures("engine")
QUEUE = "settlement-lines"
AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MERCHANT = Merchant(
    id="mer_" + "a" * 24,
    status="active",
    cut_off="00:00",
    settlement_delay_days=2,
    fees={"GBP": FeePlan(basis_points=150, fixed=20)},
)
Image = dict[str, Any]


def images(shop: Shop, order: str) -> list[Image]:
    """The items of an order as they stand: the payment, and its refunds."""
    partition = f"{shop.id}#{order}"
    return store.query(table.TABLE, ("pk", partition), ("sk", "A", "Z"), limit=10, oldest_first=True)


def messages(new: Image, old: Image | None = None) -> list[Message]:
    return publication.messages([Change("1", dict(table.key_of(new)), old, new)])


def told(new: Image, old: Image | None = None) -> list[dict[str, Any]]:
    """What a change has settlement told."""
    return [read(message) for message in messages(new, old) if message.queue == QUEUE]


def test_a_capture_is_told_once_in_words_that_settlement_understands(shop: Shop) -> None:
    shop.pay("1", shop.wallet(1000), 1000, metadata={"lines": "7"})
    (payment,) = images(shop, "1")
    (event,) = told(payment)
    assert event["data"] == shop.payment("1")
    assert (event["principal"], event["type"], event["sequence"]) == (shop.id, "payment.captured", 1)
    line = settlement.line_of(PaymentCaptured.model_validate_json(json.dumps(event)))
    shown = shop.payment("1")
    assert (line.type, line.order_id, line.amount, line.fee) == ("payment", "1", 1000, 35)
    assert (line.event_id, line.merchant_id) == (event["id"], shop.id)
    assert (line.window, line.available_at) == (shown["settlement_window"], shown["available_at"])
    assert line.occurred_at == shown["captured_at"]


def test_a_refund_is_told_once_in_words_that_settlement_understands(shop: Shop) -> None:
    shop.pay("1", shop.wallet(1000), 1000)
    refund_id = shop.refund("1", 400).json()["id"]
    payment, refund = images(shop, "1")
    # The payment's later versions tell nothing of its capture.
    assert told(payment, old=payment | {"version": 1}) == []
    (event,) = told(refund)
    assert event["data"] == shop.http.get(f"/v1/payments/1/refunds/{refund_id}").json()
    line = settlement.line_of(RefundSucceeded.model_validate_json(json.dumps(event)))
    assert (line.type, line.order_id, line.refund_id, line.amount) == ("refund", "1", refund_id, 400)
    assert line.window == settlement_window_of(shop)


def settlement_window_of(shop: Shop) -> str:
    window: str = shop.payment("1")["settlement_window"]
    return window


def test_settlement_is_told_of_nothing_that_is_not_captured(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    shop.authorize("held", wallet, 600)
    shop.pay("refused", wallet, 600)
    shop.authorize("canceled", wallet, 100)
    shop.cancel("canceled")
    for order in ("held", "refused", "canceled"):
        (payment,) = images(shop, order)
        assert told(payment) == []


def test_a_later_capture_is_told_with_its_own_version_and_amount(shop: Shop) -> None:
    shop.authorize("1", shop.wallet(1000), 1000)
    shop.capture("1", 600)
    (payment,) = images(shop, "1")
    (event,) = told(payment)
    assert (event["sequence"], event["data"]["captured"]) == (2, 600)


def test_every_status_of_a_payment_by_wallet_is_told_as_the_api_shows_it(shop: Shop) -> None:
    def payment_told() -> tuple[str, int]:
        (event,) = log.told(messages(images(shop, "1")[0]))
        assert event["data"] == (shown := shop.payment("1"))
        assert (event["principal"], event["created_at"]) == (shop.id, shown["updated_at"])
        return event["type"], event["sequence"]

    steps: list[tuple[str, int]] = []
    wallet = shop.wallet()
    for _ in range(2):
        shop.authorize("1", wallet, 1000, headers={"Idempotency-Key": str(len(steps))})
        steps.append(payment_told())
    shop.deposit(wallet, 1000)
    shop.authorize("1", wallet, 1000, headers={"Idempotency-Key": "at last"})
    steps.append(payment_told())
    shop.capture("1", 900)
    steps.append(payment_told())
    for amount in (300, 300, None):
        shop.refund("1", amount)
        steps.append(payment_told())
    assert steps == [
        ("payment.failed", 1),
        ("payment.failed", 2),
        ("payment.authorized", 3),
        ("payment.captured", 4),
        ("payment.partially_refunded", 5),
        ("payment.partially_refunded", 6),
        ("payment.refunded", 7),
    ]
    assert "status_version" not in images(shop, "1")[0]


def test_a_cancellation_is_told(shop: Shop) -> None:
    shop.authorize("1", shop.wallet(1000), 1000)
    shop.cancel("1")
    assert types(messages(images(shop, "1")[0])) == [("payment.canceled", 2)]


class Record:
    """A payment by card that nobody stores: its images, and what each of them has told."""

    def __init__(self) -> None:
        self.payment: StoredPayment | None = None
        self.refund: StoredRefund | None = None
        self.ids: set[str] = set()
        self.told_apart: list[int] = []
        """The versions that have to keep which one their status came with."""
        self.minutes = 0

    @property
    def at(self) -> datetime:
        """One minute after the step before."""
        self.minutes += 1
        return AT + timedelta(minutes=self.minutes)

    @property
    def now(self) -> StoredPayment:
        assert self.payment is not None
        return self.payment

    def attempted(self, capture: str) -> StoredPayment:
        source = {"card": "card_" + "a" * 24}
        body = {"amount": 1000, "currency": "GBP", "source": source, "capture": capture}
        order = NewPayment.model_validate(body)
        intent = Intent(MERCHANT.id, "POST", f"key {self.minutes}", "this")
        attempted = model.attempt(self.payment, MERCHANT, "1", order, intent=intent, at=self.at)
        return pending.to_authorize(attempted, self.at)

    def answered(self, answer: pending.Answer) -> StoredPayment:
        assert self.now.pending is not None
        return pending.concluded(self.now, self.now.pending, answer, self.at)

    def refunding(self, amount: int) -> tuple[StoredPayment, StoredRefund]:
        refund = model.new_refund(self.now, f"ref_{self.minutes}", NewRefund(amount=amount), "this", self.at)
        return pending.to_refund(model.counting(self.now), refund, self.at), refund

    def refunded(self, answer: pending.Answer) -> tuple[StoredPayment, StoredRefund]:
        assert self.refund is not None
        return pending.refund_concluded(self.now, self.refund, answer, self.at)

    def keep(self, payment: StoredPayment, refund: StoredRefund | None = None) -> list[tuple[str, int]]:
        """Make the step, and tell of it; what can be told again at this point was told before."""
        changed = [image(table.save(payment))]
        self.payment = table.parsed(changed[0])
        if "status_version" in changed[0]:
            self.told_apart.append(self.now.version)
        if refund is not None:
            save = table.end_refund if refund.version else table.create_refund
            changed.append(image(save(MERCHANT.id, refund)))
            self.refund = StoredRefund.model_validate(changed[1])
        found = [message for each in changed for message in messages(each)]
        self.ids |= {event["id"] for event in log.told(found)}
        again = [message for each in changed for message in publication._told_since(each, "")]
        assert {event["id"] for event in log.told(again)} <= self.ids
        assert any(message.queue == resolution.QUEUE for message in again) is bool(self.now.pending)
        return types(found)


def image(write: Write) -> Image:
    """The item that a write leaves."""
    return {**write.key, **(write.item or {})}


NO, YES = Declined(DeclineCode.DO_NOT_HONOR), Approved()


def test_every_status_of_a_payment_by_card_is_told_once_and_can_be_told_again_at_any_later_version() -> None:
    record = Record()
    assert record.keep(record.attempted("manual")) == [("payment.processing", 1)]
    assert record.now.pending is not None
    assert record.keep(pending.abandoned(record.now, record.now.pending, record.at)) == []
    assert record.keep(record.answered(NO)) == [("payment.failed", 3)]
    assert record.keep(record.attempted("manual")) == [("payment.processing", 4)]
    assert record.keep(record.answered(YES)) == [("payment.authorized", 5)]
    assert record.keep(pending.to_void(record.now, "requested", record.at)) == []
    assert record.keep(record.answered(NO)) == []
    assert record.keep(pending.to_capture(record.now, 900, record.at)) == []
    assert record.keep(record.answered(YES)) == [("payment.captured", 9)]
    assert record.keep(*record.refunding(400)) == [("refund.pending", 1)]
    assert record.keep(*record.refunded(NO)) == [("refund.failed", 2)]
    for amount, status, version in ((400, "partially_refunded", 13), (500, "refunded", 15)):
        assert record.keep(*record.refunding(amount)) == [("refund.pending", 1)]
        done = [(f"payment.{status}", version), ("refund.succeeded", 2)]
        assert record.keep(*record.refunded(YES)) == done
    assert len(record.ids) == 5 + 2 + 3 * 2
    # Only what a refusal has left as it was, until the next status.
    assert record.told_apart == [7, 8, 11, 12]


def test_an_event_says_when_it_happened() -> None:
    record = Record()
    record.keep(record.attempted("automatic"))
    attempted_at = record.now.latest.created_at
    assert record.now.pending is not None
    record.keep(pending.abandoned(record.now, record.now.pending, record.at))
    again = publication._told_since(image(table.save(record.now)), "")
    assert [event["created_at"] for event in log.told(again)] == [attempted_at]
    record.keep(record.answered(YES))
    record.keep(*record.refunding(400))
    record.keep(*record.refunded(NO))
    (failed,) = log.told(messages(image(table.create_refund(MERCHANT.id, record.refund))))  # type: ignore[arg-type]
    assert failed["created_at"] == record.now.updated_at > failed["data"]["created_at"]


def test_what_was_stored_before_statuses_had_a_version_can_be_told_and_changed() -> None:
    record = Record()
    record.keep(record.attempted("automatic"))
    record.keep(record.answered(YES))
    record.keep(*record.refunding(400))
    record.keep(*record.refunded(NO))
    older = image(table.save(record.now))
    assert older.pop("status_version") == 2
    # Whatever version its status seems to be from, its capture is told under the id that it always had.
    record.payment = table.parsed(older)
    assert types(publication._told_since(older, "")) == [("payment.captured", 2)]
    assert record.keep(*record.refunding(400)) == [("refund.pending", 1)]
    assert ("payment.partially_refunded", 7) in record.keep(*record.refunded(YES))
    never_told = {name: value for name, value in older.items() if name != "captured_version"}
    assert types(publication._told_since(never_told, "")) == []


def test_a_refund_to_a_card_is_told_when_it_has_succeeded(shop: Shop) -> None:
    shop.pay("1", shop.wallet(1000), 1000)
    shop.refund("1", 400)
    _, item = images(shop, "1")
    asked = {**item, "status": "pending", "version": 1}
    for unknown in ("succeeded_at", "settlement_window", "available_at", "entry"):
        asked.pop(unknown)
    done = {**item, "version": 2}
    assert told(asked) == []
    (event,) = told(done, old=asked)
    assert event["sequence"] == 2
    assert told({**asked, "status": "failed", "version": 2}, old=asked) == []


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    taken: list[Message] = []
    monkeypatch.setattr(events, "send", taken.extend)
    return taken


def mine(sent: list[Message], shop: Shop) -> Iterator[dict[str, Any]]:
    """What settlement and the log were told again of a shop, twice where both were."""
    for message in sent:
        event = read(message)
        if event.get("principal") == shop.id:
            yield event


def test_telling_again_says_the_same_whatever_became_of_the_record(shop: Shop, sent: list[Message]) -> None:
    shop.pay("1", shop.wallet(1000), 1000)
    first = log.told(messages(*images(shop, "1")))
    shop.refund("1", 400)
    shop.refund("1", 600)
    payment, *refunds = images(shop, "1")
    latest = [event for each in (payment, *refunds) for event in log.told(messages(each))]
    publication.repeat()
    again = {event["id"]: event for event in mine(sent, shop)}
    assert again == {event["id"]: event for event in (*first, *latest)}
    assert {event["type"] for event in latest} == {"payment.refunded", "refund.succeeded"}
    assert len(again) == 4


@pytest.mark.parametrize(("days", "count"), [(1, 1), (3, 0)])
def test_only_what_happened_of_late_is_told_again(
    shop: Shop, sent: list[Message], monkeypatch: pytest.MonkeyPatch, days: int, count: int
) -> None:
    shop.pay("1", shop.wallet(1000), 1000)
    days_later(monkeypatch, days)
    publication.repeat()
    assert (
        len([message for message in sent if message.queue == QUEUE and read(message)["principal"] == shop.id])
        == count
    )


def test_a_refund_has_a_settlement_day_of_its_own(shop: Shop) -> None:
    shop.pay("1", shop.wallet(1000), 1000)
    shown = shop.refund("1", 400).json()
    assert shown["succeeded_at"] == shown["created_at"]
    ends = clock.timestamp(clock.now() + timedelta(days=1))
    assert shown["succeeded_at"] < shown["settlement_window"] <= ends
    days = datetime.fromisoformat(shown["available_at"]) - datetime.fromisoformat(shown["settlement_window"])
    assert days == timedelta(days=2)
