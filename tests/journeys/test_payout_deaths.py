"""Wherever the process dies while it pays out, the payout ends, and no penny is without an owner."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from functions.payouts import resolution
from functions.payouts.records import attempt_of
from local.system import System
from tests.journeys.killing import LONG_SECONDS, Mortals, Request, mortals
from tests.journeys.till import Till, await_until
from tests.payee import Payee, banked, paid, stated, waiting

MOST_CALLS = 20
START = 100_000
AMOUNT = 1000
SERVED: dict[str, list[str]] = {"batchItemFailures": []}


@dataclass(frozen=True)
class Case:
    """A request whose handler died after so many calls, or, in the end, did not die of it."""

    name: str
    request: Request
    at_once: httpx.Response
    """What the client was told when it repeated the request at once."""


@pytest.fixture(scope="module")
def dying(hasty_engine: System) -> Iterator[Mortals]:
    with mortals(hasty_engine) as parent:
        yield parent


@pytest.fixture(scope="module")
def dead(new_till: Callable[..., Till]) -> Payee:
    """The merchant of all who die."""
    payee = Payee(new_till().shop)
    payee.settle(START)
    return payee


def paying(payee: Payee, name: str, key: str) -> Request:
    body = {"amount": AMOUNT, "currency": "GBP", "bank_account": payee.account(name)}
    return Request("/v1/payouts", body, key=f"{name} {key}")


@pytest.fixture(scope="module")
def cases(dead: Payee, dying: Mortals) -> list[Case]:
    """A payout to each kind of bank account, dead at every point; everything has ended since."""
    till = Till(dead.shop)
    died = []
    for name in ("pays", "account_closed"):
        for calls in range(MOST_CALLS):
            request = paying(dead, name, str(calls))
            answer = dying.handle(till, request, dies_after=calls)
            died.append(Case(name, request, request.send(till)))
            if answer is not None:
                assert answer[0] == 201, answer
                break
        else:
            raise AssertionError(f"{name} takes more than {MOST_CALLS} calls")
    await_until(lambda: not waiting())
    return died


def ended(payee: Payee) -> Counter[str]:
    """Statuses of what has ended by now; the bank is followed first."""
    resolution.reconcile()
    return Counter(payout["status"] for payout in payee.shop.http.get("/v1/payouts?limit=100").json()["data"])


def test_dead_anywhere_it_ends_and_the_client_who_repeats_it_is_told_how(
    dead: Payee, cases: list[Case], hasty_engine: System
) -> None:
    till = Till(dead.shop)
    await_until(lambda: not ended(dead).keys() & {"processing", "in_transit"})
    await_until(lambda: resolution.reconcile() == 0 and banked() == stated(hasty_engine))
    outcomes: Counter[tuple[str, str]] = Counter()
    for case in cases:
        assert case.at_once.status_code in {201, 202}, case.at_once.text
        again = case.request.send(till)
        assert (again.status_code, again.json()["id"]) == (201, case.at_once.json()["id"])
        outcomes[case.name, again.json()["status"]] += 1
    # A read of the principal, the record, the bank, the commit: each point between them was died at.
    for name, done in (("pays", "paid"), ("account_closed", "failed")):
        assert outcomes[name, done] >= 4
    # Only what died between the record and the bank is lost; a dead process asks no more.
    assert outcomes["pays", "failed"] == 1
    assert dead.balance() == (START - AMOUNT * outcomes["pays", "paid"], 0)


@pytest.mark.parametrize("reached", [False, True], ids=["before the bank", "after the bank"])
def test_who_finds_out_may_die_of_it_too(till: Till, dying: Mortals, reached: bool) -> None:
    payee = Payee(till.shop)
    payee.settle(START)
    for calls in range(MOST_CALLS):
        request = paying(payee, "pays", str(calls))
        kind = "outside" if reached else "write"
        assert dying.handle(till, request, 1, kind, resolve_seconds=LONG_SECONDS) is None
        (lost,) = [payout.id for payout in waiting() if payout.merchant_id == payee.shop.id]
        message = {"payout_id": lost}
        survived = dying.resolve("payouts", message, dies_after=calls)
        # The message was not deleted, so it comes again; and once more, for queues do that.
        assert dying.resolve("payouts", message, dies_after=None) == SERVED
        assert dying.resolve("payouts", message, dies_after=None) == SERVED
        status = request.send(till).json()["status"]
        assert status in ({"in_transit", "paid"} if reached else {"failed"})
        if survived is not None:
            assert survived == SERVED
            break
    assert calls >= 3
    assert payee.balance() == (START - AMOUNT * (calls + 1) * reached, 0)


def has_come_back(system: System, payout_id: str) -> bool:
    """Whether the bank has paid and returned it by now."""
    line = paid(system).get(attempt_of(payout_id))
    return line is not None and line["returned"] > 0


def test_who_follows_the_bank_may_die_of_it(till: Till, dying: Mortals, hasty_engine: System) -> None:
    payee = Payee(till.shop)
    payee.settle(START)
    for calls in range(MOST_CALLS):
        made = payee.pay_out(AMOUNT, "paid_then_returned").json()
        await_until(partial(has_come_back, hasty_engine, made["id"]))
        survived = dying.run("payouts", dies_after=calls)
        resolution.reconcile()
        assert payee.payout(made["id"])["status"] == "returned"
        assert payee.balance() == (START, 0)
        if survived is not None:
            break
    assert calls >= 5
    assert banked() == stated(hasty_engine)
