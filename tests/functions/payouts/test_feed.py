"""The bank's feed is followed line by line: none is lost, whatever it says and whenever it is seen."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chassis import attributes, observe, store
from chassis.errors import Unavailable
from chassis.events import Message
from chassis.writes import Exists
from functions.payouts import app, resolution, table
from functions.payouts.records import Change, Question
from functions.payouts.resolution import StillUnknown, Unreadable
from functions.payouts.shapes import Payout, Status
from local.bank.book import Book
from tests.functions.inside import days_later
from tests.functions.payouts.bank import DELAY_SECONDS, InnerBank
from tests.functions.payouts.test_resolution import begin, now
from tests.journeys.together import together
from tests.payee import Payee

SaidLine = dict[str, Any]


def tell(bank: InnerBank, *lines: SaidLine) -> None:
    """Have the feed consist of these lines, as they are, a page of all."""
    bank.lines = lambda after: [line for line in lines if line["line"] > after]  # type: ignore[method-assign]


def paid(payout: Payout, line: int) -> SaidLine:
    return {"line": line, "attempt": now(payout).attempt_id, "status": "paid"}


def statuses(payouts: list[Payout]) -> list[Status]:
    return [now(payout).status for payout in payouts]


def is_taken(message: Message) -> bool:
    """Whether the queue's consumer does what a message asks, or has it come again."""
    record = {"messageId": "1", "body": message.body.model_dump_json()}
    answer: dict[str, Any] = app.resolve({"Records": [record]}, None)
    return answer == {"batchItemFailures": []}


