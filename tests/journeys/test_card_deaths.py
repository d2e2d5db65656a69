"""Wherever the process dies between two outside calls, everything ends, and no penny is without an owner."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from local.system import System
from tests.conftest import new_key
from tests.journeys.killing import FLOWS, LONG_SECONDS, Flow, Mortals, Request, mortals
from tests.journeys.reconciling import await_settled, reconcile, waiting
from tests.journeys.till import Till

DECLINED = (402, "card_declined")
MOST_CALLS = 20


@dataclass(frozen=True)
class Case:
    """One request whose handler died after so many calls, or, in the end, did not die of it."""

    flow: Flow
    calls: int
    order: str
    request: Request
    at_once: httpx.Response
    """What the client was told when it repeated the request at once."""


@pytest.fixture(scope="module")
def dying(hasty_engine: System) -> Iterator[Mortals]:
    with mortals(hasty_engine) as parent:
        yield parent


@pytest.fixture(scope="module")
def shop_of_the_dead(new_till: Callable[..., Till]) -> Till:
    return new_till()


@pytest.fixture(scope="module")
def cases(shop_of_the_dead: Till, dying: Mortals) -> list[Case]:
    """Every flow, dead at every point; the workers have found out about all of them since."""
    died = [case for flow in FLOWS for case in _deaths(shop_of_the_dead, dying, flow)]
    await_settled()
    return died


def _deaths(till: Till, dying: Mortals, flow: Flow) -> Iterator[Case]:
    for calls in range(MOST_CALLS):
        order = f"{flow.name}-{calls}"
        request = flow.begin(till, order)
        answer = dying.handle(till, request, dies_after=calls)
        yield Case(flow, calls, order, request, request.send(till))
        if answer is not None:
            assert answer[0] in {200, 201}, answer
            return
    raise AssertionError(f"{flow.name} takes more than {MOST_CALLS} calls")


def status(till: Till, case: Case, answer: httpx.Response) -> str:
    """Of the payment or top-up that it was about."""
    if case.flow.service == "topups":
        return str(answer.json()["status"])
    return str(till.shop.payment(case.order)["status"])


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_dead_anywhere_it_ends_and_the_client_who_repeats_it_is_told_how(
    shop_of_the_dead: Till, cases: list[Case], flow: Flow
) -> None:
    till, mine = shop_of_the_dead, [case for case in cases if case.flow is flow]
    lost = []
    for case in mine:
        assert case.at_once.status_code in {200, 201, 202, 409}, (case, case.at_once.text)
        if case.at_once.status_code == 409:
            assert case.at_once.json()["code"] == "in_progress"
        again = case.request.send(till)
        if flow.creates and again.status_code == 402:
            assert till.problem(again) == DECLINED
            assert again.headers["Idempotent-Replayed"] == "true"
            lost.append(case)
        else:
            assert again.status_code in {200, 201}, (case, again.text)
            assert status(till, case, again) == flow.done
            repeated = case.request.send(till)
            assert (repeated.status_code, repeated.json()) == (again.status_code, again.json())
    # A call to the vault, the record, the acquirer, the commit: each point between them was died at.
    assert len(mine) >= 4
    # Only between the record and the acquirer can a charge get lost; a dead process asks no more.
    assert len(lost) == (1 if flow.creates else 0)
    for case in lost:
        anew = Request(case.request.path, case.request.body, key=new_key()["Idempotency-Key"]).send(till)
        assert anew.status_code == 201
        assert status(till, case, anew) == flow.done
        assert case.request.send(till).status_code == 402


def test_after_all_these_deaths_the_books_agree(
    shop_of_the_dead: Till, cases: list[Case], hasty_engine: System, operator: httpx.Client
) -> None:
    reconcile(hasty_engine, operator)
    assert len(cases) >= 4 * len(FLOWS)


FOUND_OUT = [flow for flow in FLOWS if flow.name not in {"authorize", "capture-a-part"}]
SERVED: dict[str, list[str]] = {"batchItemFailures": []}


@pytest.mark.parametrize("reached", [False, True], ids=["before the acquirer", "after the acquirer"])
@pytest.mark.parametrize("flow", FOUND_OUT, ids=lambda flow: flow.name)
def test_who_finds_out_may_die_of_it_too(
    till: Till, dying: Mortals, books: Callable[[], None], flow: Flow, reached: bool
) -> None:
    kind = "outside" if reached else "write"
    for calls in itertools.count():
        order = f"{flow.name}-{calls}"
        request = flow.begin(till, order)
        assert dying.handle(till, request, 1, kind, resolve_seconds=LONG_SECONDS) is None
        message = {"merchant_id": till.shop.id, "order_id": order}
        if flow.service == "topups":
            (topup_id,) = waiting()
            message = {"topup_id": topup_id}
        survived = dying.resolve(flow.service, message, dies_after=calls)
        # The message was not deleted, so it comes again; and once more, for queues do that.
        assert dying.resolve(flow.service, message, dies_after=None) == SERVED
        assert dying.resolve(flow.service, message, dies_after=None) == SERVED
        assert waiting() == []
        answer = request.send(till)
        if flow.creates and not reached:
            assert till.problem(answer) == DECLINED
        else:
            assert answer.status_code in {200, 201}, answer.text
        if survived is not None:
            assert survived == SERVED
            break
    assert calls >= (2 if reached else 3)
    books()
