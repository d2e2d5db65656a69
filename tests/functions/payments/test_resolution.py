"""Of an approval and a void of the same attempt one wins: the charge that is voided is never committed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from acquiring.acquirer import Approved, DeclineCode, Outcome
from chassis import ids, store
from chassis.auth import FeePlan, Merchant
from chassis.operations import Intent
from chassis.outside import NotFound
from functions.payments import gateway, model, pending, resolution, table
from functions.payments.records import StoredPayment
from functions.payments.shapes import NewPayment, Resolution, Status
from functions.topups import gateway as topup_gateway
from functions.topups import model as topups
from functions.topups import resolution as topup_resolution
from functions.topups import table as topup_table
from ledger import accounts
from local.system import System

LONG_AGO = datetime.now(UTC) - timedelta(hours=1)
CARD = "card_" + "a" * 24


class LateAcquirer:
    """Knows no attempt when it is asked, and lets something happen before it answers."""

    def __init__(self, at_lookup: Callable[[], object], at_void: Callable[[], object]) -> None:
        self.at_lookup, self.at_void = at_lookup, at_void
        self.voided: list[str] = []

    def lookup(self, _: str) -> Outcome | NotFound:
        self.at_lookup()
        return NotFound()

    def void(self, attempt_id: str) -> Outcome:
        self.voided.append(attempt_id)
        self.at_void()
        return Approved()


def nothing() -> None:
    """Nobody else is at work."""


@pytest.fixture
def waiting(engine: System) -> StoredPayment:
    """A card payment whose answer was lost long ago."""
    plan = FeePlan(basis_points=150, fixed=20)
    merchant = Merchant(
        id=ids.random("mer"), status="active", cut_off="00:00", settlement_delay_days=2, fees={"GBP": plan}
    )
    order = NewPayment.model_validate({"amount": 1000, "currency": "GBP", "source": {"card": CARD}})
    intent = Intent(merchant.id, "POST /v1/payments/1", "k", "f")
    asked = pending.to_authorize(
        model.attempt(None, merchant, "1", order, intent=intent, at=LONG_AGO), LONG_AGO
    )
    store.commit(table.save(asked))
    return table.kept(asked)


def resolve(payment: StoredPayment) -> None:
    resolution.resolve(Resolution(merchant_id=payment.merchant_id, order_id=payment.order_id))


def test_an_approval_that_was_committed_first_is_not_voided(
    waiting: StoredPayment, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquirer = LateAcquirer(at_lookup=lambda: resolution.concluded(waiting, Approved()), at_void=nothing)
    monkeypatch.setattr(gateway, "connector", lambda: acquirer)
    with pytest.raises(resolution.StillUnknown):
        resolve(waiting)
    assert acquirer.voided == []
    resolve(waiting)
    assert table.existing(waiting.merchant_id, "1").status is Status.CAPTURED


def test_an_approval_that_comes_after_the_decision_to_void_is_not_committed(
    waiting: StoredPayment, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquirer = LateAcquirer(nothing, at_void=lambda: resolution.concluded(waiting, Approved()))
    monkeypatch.setattr(gateway, "connector", lambda: acquirer)
    resolve(waiting)
    ended = table.existing(waiting.merchant_id, "1")
    assert (ended.status, ended.captured, ended.entries) == (Status.FAILED, 0, ())
    assert ended.failure_code == DeclineCode.PROCESSING_ERROR
    assert acquirer.voided == [waiting.latest.attempt_id]


def test_whoever_takes_over_after_the_decision_only_voids(
    waiting: StoredPayment, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert waiting.pending
    store.commit(table.save(pending.abandoned(waiting, waiting.pending, LONG_AGO)))
    acquirer = LateAcquirer(at_lookup=lambda: pytest.fail("there is nothing left to ask"), at_void=nothing)
    monkeypatch.setattr(gateway, "connector", lambda: acquirer)
    resolve(waiting)
    assert table.existing(waiting.merchant_id, "1").status is Status.FAILED


@pytest.mark.parametrize("approved_first", [True, False])
def test_so_it_is_with_a_top_up(
    engine: System, monkeypatch: pytest.MonkeyPatch, *, approved_first: bool
) -> None:
    wallet = ids.random("wal")
    store.commit(accounts.open_account(accounts.wallet(wallet), "GBP", "platform"))
    new = topups.NewTopup(wallet=wallet, card=CARD, amount=500, currency="GBP")
    asked = topups.new_topup(Intent(ids.random("mer"), "POST /v1/topups", "k", "f"), new, LONG_AGO)
    store.commit(topup_table.save(asked))
    kept = topup_table.kept(asked)

    def approve() -> None:
        topup_resolution.concluded(kept, Approved())

    acquirer = LateAcquirer(approve if approved_first else nothing, nothing if approved_first else approve)
    monkeypatch.setattr(topup_gateway, "connector", lambda: acquirer)
    question = topups.Resolution(topup_id=asked.id)
    if approved_first:
        with pytest.raises(topup_resolution.StillUnknown):
            topup_resolution.resolve(question)
    else:
        topup_resolution.resolve(question)
    ended, balance = topup_table.topup_and_wallet(asked.id, wallet)
    assert ended
    assert balance
    assert ended.status is (topups.Status.SUCCEEDED if approved_first else topups.Status.FAILED)
    assert balance.available == (500 if approved_first else 0)
    assert len(acquirer.voided) == (0 if approved_first else 1)
