"""What can be done with refunds: captured money goes back to who paid it, in one commit."""

from datetime import datetime

from chassis import clock, paging, store
from chassis.auth import Principal
from chassis.errors import Conflict, InProgress, NotFound
from chassis.operations import Intent, Reply
from chassis.paging import Page, PageQuery
from chassis.writes import Exists
from functions.payments import model, pending, postings, resolution, table
from functions.payments.records import StoredPayment, StoredRefund
from functions.payments.shapes import NewRefund, Refund
from ledger.posting import post

RACES = 20
"""How often other requests for the same order may be faster before this one gives up."""
ACCEPTED = 202
"""The status while the acquirer's answer is not known."""


def refund(principal: Principal, intent: Intent, order_id: str, asked: NewRefund) -> Reply[Refund]:
    """Give captured money back to who paid it, whatever became of the wallet since."""
    merchant_id = principal.acting_merchant.id
    at = clock.now()
    refund_id = intent.id("ref")
    stored = table.existing(merchant_id, order_id)
    for _ in range(RACES):
        try:
            made = model.new_refund(stored, refund_id, asked, intent.fingerprint, at)
            return _refund(stored, made, at)
        except table.Repeated as existing:
            return _replay_refund(StoredRefund.model_validate(existing.item), intent)
        except Exists as existing:
            stored = table.parsed(existing.item)
        except Conflict:
            # What is left may be less because this very request was here before.
            earlier = table.refund(merchant_id, order_id, refund_id)
            if earlier is None:
                raise
            return _replay_refund(earlier, intent)
    raise InProgress(f"order {order_id} is being changed by other requests")


def _refund(stored: StoredPayment, made: StoredRefund, at: datetime) -> Reply[Refund]:
    """Commit the refund. Raises Repeated when it was made before, Exists when the payment has changed."""
    merchant_id = stored.merchant_id
    stored = model.counting(stored)
    if postings.is_by_wallet(stored):
        refunded, done = model.refunded(stored, made, at)
        movement = post(postings.refund_posting(stored, done))
        store.commit(table.create_refund(merchant_id, done), table.save(refunded), *movement)
        return Reply(done.shown())
    asked = pending.to_refund(stored, made, at)
    store.commit(table.create_refund(merchant_id, made), table.save(asked))
    resolution.asked(table.kept(asked))
    ended = table.refund(merchant_id, stored.order_id, made.id) or made
    return Reply(ended.shown(), status=ACCEPTED if ended.status == "pending" else None)


def _replay_refund(stored: StoredRefund, intent: Intent) -> Reply[Refund]:
    intent.check(stored.fingerprint)
    status = ACCEPTED if stored.status == "pending" else None
    return Reply(stored.shown(), replayed=True, status=status)


def list_refunds(principal: Principal, order_id: str, query: PageQuery) -> Page[Refund]:
    """The refunds of a payment, newest first."""
    merchant_id = principal.acting_merchant.id
    table.existing(merchant_id, order_id)
    refunds = (refund.shown() for refund in table.refunds(merchant_id, order_id, limit=model.MAX_REFUNDS))
    listing = f"{merchant_id}/{order_id}/refunds"
    return paging.of_few(listing, refunds, query, key=lambda refund: f"{refund.created_at}#{refund.id}")


def get_refund(principal: Principal, order_id: str, refund_id: str) -> Refund:
    """One refund of a payment."""
    stored = table.refund(principal.acting_merchant.id, order_id, refund_id)
    if stored is None:
        raise NotFound(f"order {order_id} has no refund {refund_id}")
    return stored.shown()
