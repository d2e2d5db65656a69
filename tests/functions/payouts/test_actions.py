"""Paying out: never more than there is, once for each key, and what that costs the storage."""

import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from chassis import auth, observe
from chassis.auth import Principal
from chassis.errors import IdempotencyMismatch, InsufficientFunds, NotFound, ValidationFailed
from chassis.operations import Intent, Reply
from functions.payouts import actions, resolution
from functions.payouts.records import Change
from functions.payouts.shapes import FailureCode, NewPayout, Payout, PayoutQuery, Source, Status
from ledger.accounts import AccountFrozen, CurrencyMismatch
from tests.conftest import Shop, new_key
from tests.functions.inside import Faulty, Inside, Time, conflict, lost
from tests.functions.payouts.bank import InnerBank
from tests.journeys.together import together
from tests.payee import Payee, waiting

NOBODY = "wal_" + "a" * 24


def asking(
    payee: Payee, amount: int = 1000, key: str | None = None, wallet: str | None = None, **more: Any
) -> Any:
    """A request of the merchant's, or, from a wallet, of the platform's on its behalf."""
    source = Source(wallet=wallet) if wallet else None
    body = {"amount": amount, "currency": "GBP", "bank_account": payee.account(), "source": source, **more}
    new = NewPayout(**body)
    merchant = Inside(payee.shop.key).principal
    principal = Principal(is_platform=True, merchant=merchant.merchant) if wallet else merchant
    intent = Intent(
        principal.id, "POST /v1/payouts", key or str(uuid.uuid4()), fingerprint=new.model_dump_json()
    )
    return partial(actions.pay_out, principal, intent, new)


def outcome(request: Any) -> str:
    """The status of the payout, or what it was refused for."""
    try:
        reply: Reply[Payout] = request()
    except InsufficientFunds as refusal:
        return f"{refusal.code}{' again' if refusal.replayed else ''}"
    return f"{reply.resource.status}{' again' if reply.replayed else ''}"


def costs(request: Any) -> tuple[float, int, int]:
    """Write units, write calls and read calls."""
    with observe.metered() as counted:
        outcome(request)
    return counted.write_units, counted.write_calls, counted.read_calls


def test_twenty_at_once_never_take_more_than_there_is(payee: Payee, bank: InnerBank) -> None:
    outcomes = Counter(together([partial(outcome, asking(payee)) for _ in range(20)]))
    assert outcomes == {"in_transit": 10, "insufficient_funds": 10}
    assert payee.balance() == (0, 0)
    bank.later()
    assert sum(line["net"] for line in bank.book.statement(0, 100)) == 10_000


def test_twenty_twins_are_one_payout(payee: Payee, bank: InnerBank) -> None:
    twins = [partial(outcome, asking(payee, 700, key="key")) for _ in range(20)]
    outcomes = Counter(together(twins))
    assert outcomes["in_transit"] == 1
    assert set(outcomes) <= {"in_transit", "in_transit again", "processing again"}
    assert payee.balance() == (9_300, 0)
    bank.later()
    assert [line["paid"] for line in bank.book.statement(0, 100)] == [700]


def test_a_refusal_for_lack_of_money_is_stored(payee: Payee, bank: InnerBank) -> None:
    request = asking(payee, 10_001, key="key")
    assert outcome(request) == "insufficient_funds"
    payee.settle(1)
    assert outcome(request) == "insufficient_funds again"
    (kept,) = actions.list_payouts(Inside(payee.shop.key).principal, PayoutQuery()).data
    assert (kept.status, kept.failure_code, kept.entries) == (
        Status.FAILED,
        FailureCode.INSUFFICIENT_FUNDS,
        [],
    )
    assert outcome(asking(payee, 10_001, key="other")) == "in_transit"
    assert bank.asked == ["submit"]


def test_a_merchant_that_nothing_was_settled_for_has_nothing(payee: Payee, bank: InnerBank) -> None:
    euros = payee.register(currency="EUR").json()["id"]
    assert outcome(asking(payee, currency="EUR", bank_account=euros)) == "insufficient_funds"


def test_a_key_names_one_payout(payee: Payee, bank: InnerBank) -> None:
    asking(payee, 1000, key="key")()
    with pytest.raises(IdempotencyMismatch):
        asking(payee, 1001, key="key")()
    assert outcome(asking(payee, 1000, key="key")) == "in_transit again"
    assert payee.balance() == (9_000, 0)


def test_what_the_bank_refuses_is_shown_and_given_back(payee: Payee, bank: InnerBank) -> None:
    bank.decline = "account_closed"
    reply = asking(payee, key="key")()
    assert (reply.status, reply.resource.status) == (None, Status.FAILED)
    assert reply.resource.failure_code is FailureCode.ACCOUNT_CLOSED
    assert payee.balance() == (10_000, 0)
    bank.decline = None
    again = asking(payee, key="key")()
    assert (again.resource, again.replayed) == (reply.resource, True)
    bank.decline = "a_reason_of_next_year"
    assert asking(payee)().resource.failure_code is FailureCode.REJECTED


def test_while_nobody_knows_the_money_is_held(payee: Payee, bank: InnerBank) -> None:
    bank.is_mute = True
    reply = asking(payee, 4000, key="key")()
    assert (reply.status, reply.resource.status, reply.resource.entries) == (202, Status.PROCESSING, [])
    assert payee.balance() == (6_000, 4_000)
    again = asking(payee, 4000, key="key")()
    assert (again.status, again.replayed) == (202, True)
    assert outcome(asking(payee, 6_001)) == "insufficient_funds"


