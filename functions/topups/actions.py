"""What can be done with top-ups; the one that moves money ends in one commit."""

from acquiring.acquirer import CardDeclined, DeclineCode
from chassis import clock, store
from chassis.auth import Principal
from chassis.errors import NotFound
from chassis.operations import Intent, Reply
from chassis.paging import Page
from chassis.writes import Exists
from functions.topups import gateway, model, resolution, table
from functions.topups.model import NewTopup, Status, StoredTopup, Topup, TopupQuery
from ledger import accounts, balances

ACCEPTED = 202
"""The status while the acquirer's answer is not known."""


def top_up(principal: Principal, intent: Intent, new: NewTopup) -> Reply[Topup]:
    """Store the top-up, ask the acquirer, and commit its answer together with the credit."""
    topup = model.new_topup(intent, new, clock.now())
    earlier, balance = table.topup_and_wallet(topup.id, new.wallet)
    if earlier is not None:
        return _replay(earlier, intent)
    # Refused before anything is charged; once it is charged, the credit posts whatever became of the wallet.
    account = accounts.wallet(new.wallet)
    balances.require_creditable(account, balance, new.amount, new.currency, principal.only_holder)
    card = gateway.card_of(topup.merchant_id, new.card)
    try:
        store.commit(table.save(topup))
    except Exists as existing:
        return _replay(table.parsed(existing.item), intent)
    asked = table.kept(topup)
    return _answer(resolution.concluded(asked, gateway.charge(asked, card)), replayed=False)


def _replay(stored: StoredTopup, intent: Intent) -> Reply[Topup]:
    intent.check(stored.fingerprint)
    return _answer(stored, replayed=True)


def _answer(topup: StoredTopup, *, replayed: bool) -> Reply[Topup]:
    """What a top-up is answered with, now and whenever it is repeated."""
    if topup.status is Status.FAILED:
        code = DeclineCode(topup.failure_code or "")
        raise CardDeclined(code, instance=f"/v1/topups/{topup.id}", replayed=replayed)
    status = ACCEPTED if topup.status is Status.PROCESSING else None
    return Reply(topup.shown(), replayed=replayed, status=status)


def list_topups(principal: Principal, query: TopupQuery) -> Page[Topup]:
    """The merchant's top-ups, newest first."""
    return table.topups_of(principal.acting_merchant.id, query)


def get_topup(principal: Principal, topup_id: str) -> Topup:
    """One of the merchant's top-ups."""
    topup = table.topup(topup_id)
    if topup is None or topup.merchant_id != principal.acting_merchant.id:
        raise NotFound(f"there is no top-up {topup_id}")
    return topup.shown()
