"""What can be done with payouts; whatever moves money ends in one commit."""

from chassis import auth, clock, store
from chassis.auth import BankAccount, Merchant, Principal
from chassis.errors import Forbidden, InsufficientFunds, NotFound, ValidationFailed
from chassis.operations import Intent, Reply
from chassis.paging import Page
from chassis.writes import Exists
from functions.payouts import gateway, model, resolution, table
from functions.payouts.records import StoredPayout
from functions.payouts.shapes import FailureCode, NewPayout, Payout, PayoutQuery, Status
from ledger.accounts import CurrencyMismatch

ACCEPTED = 202
"""The status while the bank's answer is not known."""


def pay_out(principal: Principal, intent: Intent, new: NewPayout) -> Reply[Payout]:
    """Hold the money, ask the bank, and commit its answer together with what it moves."""
    if new.source is not None and not principal.is_platform:
        raise Forbidden("only the platform may withdraw from a wallet: leave out source")
    merchant = principal.acting_merchant
    step = model.begun(model.new_payout(merchant.id, intent, new, clock.now()))
    try:
        account = _account(merchant, new)
    except ValidationFailed:
        # Whether the key has been used comes first, as with every other fault: only here it takes a read.
        known = table.payout(step.payout.id)
        if known is None:
            raise
        return _replay(known, intent)
    try:
        store.commit(table.save(step.payout), *step.money)
    except Exists as existing:
        return _replay(table.parsed(existing.item), intent)
    except InsufficientFunds:
        return _refuse(model.unfunded(step.payout), intent)
    asked = table.kept(step.payout)
    return _answer(resolution.concluded(asked, gateway.submit(asked, account)), replayed=False)


def _account(merchant: Merchant, new: NewPayout) -> BankAccount:
    """The registered bank account. Raises ValidationFailed for any other, and for one of another currency."""
    found = merchant.bank_accounts.get(new.bank_account)
    if found is None:
        # It may have been registered since the merchant was cached here.
        found = auth.as_of_now(merchant).bank_accounts.get(new.bank_account)
    if found is None:
        raise ValidationFailed.of("body", "/bank_account", "is no bank account of this merchant")
    if found.currency != new.currency:
        message = f"{new.bank_account} is an account in {found.currency}, not in {new.currency}"
        raise CurrencyMismatch.of("body", "/currency", message)
    return found


def _refuse(refused: StoredPayout, intent: Intent) -> Reply[Payout]:
    # Between the refused commit and this one a twin may have been luckier: then its outcome is ours.
    try:
        store.commit(table.save(refused))
    except Exists as existing:
        return _replay(table.parsed(existing.item), intent)
    return _answer(refused, replayed=False)


def _replay(stored: StoredPayout, intent: Intent) -> Reply[Payout]:
    intent.check(stored.fingerprint)
    return _answer(stored, replayed=True)


def _answer(payout: StoredPayout, *, replayed: bool) -> Reply[Payout]:
    """What a payout is answered with, now and whenever it is repeated.

    A bank that refuses, or returns the money later, does so to a payout that we have accepted: it is shown.
    """
    if payout.failure_code is FailureCode.INSUFFICIENT_FUNDS:
        detail = f"{payout.source} did not hold enough"
        raise InsufficientFunds(detail, instance=f"/v1/payouts/{payout.id}", replayed=replayed)
    status = ACCEPTED if payout.status is Status.PROCESSING else None
    return Reply(payout.shown(), replayed=replayed, status=status)


def list_payouts(principal: Principal, query: PayoutQuery) -> Page[Payout]:
    """The merchant's payouts, newest first."""
    return table.payouts_of(principal.acting_merchant.id, query)


def get_payout(principal: Principal, payout_id: str) -> Payout:
    """One of the merchant's payouts."""
    payout = table.payout(payout_id)
    if payout is None or payout.merchant_id != principal.acting_merchant.id:
        raise NotFound(f"there is no payout {payout_id}")
    return payout.shown()
