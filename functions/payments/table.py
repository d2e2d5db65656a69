"""The payments table: one record for each order of a merchant, which is its idempotency record."""

from chassis import store
from chassis.attributes import Item
from chassis.paging import Page, listed, newest
from chassis.writes import ABSENT, Exists, Key, Write, put, replace_version
from functions.payments.model import Payment, PaymentQuery, StoredPayment

TABLE = "payments"


def _key(merchant_id: str, order_id: str) -> Key:
    return {"pk": f"{merchant_id}#{order_id}"}


def save(payment: StoredPayment) -> Write:
    """The payment in place of the version that it came from (0: none).

    Exists holds what stands there instead.
    """
    item = {
        **payment.model_dump(exclude={"version"}, exclude_defaults=True),
        **listed(payment.merchant_id, payment.created_at, payment.order_id),
    }
    key = _key(payment.merchant_id, payment.order_id)
    if payment.version == 0:
        return put(TABLE, key, item, ABSENT, refused=Exists)
    return replace_version(TABLE, key, item, payment.version, refused=Exists)


def payment(merchant_id: str, order_id: str) -> StoredPayment | None:
    """The payment as of now."""
    item = store.get(TABLE, _key(merchant_id, order_id))
    return StoredPayment.model_validate(item) if item else None


def payments_of(merchant_id: str, query: PaymentQuery) -> Page[Payment]:
    """A page of the merchant's payments."""

    def load(keys: list[Item]) -> list[Payment | None]:
        items = store.get_many((TABLE, {"pk": key["pk"]}) for key in keys)
        return [StoredPayment.model_validate(item).shown() if item else None for item in items]

    return newest(TABLE, merchant_id, query, load, query.keeps)