def test_each_line_is_followed_before_the_bookmark_passes_it(
    payee: Payee, bank: InnerBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    payouts = [begin(payee) for _ in range(5)]  # two pages
    bank.later()
    with monkeypatch.context() as patched:
        patched.setattr(table, "move", lambda *_: pytest.fail("dead before the bookmark"))
        with pytest.raises(BaseException, match="dead before"):
            resolution.reconcile()
    assert table.bookmark().line == 0
    assert statuses(payouts).count(Status.PAID) == 3
    assert resolution.reconcile() == 5
    assert {now(payout).version for payout in payouts} == {3}
    assert table.bookmark().line == 5


def test_two_readers_are_as_good_as_one(
    payee: Payee, bank: InnerBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    payouts = [begin(payee) for _ in range(4)]
    bank.later()
    bank.at["changes"] = resolution.reconcile
    assert resolution.reconcile() == 0  # the other one was faster
    assert {(now(payout).status, now(payout).version) for payout in payouts} == {(Status.PAID, 3)}
    assert table.bookmark().line == 4


def test_readers_and_those_who_find_out_at_once_are_as_good_as_one(
    payee: Payee, bank: InnerBank, sent: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.is_mute = True
    payouts = [begin(payee) for _ in range(6)]
    bank.is_mute = False
    bank.later()
    days_later(monkeypatch, 1)
    finders: list[Callable[[], object]] = [
        partial(resolution.resolve, Question(payout_id=payout.id)) for payout in payouts
    ]
    together([resolution.reconcile, *finders, resolution.reconcile, *finders])
    resolution.reconcile()
    # Accepted and paid, each once; one version for each and one for the beginning.
    assert {(now(each).status, now(each).version, len(now(each).entries)) for each in payouts} == {
        (Status.PAID, 3, 2)
    }
    assert payee.balance() == (4_000, 0)
    assert table.bookmark().line == 6
    assert sent == []


def test_a_bad_line_stops_no_other_and_is_not_lost(
    payee: Payee, bank: InnerBank, sent: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    payouts = [begin(payee) for _ in range(4)]
    bank.later()
    bad = now(payouts[1]).attempt_id
    good = resolution.follow

    def follow(change: Change) -> None:
        if change.attempt == bad:
            raise Unavailable
        good(change)

    with monkeypatch.context() as patched:
        patched.setattr(resolution, "follow", follow)
        assert resolution.reconcile() == 4
        assert resolution.reconcile() == 0
    assert statuses(payouts).count(Status.PAID) == 3
    (message,) = sent
    assert is_taken(message)
    assert now(payouts[1]).status is Status.PAID


@pytest.mark.parametrize("attempt", ["att_" + "a" * 24, "4711", ""])
def test_an_attempt_of_others_is_passed_by(
    payee: Payee, bank: InnerBank, sent: list[Message], attempt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    payout = begin(payee)
    tell(bank, {**paid(payout, 1), "attempt": attempt}, paid(payout, 2))
    assert resolution.reconcile() == 2
    assert now(payout).status is Status.PAID
    assert sent == []
    assert capsys.readouterr().out.count("nothing of ours") == 1
    assert resolution.reconcile() == 0
    assert "nothing of ours" not in capsys.readouterr().out


UNREADABLE: dict[str, Callable[[SaidLine], SaidLine]] = {
    "an unknown status": lambda line: {**line, "status": "recalled"},
    "one that only we know": lambda line: {**line, "status": "in_transit"},
    "a status that is no text": lambda line: {**line, "status": ["paid"]},
    "no status": lambda line: {"line": line["line"], "attempt": line["attempt"]},
    "an attempt that is no text": lambda line: {**line, "attempt": 4711},
    "half a line": lambda line: {"line": line["line"]},
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_may_be_ours_and_cannot_be_read_is_left_to_people(
    payee: Payee, bank: InnerBank, sent: list[Message], name: str
) -> None:
    bank.is_mute = True
    payout, other = begin(payee), begin(payee)
    bank.is_mute = False
    tell(bank, UNREADABLE[name](paid(payout, 1)), paid(other, 2))
    assert resolution.reconcile() == 2
    assert statuses([payout, other]) == [Status.PROCESSING, Status.PAID]
    # Once, though the line is read again with every page that follows.
    assert resolution.reconcile() == 0
    (message,) = sent
    assert not is_taken(message)
    with pytest.raises(Unreadable):
        resolution.follow(Change.model_validate(message.body.model_dump()))
    assert now(payout).status is Status.PROCESSING


@pytest.mark.parametrize("page", [[{"attempt": "x"}], ["x"], [None], [{"line": "1"}]])
def test_a_page_that_is_none_is_read_again(bank: InnerBank, page: list[Any]) -> None:
    bank.lines = lambda after: page  # type: ignore[method-assign]
    with pytest.raises(StillUnknown):
        resolution.reconcile()
    assert table.bookmark().line == 0


def test_a_feed_that_turns_in_circles_ends(payee: Payee, bank: InnerBank) -> None:
    begin(payee)
    bank.later()
    lines = bank.book.changes(0, 10)
    bank.lines = lambda after: lines  # type: ignore[method-assign]
    assert resolution.reconcile() == 1
    assert bank.asked.count("changes") == 2


def test_a_line_that_becomes_visible_late_is_followed(payee: Payee, bank: InnerBank) -> None:
    payouts = [begin(payee) for _ in range(5)]
    lines = [paid(payout, number) for number, payout in enumerate(payouts, start=1)]
    tell(bank, *lines[:3], lines[4])
    assert resolution.reconcile() == 4
    assert now(payouts[3]).status is Status.IN_TRANSIT
    tell(bank, *lines)
    assert resolution.reconcile() == 1
    assert set(statuses(payouts)) == {Status.PAID}
    assert table.bookmark().line == 5


def test_a_feed_that_starts_anew_is_followed(payee: Payee, bank: InnerBank, tmp_path: Path) -> None:
    before = [begin(payee) for _ in range(4)]
    bank.later()
    assert resolution.reconcile() == 4
    bank.book.close()
    (tmp_path / "anew").mkdir()
    bank.book = Book(tmp_path / "anew", DELAY_SECONDS, now=lambda: bank.seconds)
    after = [begin(payee) for _ in range(3)]
    bank.later()
    assert resolution.reconcile() == 3
    assert set(statuses(before + after)) == {Status.PAID}
    assert resolution.reconcile() == 0


def test_a_feed_that_ends_before_the_bookmark_is_told_of(
    bank: InnerBank, capsys: pytest.CaptureFixture[str]
) -> None:
    assert resolution.reconcile() == 0
    assert "ends before" not in capsys.readouterr().out
    told = [Change(line=number, attempt="4711", status="paid") for number in (499, 500)]
    store.commit(table.move(table.past(table.bookmark(), told)))
    assert resolution.reconcile() == 0
    assert "ends before" in capsys.readouterr().out


def test_a_page_in_disorder_is_brought_in_order(payee: Payee, bank: InnerBank) -> None:
    payout = begin(payee)
    returned = {**paid(payout, 3), "status": "returned"}
    tell(bank, returned, {**paid(payout, 1), "attempt": "4711"}, paid(payout, 2))
    assert resolution.reconcile() == 3
    assert len(now(payout).entries) == 3
    assert table.bookmark().line == 3
    assert resolution.reconcile() == 0


def test_what_is_read_again_costs_no_write(payee: Payee, bank: InnerBank) -> None:
    for _ in range(5):
        begin(payee)
    bank.later()
    resolution.reconcile()
    with observe.metered() as counted:
        assert resolution.reconcile() == 0
    assert (counted.write_calls, counted.read_calls) == (0, 1)  # the bookmark


def test_the_bookmark_stays_below_a_kilobyte(bank: InnerBank) -> None:
    bookmark = table.bookmark()
    told = [Change(line=10**6 + number, attempt="4711", status="paid") for number in range(250)]
    for line in told:
        bookmark = table.past(bookmark, [line])
    assert [bookmark.has_passed(line) for line in told].count(True) == table.OVERLAP_LINES
    assert bookmark.has_passed(told[-1])
    write = table.move(bookmark)
    assert attributes.size(attributes.encode({**write.key, **(write.item or {})})) <= 1024


def test_the_bookmark_only_moves_forward(bank: InnerBank) -> None:
    first = table.bookmark()
    late, further = (Change(line=line, attempt="4711", status="paid") for line in (3, 5))
    ahead = table.past(first, [further])
    store.commit(table.move(ahead))
    with pytest.raises(Exists):
        store.commit(table.move(table.past(first, [late])))
    assert table.bookmark() == ahead
    assert table.past(ahead, [late]).line == 5
