"""The routes of merchants: onboarding, fee plan, suspension, API keys, bank accounts."""

from typing import Annotated

from pydantic import Field

from chassis import ids
from chassis.auth import Access, Principal
from chassis.errors import Conflict, IdempotencyMismatch
from chassis.operations import Intent, KeyRule, Reply
from chassis.paging import Page, PageQuery
from chassis.service import Service
from functions.merchants import actions
from functions.merchants.model import ApiKey, Merchant, MerchantPatch, NewMerchant
from functions.merchants.shapes import BankAccount, NewBankAccount

service = Service("merchants", "Onboarding, fee plans, API keys, bank accounts.")
app = service.app

MerchantId = Annotated[str, Field(pattern=ids.pattern("mer"))]
KeyId = Annotated[str, Field(pattern="^key_[a-z2-7]{32}$")]


@service.operation("POST /v1/merchants", access=Access.PLATFORM, status=201, key=KeyRule.REQUIRED)
def create_merchant(principal: Principal, intent: Intent, body: NewMerchant) -> Reply[Merchant]:
    """Onboard a merchant.

    The answer holds its first API key, shown this once: a repeated request does not show it again.
    """
    return actions.onboard(intent, body)


@service.operation("GET /v1/merchants", access=Access.PLATFORM)
def list_merchants(query: PageQuery) -> Page[Merchant]:
    """List merchants."""
    return actions.list_merchants(query)


@service.operation("GET /v1/merchants/{merchant_id}")
def get_merchant(principal: Principal, merchant_id: MerchantId) -> Merchant:
    """Show a merchant."""
    return actions.get_merchant(principal, merchant_id)


@service.operation("PATCH /v1/merchants/{merchant_id}", access=Access.PLATFORM)
def update_merchant(merchant_id: MerchantId, body: MerchantPatch) -> Merchant:
    """Change a merchant's name, fees, settlement delay or cut-off, or suspend it.

    Every process knows of it within 30 seconds. New fees apply to payments from then on.
    """
    return actions.update_merchant(merchant_id, body)


@service.operation(
    "POST /v1/merchants/{merchant_id}/api-keys",
    status=201,
    key=KeyRule.REQUIRED,
    refusals=(Conflict, IdempotencyMismatch),
)
def create_api_key(principal: Principal, intent: Intent, merchant_id: MerchantId) -> Reply[ApiKey]:
    """Issue an API key.

    A merchant has at most two live keys, so that one can be rolled while the other works. The key is
    shown this once.
    """
    return actions.create_api_key(principal, intent, merchant_id)


@service.operation("GET /v1/merchants/{merchant_id}/api-keys")
def list_api_keys(principal: Principal, merchant_id: MerchantId, query: PageQuery) -> Page[ApiKey]:
    """List a merchant's API keys, revoked ones included."""
    return actions.list_api_keys(principal, merchant_id, query)


@service.operation("DELETE /v1/merchants/{merchant_id}/api-keys/{key_id}")
def revoke_api_key(principal: Principal, merchant_id: MerchantId, key_id: KeyId) -> Reply[ApiKey]:
    """Revoke an API key.

    Every process refuses it within 30 seconds. Revoking it again changes nothing.
    """
    return actions.revoke_api_key(principal, merchant_id, key_id)


@service.operation(
    "POST /v1/merchants/{merchant_id}/bank-accounts",
    access=Access.PLATFORM,
    status=201,
    key=KeyRule.REQUIRED,
    refusals=(Conflict, IdempotencyMismatch),
)
def create_bank_account(intent: Intent, merchant_id: MerchantId, body: NewBankAccount) -> Reply[BankAccount]:
    """Register a bank account that the merchant may be paid out to.

    Only the platform does, so that a merchant's key that got into wrong hands cannot choose where money goes.
    A merchant has at most ten. The whole IBAN is never shown again.
    """
    return actions.add_bank_account(intent, merchant_id, body)


@service.operation("GET /v1/merchants/{merchant_id}/bank-accounts", access=Access.PLATFORM)
def list_bank_accounts(principal: Principal, merchant_id: MerchantId, query: PageQuery) -> Page[BankAccount]:
    """List a merchant's bank accounts."""
    return actions.list_bank_accounts(principal, merchant_id, query)
