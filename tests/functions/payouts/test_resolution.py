"""However an answer gets lost, a payout ends; and the bank's feed is followed line by line, none lost."""

from typing import Any

import pytest

from chassis import observe
from chassis.auth import BankAccount
from chassis.events import Message
from functions.payouts import app, gateway, model, publication, resolution, table
from functions.payouts.records import Accepted, Change, Question, Refused, StoredPayout
from functions.payouts.resolution import Overdue, StillUnknown
from functions.payouts.shapes import FailureCode, Payout, Status
from tests.functions.inside import Faulty, Inside, Time, conflict, days_later, lost
from tests.functions.payouts.bank import InnerBank
from tests.functions.payouts.test_actions import asking
from tests.payee import Payee


def begin(payee: Payee, wallet: str | None = None) -> Payout:
    made: Payout = asking(payee, wallet=wallet)().resource
    return made


def bank_account(payee: Payee) -> BankAccount:
    """Where the payee is paid out to."""
    registered = Inside(payee.shop.key).principal.acting_merchant.bank_accounts
    return registered[payee.account()]


def now(payout: Payout) -> StoredPayout:
    found = table.payout(payout.id)
    assert found is not None
    return found


def find_out(payout: Payout) -> Status:
    resolution.resolve(Question(payout_id=payout.id))
    return now(payout).status


@pytest.fixture
def silenced(payee: Payee, bank: InnerBank) -> Payout:
    """A payout that the bank has taken, without an answer."""
    bank.is_mute = True
    payout = begin(payee)
    bank.is_mute = False
    return payout


@pytest.fixture
def unheard(payee: Payee, bank: InnerBank) -> Payout:
    """A payout that the bank never heard of."""
    bank.is_deaf = True
    payout = begin(payee)
    bank.is_deaf = False
    return payout


def test_a_lost_acceptance_is_found(payee: Payee, silenced: Payout, monkeypatch: pytest.MonkeyPatch) -> None:
    days_later(monkeypatch, 1)
    assert find_out(silenced) is Status.IN_TRANSIT
    assert payee.balance() == (9_000, 0)
    assert find_out(silenced) is Status.IN_TRANSIT


def test_a_lost_refusal_is_found(payee: Payee, bank: InnerBank, monkeypatch: pytest.MonkeyPatch) -> None:
    bank.decline, bank.is_mute = "account_closed", True
    payout = begin(payee)
    bank.is_mute = False
    days_later(monkeypatch, 1)
    assert find_out(payout) is Status.FAILED
    assert payee.balance() == (10_000, 0)


def test_what_the_bank_never_saw_is_cancelled_before_it_fails(
    payee: Payee, bank: InnerBank, unheard: Payout, monkeypatch: pytest.MonkeyPatch
) -> None:
    days_later(monkeypatch, 1)
    assert find_out(unheard) is Status.FAILED
    assert bank.asked == ["lookup", "cancel"]
    assert now(unheard).failure_code == "processing_error"
    assert payee.balance() == (10_000, 0)
    # The order arrives after all, and finds the door closed.
    refused = gateway.submit(now(unheard), bank_account(payee))
    assert refused == Refused(FailureCode.PROCESSING_ERROR)


