"""The rules by which wallets, deposits and transfers are made, without any storage."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chassis.operations import Intent
from functions.wallets import model
from functions.wallets.model import NewDeposit, NewTransfer, StoredTransfer, StoredWallet, Wallet, WalletQuery
from ledger.accounts import Balance
from ledger.posting import Posting, post
from ledger.reasons import Reason

ONE, OTHER = "wal_" + "a" * 24, "wal_" + "b" * 24
AT = "2026-11-23T09:30:00.000000Z"
INTENT = Intent(principal="mer_" + "a" * 24, operation="POST /v1/transfers", key="key", fingerprint="this")


def deposit(**changes: Any) -> NewDeposit:
    return NewDeposit.model_validate({"amount": 1000, "currency": "GBP", "reference": "line 1", **changes})


def transfer(only_holder: str | None = None) -> tuple[StoredTransfer, Posting]:
    new = NewTransfer(from_wallet=ONE, to_wallet=OTHER, amount=1000, currency="GBP")
    return model.transfer_of("trf_" + "a" * 24, INTENT, new, only_holder, AT)


def wallet(owner: str = "customer", status: str = "active") -> Wallet:
    record = StoredWallet(id=ONE, owner=owner, created_at=AT, fingerprint="this")
    balance = {"currency": "GBP", "status": status, "holder": "platform", "available": 7, "held": 3}
    return record.shown(Balance.model_validate(balance))


def test_wallet_and_reference_alone_name_a_deposit() -> None:
    first, _ = model.deposit_of(ONE, deposit(), AT)
    same, _ = model.deposit_of(ONE, deposit(amount=1, currency="USD"), "later")
    elsewhere, _ = model.deposit_of(OTHER, deposit(), AT)
    otherwise, _ = model.deposit_of(ONE, deposit(reference="line 2"), AT)
    assert first.id == same.id
    assert len({first.id, elsewhere.id, otherwise.id}) == 3


@given(st.text(max_size=20), st.text(max_size=20))
def test_two_references_never_name_one_deposit(one: str, other: str) -> None:
    new = [NewDeposit.model_construct(amount=1, currency="GBP", reference=text) for text in (one, other)]
    ids = {model.deposit_of(ONE, each, AT)[0].id for each in new}
    assert len(ids) == len({one, other})


@pytest.mark.parametrize(
    ("changes", "same"),
    [({}, True), ({"amount": 1001}, False), ({"currency": "USD"}, False), ({"amount": 1}, False)],
)
def test_a_repeated_deposit_asks_for_the_same_money(changes: dict[str, Any], same: bool) -> None:
    stored, _ = model.deposit_of(ONE, deposit(), AT)
    assert model.same_deposit(stored, deposit(**changes)) is same


def test_a_deposit_moves_money_from_the_bank_and_names_its_entry() -> None:
    made, movement = model.deposit_of(ONE, deposit(), AT)
    assert (str(movement.source), str(movement.target)) == ("bank:GBP", f"wallet:{ONE}")
    assert (movement.reason, movement.reference, movement.holder) == (Reason.DEPOSIT, "line 1", None)
    assert made.entry.startswith("ent_")


def test_a_transfer_has_an_entry_in_each_statement_and_the_holder_of_its_caller() -> None:
    made, movement = transfer(only_holder=INTENT.principal)
    assert len(set(made.entries)) == 2
    assert (movement.holder, movement.reference) == (INTENT.principal, made.id)
    credit, debit, *entries = post(movement)
    assert (debit.add["available"], credit.add["available"]) == (-1000, 1000)
    assert {entry.key["pk"] for entry in entries} == {f"wallet:{ONE}", f"wallet:{OTHER}"}


def test_a_refused_transfer_keeps_what_was_asked_and_has_no_entries() -> None:
    made, _ = transfer()
    failed = model.refused(made, "insufficient_funds")
    assert (failed.status, failed.failure_code, failed.entries) == ("failed", "insufficient_funds", [])
    assert (failed.id, failed.amount, failed.fingerprint) == (made.id, made.amount, made.fingerprint)


def test_what_is_shown_of_a_transfer_has_neither_principal_nor_fingerprint() -> None:
    shown = transfer()[0].shown().model_dump()
    assert not {"principal", "fingerprint"} & shown.keys()


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ({}, True),
        ({"owner": "customer"}, True),
        ({"owner": "custom"}, False),
        ({"status": "active"}, True),
        ({"status": "frozen"}, False),
        ({"owner": "customer", "status": "closed"}, False),
    ],
)
def test_a_list_of_wallets_is_filtered_by_owner_and_status(query: dict[str, Any], kept: bool) -> None:
    assert WalletQuery.model_validate(query).keeps(wallet()) is kept


def test_a_wallet_shows_the_balance_that_the_ledger_tells() -> None:
    assert (wallet().available, wallet().held, wallet(status="frozen").status) == (7, 3, "frozen")


@pytest.mark.parametrize("value", [1.0, True, "1", None])
def test_an_amount_is_an_integer_and_nothing_that_could_become_one(value: object) -> None:
    with pytest.raises(ValidationError):
        deposit(amount=value)
