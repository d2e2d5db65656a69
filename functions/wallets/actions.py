"""What can be done with wallets; each verb that moves money ends in one commit."""

from collections.abc import Callable

from chassis import clock, store
from chassis.auth import Principal
from chassis.errors import Conflict, InsufficientFunds, NotFound, ValidationFailed
from chassis.operations import Intent, Reply
from chassis.paging import Page, PageQuery
from chassis.writes import Exists, Write
from functions.wallets import model, table
from functions.wallets.model import (
    Deposit,
    NewDeposit,
    NewTransfer,
    NewWallet,
    StoredTransfer,
    StoredWallet,
    Transfer,
    Wallet,
    WalletQuery,
)
from ledger import accounts, journal
from ledger.accounts import Account, Already, Balance
from ledger.journal import JournalEntry
from ledger.posting import post


def open_wallet(principal: Principal, intent: Intent, new: NewWallet) -> Reply[Wallet]:
    """Open a wallet: its record and its account, in one commit."""
    wallet = StoredWallet(
        id=intent.id("wal"),
        owner=new.owner,
        created_at=clock.timestamp(clock.now()),
        fingerprint=intent.fingerprint,
    )
    account = accounts.wallet(wallet.id)
    try:
        store.commit(
            table.create_wallet(wallet, principal.id),
            accounts.open_account(account, new.currency, principal.id),
        )
    except Exists as existing:
        intent.check(StoredWallet.model_validate(existing.item).fingerprint)
        return Reply(get_wallet(principal, wallet.id), replayed=True)
    return Reply(wallet.shown(accounts.unused(new.currency, principal.id)))


def list_wallets(principal: Principal, query: WalletQuery) -> Page[Wallet]:
    """The wallets that the caller opened, newest first."""
    return table.wallets_of(principal.id, query)


def get_wallet(principal: Principal, wallet_id: str) -> Wallet:
    """The wallet, to who opened it and to the platform."""
    wallet, balance = _wallet(principal, wallet_id)
    return wallet.shown(balance)


def statement(principal: Principal, wallet_id: str, query: PageQuery) -> Page[JournalEntry]:
    """The wallet's entries, newest first."""
    _wallet(principal, wallet_id)
    return journal.statement(accounts.wallet(wallet_id), query)


def freeze(principal: Principal, wallet_id: str) -> Reply[Wallet]:
    """Refuse new debits and holds."""
    return _change(principal, wallet_id, accounts.freeze)


def unfreeze(principal: Principal, wallet_id: str) -> Reply[Wallet]:
    """Take debits and holds again."""
    return _change(principal, wallet_id, accounts.unfreeze)


def close(principal: Principal, wallet_id: str) -> Reply[Wallet]:
    """Refuse every new operation, for ever."""
    return _change(principal, wallet_id, accounts.close)


def _change(
    principal: Principal, wallet_id: str, change: Callable[[Account, str | None], Write]
) -> Reply[Wallet]:
    try:
        store.commit(change(accounts.wallet(wallet_id), principal.only_holder))
    except Already:
        return Reply(get_wallet(principal, wallet_id), replayed=True)
    return Reply(get_wallet(principal, wallet_id))


def deposit(wallet_id: str, new: NewDeposit) -> Reply[Deposit]:
    """Credit the wallet, once for each reference."""
    made, movement = model.deposit_of(wallet_id, new, clock.timestamp(clock.now()))
    try:
        store.commit(table.create_deposit(made), *post(movement))
    except Exists as existing:
        stored = Deposit.model_validate(existing.item)
        if not model.same_deposit(stored, new):
            raise Conflict("this reference was used before, for another amount or currency") from None
        return Reply(stored, replayed=True)
    return Reply(made)


def transfer(principal: Principal, intent: Intent, new: NewTransfer) -> Reply[Transfer]:
    """Move the money, or store that it was not there: a retry of the same key is refused again."""
    if new.from_wallet == new.to_wallet:
        raise ValidationFailed.of("body", "/to_wallet", "must be another wallet than from_wallet")
    at = clock.timestamp(clock.now())
    made, movement = model.transfer_of(intent.id("trf"), intent, new, principal.only_holder, at)
    try:
        store.commit(table.create_transfer(made), *post(movement))
    except Exists as existing:
        return _replay(intent, StoredTransfer.model_validate(existing.item))
    except InsufficientFunds as refusal:
        return _refuse(intent, model.refused(made, refusal.code))
    return Reply(made.shown())


def _refuse(intent: Intent, refused: StoredTransfer) -> Reply[Transfer]:
    # Between the refused commit and this one a twin may have been luckier: then its outcome is ours.
    try:
        store.commit(table.create_transfer(refused))
    except Exists as existing:
        return _replay(intent, StoredTransfer.model_validate(existing.item))
    raise _insufficient(refused, replayed=False)


def _replay(intent: Intent, stored: StoredTransfer) -> Reply[Transfer]:
    intent.check(stored.fingerprint)
    if stored.status == "failed":
        raise _insufficient(stored, replayed=True)
    return Reply(stored.shown(), replayed=True)


def _insufficient(stored: StoredTransfer, *, replayed: bool) -> InsufficientFunds:
    return InsufficientFunds(
        f"{stored.from_wallet} did not hold enough", instance=f"/v1/transfers/{stored.id}", replayed=replayed
    )


def list_transfers(principal: Principal, query: PageQuery) -> Page[Transfer]:
    """The transfers that the caller made, newest first."""
    return table.transfers_of(principal.id, query)


def get_transfer(principal: Principal, transfer_id: str) -> Transfer:
    """The transfer, to who made it and to the platform."""
    stored = table.transfer(transfer_id)
    if stored is None or not principal.owns(stored.principal):
        raise NotFound(f"there is no transfer {transfer_id}")
    return stored.shown()


def _wallet(principal: Principal, wallet_id: str) -> tuple[StoredWallet, Balance]:
    (found,) = table.wallets([wallet_id])
    if found is None or not principal.owns(found[1].holder):
        raise NotFound(f"there is no wallet {wallet_id}")
    return found
