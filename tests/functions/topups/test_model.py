"""A charge becomes a credit exactly once, and a refused one never does."""

from datetime import UTC, datetime, timedelta

import pytest

from acquiring.acquirer import Approved, DeclineCode, Declined
from chassis.operations import Intent
from functions.topups import model
from functions.topups.model import NewTopup, Status, StoredTopup
from ledger.posting import post
from ledger.reasons import Reason
from local.system import System

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MERCHANT = "mer_" + "a" * 24
WALLET = "wal_" + "a" * 24
CARD = "card_" + "a" * 24


@pytest.fixture
def asked(engine: System) -> StoredTopup:
    new = NewTopup(wallet=WALLET, card=CARD, amount=500, currency="GBP")
    return model.new_topup(Intent(MERCHANT, "POST /v1/topups", "k", "f"), new, AT)


def test_a_new_topup_waits_for_the_acquirer_and_for_those_who_find_out(asked: StoredTopup) -> None:
    assert (asked.status, asked.entry, asked.failure_code) == (Status.PROCESSING, None, None)
    assert datetime.fromisoformat(asked.resolve_at) > AT
    assert asked.shown().status is Status.PROCESSING


def test_the_same_request_has_the_same_id_and_attempt(asked: StoredTopup) -> None:
    new = NewTopup(wallet=WALLET, card=CARD, amount=500, currency="GBP")
    again = model.new_topup(Intent(MERCHANT, "POST /v1/topups", "k", "f"), new, AT + timedelta(hours=1))
    other = model.new_topup(Intent(MERCHANT, "POST /v1/topups", "k2", "f"), new, AT)
    assert (again.id, again.attempt_id) == (asked.id, asked.attempt_id)
    assert other.attempt_id != asked.attempt_id


def test_an_approved_charge_is_credited_from_what_the_acquirer_owes(asked: StoredTopup) -> None:
    done = model.concluded(asked, Approved(), AT)
    movement = model.credit_posting(done)
    assert done.status is Status.SUCCEEDED
    assert done.entry is not None
    assert (movement.reason, str(movement.source), str(movement.target), movement.amount) == (
        Reason.TOPUP,
        "acquirer_receivable:GBP",
        f"wallet:{WALLET}",
        500,
    )
    assert len(post(movement)) == 2


def test_a_declined_charge_fails_with_its_code(asked: StoredTopup) -> None:
    failed = model.concluded(asked, Declined(DeclineCode.LOST_CARD), AT)
    assert (failed.status, failed.failure_code, failed.entry) == (Status.FAILED, "lost_card", None)


@pytest.mark.parametrize("first", [Approved(), Declined(DeclineCode.LOST_CARD)])
@pytest.mark.parametrize("second", [Approved(), Declined(DeclineCode.LOST_CARD)])
def test_an_end_is_an_end(
    asked: StoredTopup, first: Approved | Declined, second: Approved | Declined
) -> None:
    with pytest.raises(ValueError, match="stays so"):
        model.concluded(model.concluded(asked, first, AT), second, AT)