def test_a_bank_account_added_a_moment_ago_is_known(payee: Payee, bank: InnerBank) -> None:
    first = payee.account()
    principal = Inside(payee.shop.key).principal
    assert auth.as_of_now(principal.acting_merchant).bank_accounts.keys() == {first}
    second = payee.account("slow")
    assert outcome(asking(payee, bank_account=second)) == "in_transit"


def test_an_account_in_another_currency_is_named(payee: Payee, bank: InnerBank) -> None:
    with pytest.raises(CurrencyMismatch) as refusal:
        asking(payee, currency="EUR")()
    assert refusal.value.faults[0].pointer == "/currency"
    assert bank.asked == []


def test_a_wallet_is_paid_out_closed_but_not_frozen(payee: Payee, bank: InnerBank) -> None:
    wallet = payee.shop.wallet(500)
    payee.shop.become(wallet, "freeze")
    with pytest.raises(AccountFrozen):
        asking(payee, 500, wallet=wallet)()
    payee.shop.become(wallet, "unfreeze")
    asking(payee, 500, wallet=wallet)()
    payee.shop.become(wallet, "close")
    # The bank gives it back, to a wallet that is closed by now.
    bank.later()
    (paid,) = bank.book.changes(0, 10)
    resolution.follow(Change.model_validate({**paid, "status": "returned"}))
    assert outcome(asking(payee, 501, wallet=wallet)) == "insufficient_funds"
    assert asking(payee, 500, wallet=wallet)().resource.source == Source(wallet=wallet)
    assert payee.shop.balance(wallet) == (0, 0)
    with pytest.raises(NotFound):
        asking(payee, 300, wallet=NOBODY)()


def test_a_wallet_is_paid_out_for_its_holder_and_no_other(
    payee: Payee, bank: InnerBank, new_shop: Callable[..., Shop]
) -> None:
    other = new_shop()
    theirs = other.wallet(500)
    with pytest.raises(NotFound):
        asking(payee, 500, wallet=theirs)()
    other.become(theirs, "freeze")
    with pytest.raises(NotFound):
        asking(payee, 501, wallet=theirs)()
    assert other.balance(theirs) == (500, 0)
    assert bank.asked == []


def test_a_wallet_of_the_platform_s_own_is_paid_out_for_any(payee: Payee, bank: InnerBank) -> None:
    operator = payee.shop.platform
    opened = operator.post("/v1/wallets", json={"owner": "us", "currency": "GBP"}, headers=new_key())
    wallet = opened.json()["id"]
    payee.shop.deposit(wallet, 500)
    assert outcome(asking(payee, 500, wallet=wallet)) == "in_transit"
    left = operator.get(f"/v1/wallets/{wallet}").json()
    assert (left["available"], left["held"]) == (0, 0)


@pytest.mark.parametrize("change", [{"bank_account": "ba_" + "a" * 24}, {"currency": "EUR"}])
def test_a_key_names_one_payout_whatever_else_is_wrong(
    payee: Payee, bank: InnerBank, change: dict[str, Any]
) -> None:
    made = asking(payee, key="key")()
    with pytest.raises(IdempotencyMismatch):
        asking(payee, key="key", **change)()
    with pytest.raises(ValidationFailed):
        asking(payee, key="other", **change)()
    assert asking(payee, key="key")().resource == made.resource
    assert payee.balance() == (9_000, 0)


def test_what_it_costs(payee: Payee, bank: InnerBank) -> None:
    asking(payee)()
    # The record with its index entry and the hold; the record, the hold's end and an entry.
    assert costs(asking(payee, key="key")) == (2 * 2 + 1 + 2 * 3, 2, 0)
    # The refused write: record and balance.
    assert costs(asking(payee, key="key")) == (2 * 2, 1, 0)
    # The refused transaction, and the record with its index entry.
    assert costs(asking(payee, 10**6)) == (2 * 2 + 2, 2, 0)
    bank.decline = "account_closed"
    assert costs(asking(payee)) == (2 * 2 + 1 + 2 * 2, 2, 0)


@pytest.mark.parametrize(
    "faults", [(conflict, conflict), (lost,), (lost, conflict, lost)], ids=["conflict", "lost", "both"]
)
def test_storage_that_fails_takes_the_money_once(
    payee: Payee, bank: InnerBank, faults: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asking(payee, key="key")
    with monkeypatch.context() as patched:
        Time(patched)
        Faulty(patched, *faults)
        assert outcome(request) == "in_transit"
    assert payee.balance() == (9_000, 0)
    assert outcome(request) == "in_transit again"


def test_an_answer_that_cannot_be_committed_is_not_lost(
    payee: Payee, bank: InnerBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asking(payee, key="key")

    def through(method: Any, parameters: dict[str, Any]) -> Any:
        return method(**parameters)

    with monkeypatch.context() as patched:
        Time(patched)
        Faulty(patched, through, for_ever=conflict)
        with pytest.raises(Exception, match="storage did not answer"):
            request()
    assert outcome(request) == "processing again"
    assert payee.balance() == (9_000, 1_000)
    (lost,) = [each for each in waiting() if each.merchant_id == payee.shop.id]
    assert bank.book.lookup(lost.attempt_id) == "accepted"
