"""The shapes of merchants and their API keys, and the rules that change them."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from chassis.errors import Conflict, ValidationFailed
from chassis.shapes import Input, Resource, Timestamp, example, text
from functions.merchants.shapes import NewBankAccount, StoredBankAccount
from ledger.money import Currency

MAX_LIVE_KEYS = 2
MAX_BANK_ACCOUNTS = 10

Status = Literal["active", "suspended"]
Name = Annotated[str, text(max_length=100, example="The Gift Shop")]
DelayDays = Annotated[
    int,
    Field(ge=0, le=30, description="Days from the close of a settlement batch until its money is available."),
]
CutOff = Annotated[
    str,
    Field(
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="When a settlement day ends, HH:MM in UTC.",
        examples=["00:00"],
    ),
]


class Fee(Input):
    """What a captured payment costs: (captured * basis_points + 5000) // 10000 + fixed."""

    basis_points: Annotated[int, Field(ge=0, le=10_000, examples=[150])]
    fixed: Annotated[int, Field(ge=0, le=1_000_000, description="Minor units.", examples=[20])]


Fees = Annotated[
    dict[Currency, Fee],
    Field(max_length=50, description="Plans for further currencies than the merchant's own."),
]


class NewMerchant(Input):
    """A merchant to onboard."""

    model_config = example(
        name="The Gift Shop", currency="GBP", fee={"basis_points": 150, "fixed": 20}, settlement_delay_days=2
    )

    name: Name
    currency: Currency
    fee: Fee
    fees: Fees = Field(default_factory=dict)
    settlement_delay_days: DelayDays
    cut_off: CutOff = "00:00"

    @field_validator("fees")
    @classmethod
    def _own_currency_once(cls, fees: dict[str, Fee], info: ValidationInfo) -> dict[str, Fee]:
        if info.data.get("currency") in fees:
            raise ValueError("holds other currencies than the merchant's own, whose plan is fee")
        return fees


def _left_out() -> Any:
    """No value of the member's type: `model_fields_set` tells that it was left out."""
    return None


class MerchantPatch(Input):
    """What to change; what is left out stays. `fees` is replaced as a whole."""

    model_config = example(status="suspended")

    name: Name = Field(default_factory=_left_out)
    fee: Fee = Field(default_factory=_left_out)
    fees: Fees = Field(default_factory=_left_out)
    settlement_delay_days: DelayDays = Field(default_factory=_left_out)
    cut_off: CutOff = Field(default_factory=_left_out)
    status: Status = Field(default_factory=_left_out)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("at least one member is needed")
        return self


class IssuedKey(Resource):
    """An API key at its birth."""

    id: str
    key: Annotated[
        str | None, Field(description="`sk_<id>_<secret>`: shown once, null when the request is repeated.")
    ]


class Merchant(Resource):
    """A merchant, as the API shows it."""

    id: str
    name: str
    currency: str
    fee: Fee
    fees: dict[str, Fee]
    settlement_delay_days: int
    cut_off: str
    status: Status
    created_at: Timestamp
    api_key: Annotated[IssuedKey | None, Field(description="Only in the answer to its creation.")] = None


class ApiKey(Resource):
    """An API key, as the API shows it."""

    id: str
    key: Annotated[str | None, Field(description="`sk_<id>_<secret>`: shown once, null ever after.")] = None
    status: Literal["live", "revoked"]
    created_at: Timestamp
    revoked_at: Timestamp | None = None


class StoredMerchant(BaseModel):
    """A merchant as it is kept; `fees` holds the plan of its own currency too."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    currency: str
    fees: dict[str, Fee]
    settlement_delay_days: int
    cut_off: str
    status: Status
    created_at: str
    fingerprint: str
    first_key: str
    live_keys: int
    bank_accounts: dict[str, StoredBankAccount] = Field(default_factory=dict)
    version: int = 0

    def shown(self, api_key: IssuedKey | None = None) -> Merchant:
        """The merchant as the API shows it."""
        others = {currency: fee for currency, fee in self.fees.items() if currency != self.currency}
        return Merchant(
            **self.model_dump(include=set(Merchant.model_fields) - {"fee", "fees"}),
            fee=self.fees[self.currency],
            fees=others,
            api_key=api_key,
        )


def onboarded(
    merchant_id: str, first_key: str, new: NewMerchant, fingerprint: str, at: str
) -> StoredMerchant:
    """The merchant that an onboarding creates: active, with one live key."""
    return StoredMerchant(
        id=merchant_id,
        name=new.name,
        currency=new.currency,
        fees={new.currency: new.fee, **new.fees},
        settlement_delay_days=new.settlement_delay_days,
        cut_off=new.cut_off,
        status="active",
        created_at=at,
        fingerprint=fingerprint,
        first_key=first_key,
        live_keys=1,
    )


def patched(merchant: StoredMerchant, patch: MerchantPatch) -> StoredMerchant:
    """The merchant after the change. Raises ValidationFailed when `fees` holds its own currency."""
    given = patch.model_fields_set
    if "fees" in given and merchant.currency in patch.fees:
        raise ValidationFailed.of("body", "/fees", f"the plan for {merchant.currency} is fee")
    changes = patch.model_dump(
        exclude_unset=True, include={"name", "settlement_delay_days", "cut_off", "status"}
    )
    own = patch.fee if "fee" in given else merchant.fees[merchant.currency]
    others = patch.fees if "fees" in given else merchant.fees
    return merchant.model_copy(update={**changes, "fees": {**others, merchant.currency: own}})


def with_bank_account(
    merchant: StoredMerchant, account_id: str, new: NewBankAccount, fingerprint: str, at: str
) -> StoredMerchant:
    """The merchant with one more bank account. Raises Conflict when it has as many as may be."""
    if len(merchant.bank_accounts) >= MAX_BANK_ACCOUNTS:
        raise Conflict(f"{merchant.id} has {MAX_BANK_ACCOUNTS} bank accounts, which is the most")
    account = StoredBankAccount(**new.model_dump(), created_at=at, fingerprint=fingerprint)
    return merchant.model_copy(update={"bank_accounts": {**merchant.bank_accounts, account_id: account}})
