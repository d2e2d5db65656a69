"""What changes of wallets tell others: events with an id that is the same at each telling."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from chassis import clock, events
from chassis.attributes import Item
from chassis.events import Event, Message
from chassis.sources import Change, each
from functions.wallets import table
from functions.wallets.model import Deposit, StoredTransfer, StoredWallet, Transfer
from ledger import accounts
from ledger.accounts import Balance
from ledger.reasons import Kind

READ_AT_ONCE = 100
_ENTERED = {"active": "wallet.unfrozen", "frozen": "wallet.frozen", "closed": "wallet.closed"}

Balances = Mapping[str, Balance | None]
"""Wallet -> its balance, which alone says who opened it."""


def messages(changes: Sequence[Change]) -> list[Message]:
    """What new wallets, deposits and transfers have to tell, which never change."""
    balances = _balances(change.entered for change in changes)
    return each(changes, lambda change: _messages_of(change.entered, balances))


def status_messages(changes: Sequence[Change]) -> list[Message]:
    """What the ledger's changes tell of wallets: nearly all of them are none of a wallet's status."""
    moved = [(change, wallet) for change in changes if change.old and (wallet := _wallet_of(change.entered))]
    wallets = table.records(wallet for _, wallet in moved) if moved else {}
    return each((change for change, _ in moved), lambda change: _messages_of_status(change.entered, wallets))


def repeat() -> int:
    """Send what was opened, deposited and transferred of late as if it just had been; returns how many.

    How a wallet's status changed is not told again: a balance forgets the version that it came with.
    """
    since = events.repeated_since()
    late = (item for item in table.everything() if item.get("created_at", "") >= since)
    return events.send_as_found(
        message for some in iter(lambda: list(islice(late, READ_AT_ONCE)), []) for message in _all_of(some)
    )


def _all_of(items: Sequence[Item]) -> Iterator[Message]:
    balances = _balances(items)
    for item in items:
        yield from _messages_of(item, balances)


def _balances(items: Iterable[Item | None]) -> Balances:
    """The balances of the wallets whose opener these items do not say themselves, in one read."""
    wallets = list({wallet: None for item in items if item and (wallet := table.wallet_of(item))})
    return dict(zip(wallets, accounts.read_many(map(accounts.wallet, wallets)), strict=True))


def _messages_of(item: Item | None, balances: Balances) -> list[Message]:
    event = _event_of(item, balances) if item else None
    return events.told(event) if event else []


def _event_of(item: Item, balances: Balances) -> Event | None:
    if table.is_transfer(item):
        transfer = StoredTransfer.model_validate(item)
        return _of_record(item, f"transfer.{transfer.status}", transfer.principal, transfer.shown())
    wallet_id = table.wallet_of(item)
    if wallet_id is None:
        return None
    balance = balances[wallet_id]
    if balance is None:
        raise LookupError(f"{item['pk']} was stored together with an account, and that is not there")
    if table.is_deposit(item):
        return _of_record(item, "deposit.completed", balance.holder, Deposit.model_validate(item))
    wallet = StoredWallet.model_validate(item)
    opened = accounts.unused(balance.currency, balance.holder)
    return _of_wallet("wallet.opened", wallet, opened, version=1, at=wallet.created_at)


def _of_record(item: Item, kind: str, principal: str, data: Deposit | Transfer) -> Event:
    return Event(
        id=events.event_id(table.TABLE, {"pk": item["pk"]}, item["version"], kind),
        type=kind,
        created_at=data.created_at,
        principal=principal,
        sequence=item["version"],
        data=data,
    )


def _of_wallet(kind: str, wallet: StoredWallet, balance: Balance, *, version: int, at: str) -> Event:
    return Event(
        id=events.event_id(accounts.TABLE, accounts.wallet(wallet.id).key, version, kind),
        type=kind,
        created_at=at,
        principal=balance.holder,
        sequence=version,
        data=wallet.shown(balance),
    )


def _wallet_of(item: Item | None) -> str | None:
    """The wallet whose balance an item of the ledger is."""
    account = accounts.of_item(item) if item else None
    return account.subject if account and account.kind is Kind.WALLET else None


def _messages_of_status(item: Item | None, wallets: Mapping[str, StoredWallet]) -> list[Message]:
    wallet = wallets.get(_wallet_of(item) or "")
    if item is None or wallet is None:
        return []
    balance = Balance.model_validate(item)
    at = accounts.status_since(item) or clock.timestamp(clock.now())
    kind = _ENTERED[balance.status]
    return events.told(_of_wallet(kind, wallet, balance, version=item["version"], at=at))
