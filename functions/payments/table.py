"""The payments table: an order's payment and refunds in one partition, each its own idempotency record."""

from collections.abc import Iterator
from datetime import datetime

from chassis import clock, paging, store
from chassis.attributes import Item
from chassis.errors import NotFound
from chassis.paging import Page, listed, newest
from chassis.writes import ABSENT, Exists, Key, Write, put, replace_version
from functions.payments.records import StoredPayment, StoredRefund, implied_status_version
from functions.payments.shapes import Payment, PaymentQuery, Status

TABLE = "payments"
_PAYMENT = "PAYMENT"
_REFUND = "REFUND#"
_REFUNDS = (_REFUND, "REFUND$")
"""`$` follows `#`."""
DUE_SHARDS = 8
DUE_LIMIT = 100
"""Of one shard, in one run."""


class Repeated(Exists):
    """The refund that an operation would create is there already."""


def _partition(merchant_id: str, order_id: str) -> str:
    return f"{merchant_id}#{order_id}"


def _key(merchant_id: str, order_id: str) -> Key:
    return {"pk": _partition(merchant_id, order_id), "sk": _PAYMENT}


def save(payment: StoredPayment) -> Write:
    """The payment in place of the version that it came from (0: none).

    Exists holds what stands there instead.
    """
    implied = {"version"}
    if payment.status_version == implied_status_version(payment.pending, payment.version + 1):
        implied.add("status_version")
    item = {
        **payment.model_dump(exclude=implied, exclude_defaults=True),
        **listed(payment.merchant_id, payment.created_at, payment.order_id),
        **_due(payment),
    }
    key = _key(payment.merchant_id, payment.order_id)
    if payment.version == 0:
        return put(TABLE, key, item, ABSENT, refused=Exists)
    return replace_version(TABLE, key, item, payment.version, refused=Exists)


def _due(payment: StoredPayment) -> Item:
    """The keys of the sparse index `due`: of authorized payments that nothing else is happening to."""
    if payment.status is not Status.AUTHORIZED or payment.expires_at is None or payment.pending:
        return {}
    shard = paging.shard_of(payment.order_id, DUE_SHARDS)
    return {"due_pk": f"expiry#{shard}", "due_sk": f"{payment.expires_at}#{payment.order_id}"}


def create_refund(merchant_id: str, refund: StoredRefund) -> Write:
    """The refund's record, which is its idempotency record."""
    return put(TABLE, _refund_key(merchant_id, refund), _refund_item(refund), ABSENT, refused=Repeated)


def kept(payment: StoredPayment) -> StoredPayment:
    """The payment at the version that its save left."""
    return payment.model_copy(update={"version": payment.version + 1})


def end_refund(merchant_id: str, refund: StoredRefund) -> Write:
    """The refund in the place of its pending self."""
    key = _refund_key(merchant_id, refund)
    return replace_version(TABLE, key, _refund_item(refund), refund.version, refused=Exists)


def _refund_key(merchant_id: str, refund: StoredRefund) -> Key:
    return {"pk": _partition(merchant_id, refund.order_id), "sk": _REFUND + refund.id}


def _refund_item(refund: StoredRefund) -> Item:
    return refund.model_dump(exclude={"version"}, exclude_none=True)


def parsed(item: Item) -> StoredPayment:
    """The payment that an item of its partition's head says."""
    return StoredPayment.model_validate(item)


def key_of(item: Item) -> Key:
    """Where an item of this table stands."""
    return {"pk": str(item["pk"]), "sk": str(item["sk"])}


def merchant_of(item: Item) -> str:
    """Whose payment, or whose payment's refund, an item is."""
    return str(item["pk"]).partition("#")[0]


def everything() -> Iterator[Item]:
    """Every payment and refund, by a scan."""
    return store.scan(TABLE)


def is_payment(item: Item) -> bool:
    """Whether an item is a payment, and not a refund."""
    return bool(item["sk"] == _PAYMENT)


def payment(merchant_id: str, order_id: str) -> StoredPayment | None:
    """The payment as of now."""
    item = store.get(TABLE, _key(merchant_id, order_id))
    return StoredPayment.model_validate(item) if item else None


def existing(merchant_id: str, order_id: str) -> StoredPayment:
    """The payment as of now. Raises NotFound when the order has none."""
    found = payment(merchant_id, order_id)
    if found is None:
        raise NotFound(f"order {order_id} has no payment")
    return found


def refund(merchant_id: str, order_id: str, refund_id: str) -> StoredRefund | None:
    """The refund as of now."""
    item = store.get(TABLE, {"pk": _partition(merchant_id, order_id), "sk": _REFUND + refund_id})
    return StoredRefund.model_validate(item) if item else None


def refunds(merchant_id: str, order_id: str, limit: int) -> list[StoredRefund]:
    """All refunds of a payment, in no order; there are at most `limit`."""
    items = store.query(TABLE, ("pk", _partition(merchant_id, order_id)), ("sk", *_REFUNDS), limit=limit)
    return [StoredRefund.model_validate(item) for item in items]


def payments_of(merchant_id: str, query: PaymentQuery) -> Page[Payment]:
    """A page of the merchant's payments."""

    def load(keys: list[Item]) -> list[Payment | None]:
        return [found.shown() if found else None for found in _load(keys)]

    return newest(TABLE, merchant_id, query, load, query.keeps)


def due(at: datetime) -> list[StoredPayment]:
    """Authorized payments that expired by then; the oldest come first."""
    keys = [
        item
        for shard in range(DUE_SHARDS)
        for item in store.query(
            TABLE,
            ("due_pk", f"expiry#{shard}"),
            ("due_sk", "0", clock.timestamp(at)),
            limit=DUE_LIMIT,
            index="due",
            oldest_first=True,
        )
    ]
    return [found for found in _load(keys) if found]


def _load(keys: list[Item]) -> list[StoredPayment | None]:
    items = store.get_many((TABLE, {"pk": key["pk"], "sk": key["sk"]}) for key in keys)
    return [StoredPayment.model_validate(item) if item else None for item in items]
