"""The payments table: which keys a payment writes, and what stands in the way of a write."""

import uuid
from datetime import UTC, datetime

import pytest

from chassis import store
from chassis.auth import FeePlan, Merchant
from chassis.operations import Intent
from chassis.paging import SHARDS
from chassis.writes import Exists, Write
from functions.payments import model, postings, table
from functions.payments.records import StoredPayment
from functions.payments.shapes import NewPayment, WalletSource
from ledger.posting import post

MERCHANT = "mer_" + "a" * 24
AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def payment(order_id: str, wallet: str = "a", merchant_id: str = MERCHANT) -> StoredPayment:
    merchant = Merchant(
        id=merchant_id,
        status="active",
        cut_off="00:00",
        settlement_delay_days=2,
        fees={"GBP": FeePlan(basis_points=0, fixed=0)},
    )
    order = NewPayment(amount=1, currency="GBP", source=WalletSource(wallet="wal_" + wallet * 24))
    intent = Intent(principal=merchant.id, operation="POST", key=None, fingerprint="this")
    return model.succeeded(model.attempt(None, merchant, order_id, order, intent=intent, at=AT), AT)


def writes(order_id: str, wallet: str) -> list[Write]:
    made = payment(order_id, wallet)
    return [table.save(made), *post(postings.capture_posting(made))]


def keys(order_id: str, wallet: str) -> set[tuple[str, ...]]:
    return {(write.table, *write.key.values()) for write in writes(order_id, wallet)}


def test_payments_from_two_wallets_to_one_merchant_write_disjoint_keys() -> None:
    one, other = keys("1", "a"), keys("2", "b")
    assert len(one) == len(other) == 3
    assert one.isdisjoint(other)


def test_nothing_that_a_payment_writes_is_named_after_the_merchant_alone() -> None:
    assert [write.table for write in writes("1", "a")] == ["payments", "ledger", "ledger"]
    assert all(not str(write.key["pk"]).startswith("merchant_pending") for write in writes("1", "a"))


def test_the_payments_of_one_merchant_are_listed_under_several_index_partitions() -> None:
    items = [table.save(payment(str(number))).item for number in range(200)]
    assert len({item["list_pk"] for item in items if item}) == SHARDS


def test_payments_of_two_merchants_with_one_order_id_are_two_records() -> None:
    assert table.save(payment("1")).key != table.save(payment("1", merchant_id="mer_" + "b" * 24)).key


@pytest.mark.usefixtures("engine")
def test_a_payment_is_saved_once_for_each_version_it_came_from() -> None:
    fresh = payment(str(uuid.uuid4()))
    store.commit(table.save(fresh))
    saved = table.payment(MERCHANT, fresh.order_id)
    assert saved == fresh.model_copy(update={"version": 1})

    with pytest.raises(Exists) as existing:
        store.commit(table.save(fresh))
    assert StoredPayment.model_validate(existing.value.item) == saved

    store.commit(table.save(saved))
    with pytest.raises(Exists):
        store.commit(table.save(saved))


@pytest.mark.usefixtures("engine")
def test_a_payment_that_was_never_made_is_not_found() -> None:
    assert table.payment(MERCHANT, str(uuid.uuid4())) is None
