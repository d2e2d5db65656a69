"""Money from a merchant's balance to its bank account: sent once, and back when it is returned."""

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from functions.payouts import resolution
from local.system import System
from tests.conftest import new_key
from tests.journeys.till import Till, await_until
from tests.journeys.together import CLIENTS, codes, everything, together
from tests.payee import Payee, banked, paid, stated, waiting

NOBODY = "ba_" + "a" * 24


@pytest.fixture
def payee(till: Till) -> Payee:
    """A merchant with 100.00 to be paid out."""
    payee = Payee(till.shop)
    payee.settle(10_000)
    return payee


def problem(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code")


def await_status(payee: Payee, payout: dict[str, Any], *statuses: str) -> dict[str, Any]:
    """Follow the bank until the payout has one of these statuses."""

    def has_come() -> bool:
        resolution.reconcile()
        return payee.payout(payout["id"])["status"] in statuses

    await_until(has_come)
    return payee.payout(payout["id"])


def test_a_payout_is_sent_and_then_paid(payee: Payee, hasty_engine: System) -> None:
    answer = payee.pay_out(2500)
    made = answer.json()
    assert (answer.status_code, made["status"]) == (201, "in_transit")
    assert (made["amount"], made["source"]) == (2500, None)
    assert payee.balance() == (7_500, 0)
    done = await_status(payee, made, "paid")
    assert (done["id"], done["bank_account"], done["failure_code"]) == (made["id"], payee.account(), None)
    operator = payee.shop.platform
    sent, arrived = (operator.get(f"/v1/ledger/entries/{entry}").json() for entry in done["entries"])
    assert (sent["reason"], sent["reference"], sent["amount"]) == ("payout", made["id"], 2500)
    assert sent["account"] == str(payee.available)
    assert arrived["reason"] == "payout_paid"
    assert {arrived["account"], arrived["counterpart"]} == {"bank_in_transit:GBP", "bank:GBP"}
    (line,) = [line for attempt, line in paid(hasty_engine).items() if attempt[4:] == made["id"][3:]]
    assert (line["paid"], line["returned"], line["last4"]) == (2500, 0, "0001")
    assert [payout["id"] for payout in everything(payee.shop, "/v1/payouts", status="paid")] == [made["id"]]
    assert list(everything(payee.shop, "/v1/payouts", status="failed")) == []


@pytest.mark.parametrize(("name", "entries"), [("returned", 2), ("paid_then_returned", 3)])
def test_what_is_returned_is_available_again(payee: Payee, name: str, entries: int) -> None:
    made = payee.pay_out(4000, name).json()
    assert made["status"] == "in_transit"
    assert payee.balance() == (6_000, 0)
    done = await_status(payee, made, "returned")
    assert len(done["entries"]) in {2, entries}
    assert payee.balance() == (10_000, 0)


def test_a_refused_one_fails_and_is_available_again(payee: Payee) -> None:
    answer = payee.pay_out(4000, "account_closed", key="key")
    assert (answer.status_code, answer.json()["status"]) == (201, "failed")
    assert answer.json()["failure_code"] == "account_closed"
    assert payee.balance() == (10_000, 0)
    again = payee.pay_out(4000, "account_closed", key="key")
    assert (again.status_code, again.json()) == (201, answer.json())
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("name", ["silent", "errors", "accepted_silently"])
def test_a_lost_answer_is_found_out_about(payee: Payee, name: str) -> None:
    answer = payee.pay_out(4000, name, key="key")
    assert (answer.status_code, answer.json()["status"]) == (202, "processing")
    assert payee.balance() == (6_000, 4_000)
    taken = name == "accepted_silently"
    done = await_status(payee, answer.json(), "paid" if taken else "failed")
    assert done["failure_code"] == (None if taken else "processing_error")
    assert payee.balance() == ((6_000, 0) if taken else (10_000, 0))
    again = payee.pay_out(4000, name, key="key")
    assert (again.status_code, again.json()) == (201, done)


def test_thirty_two_identical_payouts_are_one(payee: Payee, hasty_engine: System) -> None:
    payee.account()
    answers = together([partial(payee.pay_out, 4321, key="key")] * CLIENTS)
    assert set(codes(answers)) <= {201, 202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert codes([answer for answer in answers if "Idempotent-Replayed" not in answer.headers]) == {201: 1}
    assert payee.balance() == (5_679, 0)
    await_status(payee, answers[0].json(), "paid")
    mine = [line["paid"] for line in paid(hasty_engine).values() if line["paid"] == 4321]
    assert mine == [4321]


def test_there_is_no_more_than_there_is(payee: Payee) -> None:
    refused = payee.pay_out(10_001, key="key")
    assert problem(refused) == (402, "insufficient_funds")
    kept = payee.shop.http.get(refused.json()["instance"]).json()
    assert (kept["status"], kept["failure_code"]) == ("failed", "insufficient_funds")
    payee.settle(1)
    again = payee.pay_out(10_001, key="key")
    assert problem(again) == (402, "insufficient_funds")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert payee.pay_out(10_001).status_code == 201


@pytest.mark.parametrize(
    ("change", "status", "code", "pointer"),
    [
        ({"bank_account": NOBODY}, 422, "validation_failed", "/bank_account"),
        ({"bank_account": "GB48TAEL00000000000001"}, 422, "validation_failed", "/bank_account"),
        ({"currency": "EUR"}, 422, "currency_mismatch", "/currency"),
        ({"amount": 0}, 422, "validation_failed", "/amount"),
        ({"source": {}}, 422, "validation_failed", "/source/wallet"),
    ],
)
def test_what_is_wrong_is_named(
    payee: Payee, change: dict[str, Any], status: int, code: str, pointer: str
) -> None:
    answer = payee.pay_out(**change)
    assert problem(answer) == (status, code)
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert payee.balance() == (10_000, 0)


def test_a_key_is_needed_and_names_one_payout(payee: Payee) -> None:
    body = {"amount": 1, "currency": "GBP", "bank_account": payee.account()}
    assert problem(payee.shop.http.post("/v1/payouts", json=body)) == (400, "malformed_request")
    assert payee.pay_out(1, key="key").status_code == 201
    assert problem(payee.pay_out(2, key="key")) == (422, "idempotency_mismatch")


def test_nobody_sees_or_uses_what_is_anothers(payee: Payee, new_till: Callable[..., Till]) -> None:
    made = payee.pay_out().json()
    other = Payee(new_till().shop)
    other.settle(5_000)
    assert other.shop.http.get(f"/v1/payouts/{made['id']}").status_code == 404
    assert list(everything(other.shop, "/v1/payouts")) == []
    stolen = other.pay_out(bank_account=payee.account())
    assert (problem(stolen), stolen.json()["errors"][0]["pointer"]) == (
        (422, "validation_failed"),
        "/bank_account",
    )
    assert other.balance() == (5_000, 0)


def test_only_the_platform_withdraws_from_a_wallet(payee: Payee) -> None:
    wallet = payee.shop.wallet(800)
    source = {"wallet": wallet}
    assert problem(payee.pay_out(500, source=source)) == (403, "forbidden")
    on_behalf = {"Tael-Merchant": payee.shop.id}
    body = {"amount": 500, "currency": "GBP", "bank_account": payee.account(), "source": source}
    payee.shop.become(wallet, "freeze")
    frozen = payee.shop.platform.post("/v1/payouts", json=body, headers={**new_key(), **on_behalf})
    assert problem(frozen) == (409, "wallet_frozen")
    payee.shop.become(wallet, "unfreeze")
    sent = payee.shop.platform.post("/v1/payouts", json=body, headers={**new_key(), **on_behalf})
    assert (sent.status_code, sent.json()["source"]) == (201, source)
    assert payee.shop.balance(wallet) == (300, 0)
    assert payee.balance() == (10_000, 0)
    alone = payee.shop.platform.post("/v1/payouts", json=body, headers=new_key())
    assert problem(alone) == (400, "malformed_request")


def test_after_all_this_the_books_agree_with_the_banks(
    payee: Payee, hasty_engine: System, operator: httpx.Client
) -> None:
    payee.pay_out(1234)
    payee.pay_out(2345, "paid_then_returned")
    await_until(lambda: not waiting())
    await_until(lambda: resolution.reconcile() == 0 and banked() == stated(hasty_engine))
    assert operator.get("/v1/ledger/trial-balance?source=journal").json()["balanced"]
