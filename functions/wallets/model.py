"""The shapes of wallets, deposits and transfers, and the rules that make them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from chassis import ids
from chassis.operations import Intent
from chassis.paging import PageQuery
from chassis.shapes import Input, Resource, Timestamp, example, text
from ledger import accounts, posting
from ledger.accounts import Balance
from ledger.money import Amount, Currency
from ledger.posting import Posting
from ledger.reasons import Reason

Owner = Annotated[str, text(max_length=100, example="customer-17850")]
Reference = Annotated[str, text(max_length=100, example="bank statement 2026-11-23, line 12")]
WalletId = Annotated[str, Field(pattern=ids.pattern("wal"), examples=["wal_a2b3c4d5e6f7g2h3i4j5k6l7"])]
WalletStatus = Literal["active", "frozen", "closed"]


class NewWallet(Input):
    """A wallet to open."""

    model_config = example(owner="customer-17850", currency="GBP")

    owner: Annotated[Owner, Field(description="Whose it is, in the caller's own terms.")]
    currency: Currency


class WalletQuery(PageQuery):
    """Which wallets to list."""

    owner: Annotated[str | None, Field(max_length=100, description="Only this owner's.")] = None
    status: Annotated[WalletStatus | None, Field(description="Only those of this status.")] = None

    def keeps(self, wallet: "Wallet") -> bool:
        """Whether the wallet is one of those asked for."""
        return self.owner in {None, wallet.owner} and self.status in {None, wallet.status}


class NewDeposit(Input):
    """Money that arrived outside, for a wallet."""

    model_config = example(amount=5000, currency="GBP", reference="bank statement 12, line 3")

    amount: Amount
    currency: Currency
    reference: Annotated[Reference, Field(description="Names the deposit within its wallet.")]


class NewTransfer(Input):
    """Money to move between two wallets."""

    model_config = example(
        from_wallet="wal_a2b3c4d5e6f7g2h3i4j5k6l7",
        to_wallet="wal_b2b3c4d5e6f7g2h3i4j5k6l7",
        amount=1250,
        currency="GBP",
    )

    from_wallet: WalletId
    to_wallet: WalletId
    amount: Amount
    currency: Currency


class Wallet(Resource):
    """An e-wallet, as the API shows it."""

    id: str
    owner: str
    currency: str
    status: WalletStatus
    available: Annotated[int, Field(description="What can be spent, in minor units.")]
    held: Annotated[int, Field(description="What is reserved by holds, in minor units.")]
    created_at: Timestamp


class Deposit(Resource):
    """A deposit, as the API shows it."""

    id: str
    wallet: str
    amount: int
    currency: str
    reference: str
    created_at: Timestamp
    entry: Annotated[str, Field(description="The journal entry that credited the wallet.")]


class Transfer(Resource):
    """A transfer, as the API shows it."""

    id: str
    status: Literal["completed", "failed"]
    from_wallet: str
    to_wallet: str
    amount: int
    currency: str
    failure_code: str | None
    created_at: Timestamp
    entries: Annotated[list[str], Field(description="One journal entry in each wallet's statement.")]


class StoredWallet(BaseModel):
    """A wallet's record; currency, status, holder and balance are the ledger's to tell."""

    model_config = ConfigDict(frozen=True)

    id: str
    owner: str
    created_at: str
    fingerprint: str

    def shown(self, balance: Balance) -> Wallet:
        """The wallet as the API shows it."""
        return Wallet(
            id=self.id,
            owner=self.owner,
            currency=balance.currency,
            status=balance.status,
            available=balance.available,
            held=balance.held,
            created_at=self.created_at,
        )


class StoredTransfer(BaseModel):
    """A transfer's record: made or refused, for ever."""

    model_config = ConfigDict(frozen=True)

    id: str
    principal: str
    status: Literal["completed", "failed"]
    from_wallet: str
    to_wallet: str
    amount: int
    currency: str
    failure_code: str | None = None
    created_at: str
    entries: list[str] = Field(default_factory=list)
    fingerprint: str

    def shown(self) -> Transfer:
        """The transfer as the API shows it."""
        return Transfer(**self.model_dump(exclude={"principal", "fingerprint"}))


def deposit_of(wallet_id: str, new: NewDeposit, at: str) -> tuple[Deposit, Posting]:
    """The deposit, whose id wallet and reference alone decide, and the posting that credits it."""
    deposit_id = ids.derive("dep", wallet_id, new.reference)
    movement = Posting(
        reason=Reason.DEPOSIT,
        source=accounts.bank(new.currency),
        target=accounts.wallet(wallet_id),
        amount=new.amount,
        currency=new.currency,
        operation=deposit_id,
        at=at,
        reference=new.reference,
    )
    (entry,) = posting.entries(movement)
    shown = Deposit(id=deposit_id, wallet=wallet_id, **new.model_dump(), created_at=at, entry=entry.id)
    return shown, movement


def transfer_of(
    transfer_id: str, intent: Intent, new: NewTransfer, only_holder: str | None, at: str
) -> tuple[StoredTransfer, Posting]:
    """The completed transfer, and the posting that makes it so."""
    movement = Posting(
        reason=Reason.TRANSFER,
        source=accounts.wallet(new.from_wallet),
        target=accounts.wallet(new.to_wallet),
        amount=new.amount,
        currency=new.currency,
        operation=transfer_id,
        at=at,
        reference=transfer_id,
        holder=only_holder,
    )
    record = StoredTransfer(
        id=transfer_id,
        principal=intent.principal,
        status="completed",
        **new.model_dump(),
        created_at=at,
        entries=[entry.id for entry in posting.entries(movement)],
        fingerprint=intent.fingerprint,
    )
    return record, movement


def refused(transfer: StoredTransfer, failure_code: str) -> StoredTransfer:
    """The same transfer, had the money not been there."""
    return transfer.model_copy(update={"status": "failed", "failure_code": failure_code, "entries": []})


def same_deposit(stored: Deposit, new: NewDeposit) -> bool:
    """Whether the stored deposit is the one that is asked for again."""
    return (stored.amount, stored.currency) == (new.amount, new.currency)
