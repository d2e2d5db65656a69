"""The routes and event handlers of wallets: open, freeze, close, deposit, transfer, statement."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from chassis import ids
from chassis.auth import Access, Principal
from chassis.errors import Conflict, InsufficientFunds, NotFound
from chassis.events import Message
from chassis.operations import Intent, KeyRule, Reply
from chassis.paging import Page, PageQuery
from chassis.service import Service
from chassis.sources import Change
from functions.wallets import actions, publication, table
from functions.wallets.model import (
    Deposit,
    NewDeposit,
    NewTransfer,
    NewWallet,
    Transfer,
    Wallet,
    WalletQuery,
)
from ledger import accounts
from ledger.accounts import AccountClosed, AccountFrozen, AccountNotEmpty, BalanceLimit, CurrencyMismatch
from ledger.journal import JournalEntry

service = Service("wallets", "E-wallets: balances, deposits, transfers, statements.")
app = service.app

WalletId = Annotated[str, Field(pattern=ids.pattern("wal"))]
TransferId = Annotated[str, Field(pattern=ids.pattern("trf"))]

service.event("wallet.opened", Wallet, "There is a new wallet.")
service.event("wallet.frozen", Wallet, "Nothing can be spent from it for now.")
service.event("wallet.unfrozen", Wallet, "It can be spent from again.")
service.event("wallet.closed", Wallet, "It takes part in nothing new, for ever.")
service.event("deposit.completed", Deposit, "Money that arrived outside is in a wallet that you opened.")
service.event("transfer.completed", Transfer, "A transfer that you made has moved its money.")
service.event("transfer.failed", Transfer, "A transfer that you asked for was refused: it has moved nothing.")


@service.operation("POST /v1/wallets", status=201, key=KeyRule.REQUIRED)
def open_wallet(principal: Principal, intent: Intent, body: NewWallet) -> Reply[Wallet]:
    """Open an e-wallet for a customer."""
    return actions.open_wallet(principal, intent, body)


@service.operation("GET /v1/wallets")
def list_wallets(principal: Principal, query: WalletQuery) -> Page[Wallet]:
    """List the wallets that the caller opened."""
    return actions.list_wallets(principal, query)


@service.operation("GET /v1/wallets/{wallet_id}")
def get_wallet(principal: Principal, wallet_id: WalletId) -> Wallet:
    """Show a wallet and its balance."""
    return actions.get_wallet(principal, wallet_id)


@service.operation("GET /v1/wallets/{wallet_id}/entries")
def list_wallet_entries(principal: Principal, wallet_id: WalletId, query: PageQuery) -> Page[JournalEntry]:
    """Show a wallet's statement: every movement of its money."""
    return actions.statement(principal, wallet_id, query)


@service.operation(
    "POST /v1/wallets/{wallet_id}/deposits",
    access=Access.PLATFORM,
    status=201,
    refusals=(AccountClosed, BalanceLimit, CurrencyMismatch, Conflict),
)
def deposit(wallet_id: WalletId, body: NewDeposit) -> Reply[Deposit]:
    """Credit a wallet with money that arrived outside.

    The reference names the deposit within its wallet: repeating it credits nothing more, and another
    amount under the same reference is refused.
    """
    return actions.deposit(wallet_id, body)


@service.operation("POST /v1/wallets/{wallet_id}/freeze", refusals=(AccountClosed,))
def freeze_wallet(principal: Principal, wallet_id: WalletId) -> Reply[Wallet]:
    """Freeze a wallet.

    It takes no new debits and holds. What was authorized before can still be captured, and money can
    arrive. Repeating it changes nothing.
    """
    return actions.freeze(principal, wallet_id)


@service.operation("POST /v1/wallets/{wallet_id}/unfreeze", refusals=(AccountClosed,))
def unfreeze_wallet(principal: Principal, wallet_id: WalletId) -> Reply[Wallet]:
    """Unfreeze a wallet.

    Repeating it changes nothing.
    """
    return actions.unfreeze(principal, wallet_id)


@service.operation("POST /v1/wallets/{wallet_id}/close", refusals=(AccountNotEmpty,))
def close_wallet(principal: Principal, wallet_id: WalletId) -> Reply[Wallet]:
    """Close a wallet with nothing on it, for ever.

    Refunds of what it paid earlier still arrive. Repeating it changes nothing.
    """
    return actions.close(principal, wallet_id)


@service.operation(
    "POST /v1/transfers",
    status=201,
    key=KeyRule.REQUIRED,
    refusals=(InsufficientFunds, NotFound, AccountFrozen, AccountClosed, BalanceLimit, CurrencyMismatch),
)
def create_transfer(principal: Principal, intent: Intent, body: NewTransfer) -> Reply[Transfer]:
    """Move money between two wallets.

    A merchant may move it only between wallets that it opened.
    """
    return actions.transfer(principal, intent, body)


@service.operation("GET /v1/transfers")
def list_transfers(principal: Principal, query: PageQuery) -> Page[Transfer]:
    """List the transfers that the caller made."""
    return actions.list_transfers(principal, query)


@service.operation("GET /v1/transfers/{transfer_id}")
def get_transfer(principal: Principal, transfer_id: TransferId) -> Transfer:
    """Show a transfer."""
    return actions.get_transfer(principal, transfer_id)


@service.stream("publish", table=table.TABLE)
def publish(changes: Sequence[Change]) -> list[Message]:
    """Tell of wallets that were opened, of deposits and of transfers."""
    return publication.messages(changes)


# Of all that moves money, what changes a status is next to nothing: it is looked for in much at once.
@service.stream("publish_status", table=accounts.TABLE, batch_size=1000, window_seconds=1)
def publish_status(changes: Sequence[Change]) -> list[Message]:
    """Tell of wallets that were frozen, unfrozen and closed."""
    return publication.status_messages(changes)


@service.schedule("republish", every_minutes=24 * 60)
def republish() -> int:
    """Tell once more what was told of late, should any of it have been lost."""
    return publication.repeat()
