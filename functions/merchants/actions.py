"""What can be done with merchants, their API keys and their bank accounts."""

from collections.abc import Callable

from chassis import auth, clock, store
from chassis.auth import Principal
from chassis.errors import Conflict, NotFound
from chassis.operations import Intent, Reply
from chassis.paging import Page, PageQuery, of_few
from chassis.writes import Exists
from functions.merchants import model, table
from functions.merchants.model import (
    ApiKey,
    IssuedKey,
    Merchant,
    MerchantPatch,
    NewMerchant,
    StoredMerchant,
)
from functions.merchants.shapes import BankAccount, NewBankAccount

PATCH_TRIES = 5


def onboard(intent: Intent, new: NewMerchant) -> Reply[Merchant]:
    """Create the merchant with its first key, in one commit."""
    merchant_id = intent.id("mer")
    text, key = auth.mint(merchant_id, auth.key_id_for(merchant_id, intent.id("key")))
    at = clock.timestamp(clock.now())
    merchant = model.onboarded(merchant_id, key.id, new, intent.fingerprint, at)
    try:
        store.commit(table.create_merchant(merchant), table.create_key(merchant_id, key, at))
    except Exists as existing:
        stored = StoredMerchant.model_validate(existing.item)
        intent.check(stored.fingerprint)
        return Reply(stored.shown(IssuedKey(id=stored.first_key, key=None)), replayed=True)
    return Reply(merchant.shown(IssuedKey(id=key.id, key=text)))


def list_merchants(query: PageQuery) -> Page[Merchant]:
    """All merchants, newest first."""
    return table.merchants(query)


def get_merchant(principal: Principal, merchant_id: str) -> Merchant:
    """The merchant, to itself and to the platform."""
    return _merchant(principal, merchant_id).shown()


def update_merchant(merchant_id: str, patch: MerchantPatch) -> Merchant:
    """Apply the change to whatever the merchant is by then."""
    _, changed = _change(merchant_id, lambda stored: model.patched(stored, patch))
    return changed.shown()


def _change(
    merchant_id: str, change: Callable[[StoredMerchant], StoredMerchant]
) -> tuple[StoredMerchant, StoredMerchant]:
    """Apply the change to whatever the merchant is by then; returns it before and after."""
    for _ in range(PATCH_TRIES):
        stored = table.merchant(merchant_id)
        if stored is None:
            raise NotFound(f"there is no merchant {merchant_id}")
        changed = change(stored)
        if changed is stored:
            return stored, stored
        try:
            store.commit(table.save_merchant(changed))
        except Exists:
            continue
        return stored, changed
    raise Conflict(f"{merchant_id} is being changed by others: try again")


def add_bank_account(intent: Intent, merchant_id: str, new: NewBankAccount) -> Reply[BankAccount]:
    """Register the bank account, once for each intent."""
    account_id = intent.id("ba")
    at = clock.timestamp(clock.now())

    def added(stored: StoredMerchant) -> StoredMerchant:
        earlier = stored.bank_accounts.get(account_id)
        if earlier is None:
            return model.with_bank_account(stored, account_id, new, intent.fingerprint, at)
        intent.check(earlier.fingerprint)
        return stored

    before, after = _change(merchant_id, added)
    return Reply(
        after.bank_accounts[account_id].shown(account_id), replayed=account_id in before.bank_accounts
    )


def list_bank_accounts(principal: Principal, merchant_id: str, query: PageQuery) -> Page[BankAccount]:
    """The merchant's bank accounts, newest first."""
    stored = _merchant(principal, merchant_id)
    shown = [account.shown(account_id) for account_id, account in stored.bank_accounts.items()]
    listing = f"{merchant_id}/bank-accounts"
    return of_few(listing, shown, query, lambda account: f"{account.created_at}#{account.id}")


def create_api_key(principal: Principal, intent: Intent, merchant_id: str) -> Reply[ApiKey]:
    """Issue a key, unless two are live."""
    _merchant(principal, merchant_id)
    text, key = auth.mint(merchant_id, auth.key_id_for(merchant_id, intent.id("key")))
    at = clock.timestamp(clock.now())
    try:
        store.commit(table.create_key(merchant_id, key, at), table.count_key(merchant_id))
    except Exists as existing:
        return Reply(ApiKey.model_validate(existing.item), replayed=True)
    return Reply(ApiKey(id=key.id, key=text, status="live", created_at=at))


def list_api_keys(principal: Principal, merchant_id: str, query: PageQuery) -> Page[ApiKey]:
    """The merchant's keys, newest first."""
    _merchant(principal, merchant_id)
    return table.api_keys(merchant_id, query)


def revoke_api_key(principal: Principal, merchant_id: str, key_id: str) -> Reply[ApiKey]:
    """Revoke the key; idempotent by state."""
    _merchant(principal, merchant_id)
    try:
        store.commit(*table.revoke_key(merchant_id, key_id, clock.timestamp(clock.now())))
    except Exists as existing:
        return Reply(ApiKey.model_validate(existing.item), replayed=True)
    revoked = table.api_key(merchant_id, key_id)
    if revoked is None:
        raise NotFound(f"there is no key {key_id}")
    return Reply(revoked)


def _merchant(principal: Principal, merchant_id: str) -> StoredMerchant:
    stored = table.merchant(merchant_id) if principal.owns(merchant_id) else None
    if stored is None:
        raise NotFound(f"there is no merchant {merchant_id}")
    return stored