def test_an_order_that_arrives_between_question_and_cancellation_is_cancelled_too(
    payee: Payee, bank: InnerBank, unheard: Payout, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = now(unheard)
    days_later(monkeypatch, 1)
    bank.at["lookup"] = lambda: gateway.submit(late, bank_account(payee))
    assert find_out(unheard) is Status.FAILED
    # Whoever brought it late holds an acceptance, which cannot be committed any more.
    assert resolution.concluded(late, Accepted()).status is Status.FAILED
    bank.later()
    assert bank.book.statement(0, 10) == []
    assert payee.balance() == (10_000, 0)


def test_an_order_that_is_paid_before_it_can_be_cancelled_is_taken(
    payee: Payee, bank: InnerBank, unheard: Payout, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = now(unheard)
    days_later(monkeypatch, 1)

    def arrive_and_be_paid() -> None:
        gateway.submit(late, bank_account(payee))
        bank.later()

    bank.at["lookup"] = arrive_and_be_paid
    assert find_out(unheard) is Status.IN_TRANSIT
    assert payee.balance() == (9_000, 0)
    resolution.reconcile()
    assert now(unheard).status is Status.PAID


def test_an_acceptance_committed_first_is_never_cancelled(
    bank: InnerBank, unheard: Payout, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = now(unheard)
    days_later(monkeypatch, 1)
    bank.at["lookup"] = lambda: resolution.concluded(late, Accepted())
    with pytest.raises(StillUnknown):
        find_out(unheard)
    assert now(unheard).status is Status.IN_TRANSIT
    assert bank.asked == ["lookup"]


def test_whoever_died_of_the_cancellation_is_followed_by_another(
    payee: Payee, bank: InnerBank, unheard: Payout, monkeypatch: pytest.MonkeyPatch
) -> None:
    days_later(monkeypatch, 1)
    bank.at["lookup"] = lambda: setattr(bank, "is_deaf", True)
    with pytest.raises(StillUnknown):
        find_out(unheard)
    assert now(unheard).abandoned
    bank.is_deaf = False
    assert find_out(unheard) is Status.FAILED
    assert bank.asked == ["lookup", "cancel"]


def test_nobody_asks_before_the_one_who_asked_is_done(
    bank: InnerBank, silenced: Payout, sent: list[Message]
) -> None:
    bank.asked.clear()
    assert find_out(silenced) is Status.PROCESSING
    assert bank.asked == []
    assert [message.body for message in sent] == [Question(payout_id=silenced.id)]
    assert 0 < sent[0].delay_seconds <= 900


def test_a_bank_that_cannot_tell_has_the_message_come_again(
    bank: InnerBank, silenced: Payout, monkeypatch: pytest.MonkeyPatch
) -> None:
    days_later(monkeypatch, 1)
    bank.is_deaf = True
    with pytest.raises(StillUnknown):
        find_out(silenced)


def test_a_question_about_nothing_is_done_with(bank: InnerBank) -> None:
    resolution.resolve(Question(payout_id="po_" + "a" * 24))
    assert bank.asked == []


def test_one_that_stays_in_transit_ends_with_people(
    payee: Payee, bank: InnerBank, sent: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    payout = begin(payee)
    question = Question(payout_id=payout.id)
    days_later(monkeypatch, 6.9)
    publication.repeat()
    assert question not in [message.body for message in sent]
    resolution.resolve(question)
    days_later(monkeypatch, 7.1)
    publication.repeat()
    assert question in [message.body for message in sent]
    with pytest.raises(Overdue, match=payout.id):
        resolution.resolve(question)
    assert now(payout).status is Status.IN_TRANSIT
    # By then the bank has told.
    resolution.follow(Change(line=1, attempt=now(payout).attempt_id, status="paid"))
    sent.clear()
    publication.repeat()
    assert question not in [message.body for message in sent]
    resolution.resolve(question)


def test_paid_and_returned(payee: Payee, bank: InnerBank) -> None:
    kept, back = begin(payee), begin(payee)
    bank.later()
    assert resolution.reconcile() == 2
    assert (now(kept).status, now(back).status) == (Status.PAID, Status.PAID)
    resolution.follow(Change(line=3, attempt=now(back).attempt_id, status="returned"))
    assert payee.balance() == (9_000, 0)
    assert [len(now(each).entries) for each in (kept, back)] == [2, 3]
    assert resolution.reconcile() == 0


def test_a_line_told_twice_or_late_moves_nothing(payee: Payee, bank: InnerBank) -> None:
    payout = begin(payee)
    paid = Change(line=1, attempt=now(payout).attempt_id, status="paid")
    returned = paid.model_copy(update={"line": 2, "status": "returned"})
    for change in (returned, returned, paid, paid, returned):
        resolution.follow(change)
    stored = now(payout)
    assert (stored.status, len(stored.entries), stored.version) == (Status.RETURNED, 2, 3)
    assert payee.balance() == (10_000, 0)


def test_a_wallet_gets_back_what_is_returned_though_it_is_closed(payee: Payee, bank: InnerBank) -> None:
    wallet = payee.shop.wallet(1000)
    payout = begin(payee, wallet=wallet)
    payee.shop.become(wallet, "close")
    resolution.follow(Change(line=1, attempt=now(payout).attempt_id, status="returned"))
    assert payee.shop.balance(wallet) == (1000, 0)


def test_what_was_paid_has_been_accepted(
    payee: Payee, bank: InnerBank, silenced: Payout, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.later()
    assert resolution.reconcile() == 1
    assert now(silenced).status is Status.PAID
    assert payee.balance() == (9_000, 0)


def test_a_bank_that_contradicts_itself_is_left_to_people(
    payee: Payee, bank: InnerBank, sent: list[Message]
) -> None:
    bank.decline = "account_closed"
    payout = begin(payee)
    line = Change(line=1, attempt=now(payout).attempt_id, status="paid")
    bank.lines = lambda after: [] if after else [line.model_dump()]  # type: ignore[method-assign]
    assert resolution.reconcile() == 1
    assert [message.body for message in sent] == [line]
    with pytest.raises(model.Impossible):
        resolution.follow(line)
    assert payee.balance() == (10_000, 0)


def test_what_a_line_costs(payee: Payee, bank: InnerBank) -> None:
    payout = begin(payee)
    paid = Change(line=1, attempt=now(payout).attempt_id, status="paid")
    for status, units in (("paid", 2 * 2), ("returned", 3 * 2)):
        with observe.metered() as counted:
            resolution.follow(paid.model_copy(update={"status": status}))
        assert (counted.write_units, counted.write_calls, counted.read_calls) == (units, 1, 1)


@pytest.mark.parametrize("faults", [(conflict, conflict), (lost,), (lost, conflict, lost)])
def test_storage_that_fails_posts_a_line_once(
    payee: Payee, bank: InnerBank, faults: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    payout = begin(payee)
    with monkeypatch.context() as patched:
        Time(patched)
        Faulty(patched, *faults)
        resolution.follow(Change(line=1, attempt=now(payout).attempt_id, status="returned"))
    assert (now(payout).status, now(payout).version) == (Status.RETURNED, 3)
    assert payee.balance() == (10_000, 0)


def test_a_change_that_another_makes_meanwhile_is_looked_at_again(
    payee: Payee, bank: InnerBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    payout = begin(payee)
    stale = now(payout)
    paid = Change(line=1, attempt=stale.attempt_id, status="paid")
    resolution.follow(paid)
    monkeypatch.setattr(table, "payout", lambda _: stale)
    resolution.follow(paid.model_copy(update={"status": "returned"}))
    monkeypatch.undo()
    assert now(payout).status is Status.RETURNED
    assert len(now(payout).entries) == 3


def test_the_handlers_do_what_they_are_called(silenced: Payout, bank: InnerBank) -> None:
    assert {schedule.name: schedule.every_minutes for schedule in app.service.schedules} == {
        "reconcile": 1,
        "republish": 1440,
    }
    assert [source.queue for source in app.service.queues] == [resolution.QUEUE]
