"""The wallets table: records of wallets, deposits and transfers, each under its own id."""

from collections.abc import Iterable, Iterator

from chassis import store
from chassis.attributes import Item
from chassis.paging import Page, PageQuery, listed, newest
from chassis.writes import ABSENT, Exists, Key, Write, put
from functions.wallets.model import Deposit, StoredTransfer, StoredWallet, Transfer, Wallet, WalletQuery
from ledger import accounts
from ledger.accounts import Balance

TABLE = "wallets"


def _key(identity: str) -> Key:
    return {"pk": identity}


def create_wallet(wallet: StoredWallet, principal: str) -> Write:
    """The wallet's record, which is the idempotency record of its opening."""
    item = {**wallet.model_dump(), **listed(f"wallet#{principal}", wallet.created_at, wallet.id)}
    return put(TABLE, _key(wallet.id), item, ABSENT, refused=Exists)


def create_deposit(deposit: Deposit) -> Write:
    """The deposit's record; its id is its wallet and reference."""
    return put(TABLE, _key(deposit.id), deposit.model_dump(), ABSENT, refused=Exists)


def create_transfer(transfer: StoredTransfer) -> Write:
    """The transfer's record, made or refused, which is its idempotency record."""
    item = {
        **transfer.model_dump(),
        **listed(f"transfer#{transfer.principal}", transfer.created_at, transfer.id),
    }
    return put(TABLE, _key(transfer.id), item, ABSENT, refused=Exists)


def is_deposit(item: Item) -> bool:
    """Whether an item of this table is a deposit."""
    return str(item["pk"]).startswith("dep_")


def is_transfer(item: Item) -> bool:
    """Whether an item of this table is a transfer."""
    return str(item["pk"]).startswith("trf_")


def wallet_of(item: Item) -> str | None:
    """The wallet that an item is, or that a deposit is to; None for all else."""
    if is_deposit(item):
        return str(item["wallet"])
    return str(item["pk"]) if str(item["pk"]).startswith("wal_") else None


def everything() -> Iterator[Item]:
    """Every wallet, deposit and transfer, by a scan."""
    return store.scan(TABLE)


def records(wallet_ids: Iterable[str]) -> dict[str, StoredWallet]:
    """The records of those of these wallets that there are."""
    items = store.get_many((TABLE, _key(wallet_id)) for wallet_id in {*wallet_ids})
    return {item["pk"]: StoredWallet.model_validate(item) for item in items if item}


def wallets(wallet_ids: list[str]) -> list[tuple[StoredWallet, Balance] | None]:
    """The wallets and their balances as of now, in one read."""
    records: list[tuple[str, Key]] = [(TABLE, _key(wallet_id)) for wallet_id in wallet_ids]
    balances = [(accounts.TABLE, accounts.wallet(wallet_id).key) for wallet_id in wallet_ids]
    found = store.get_many([*records, *balances])
    pairs = zip(found[: len(wallet_ids)], found[len(wallet_ids) :], strict=True)
    return [
        (StoredWallet.model_validate(record), Balance.model_validate(balance)) if record and balance else None
        for record, balance in pairs
    ]


def transfer(transfer_id: str) -> StoredTransfer | None:
    """The transfer's record as of now."""
    item = store.get(TABLE, _key(transfer_id))
    return StoredTransfer.model_validate(item) if item else None


def wallets_of(principal: str, query: WalletQuery) -> Page[Wallet]:
    """A page of the wallets that this principal opened."""

    def load(keys: list[Item]) -> list[Wallet | None]:
        pairs = wallets([key["pk"] for key in keys])
        return [pair[0].shown(pair[1]) if pair else None for pair in pairs]

    return newest(TABLE, f"wallet#{principal}", query, load, query.keeps)


def transfers_of(principal: str, query: PageQuery) -> Page[Transfer]:
    """A page of the transfers that this principal made."""

    def load(keys: list[Item]) -> list[Transfer | None]:
        items = store.get_many((TABLE, _key(key["pk"])) for key in keys)
        return [StoredTransfer.model_validate(item).shown() if item else None for item in items]

    return newest(TABLE, f"transfer#{principal}", query, load)
