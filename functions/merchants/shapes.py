"""The shapes of a merchant's bank accounts: taken as a whole, kept for payouts, shown in part."""

from typing import Annotated

import stdnum.bic
import stdnum.iban
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from stdnum.exceptions import ValidationError

from chassis.shapes import Input, Resource, Timestamp, example, text
from ledger.money import Currency


def _iban(text: str) -> str:
    try:
        return stdnum.iban.validate(text)
    except ValidationError:
        # Whatever the reason: what was sent is repeated nowhere.
        raise ValueError("is not an IBAN, such as GB33 BUKB 2020 1555 5555 55") from None


def _bic(text: str) -> str:
    try:
        return stdnum.bic.validate(text)
    except ValidationError:
        raise ValueError("is not a BIC, such as BUKBGB22XXX") from None


class NewBankAccount(Input):
    """A bank account that the merchant may be paid out to."""

    model_config = example(holder_name="The Gift Shop Ltd", iban="GB33BUKB20201555555555", currency="GBP")

    holder_name: Annotated[str, text(max_length=70, example="The Gift Shop Ltd")]
    iban: Annotated[
        str,
        Field(
            max_length=42,
            pattern="^[A-Za-z0-9 ]+$",
            description="With or without spaces.",
            examples=["GB33 BUKB 2020 1555 5555 55"],
        ),
        AfterValidator(_iban),
    ]
    bic: Annotated[
        str | None,
        Field(max_length=11, pattern="^[A-Za-z0-9]+$", examples=["BUKBGB22"]),
        AfterValidator(lambda text: text and _bic(text)),
    ] = None
    currency: Currency


class BankAccount(Resource):
    """A bank account, as the API shows it: never its whole IBAN."""

    id: str
    holder_name: str
    country: Annotated[str, Field(description="ISO 3166-1, two letters.")]
    bic: str | None
    last4: str
    currency: str
    created_at: Timestamp


class StoredBankAccount(BaseModel):
    """A bank account as it is kept with its merchant, so that every principal carries it."""

    model_config = ConfigDict(frozen=True)

    holder_name: str
    iban: str = Field(repr=False)
    bic: str | None = None
    currency: str
    created_at: str
    fingerprint: str

    def shown(self, account_id: str) -> BankAccount:
        """The bank account as the API shows it."""
        return BankAccount(
            id=account_id,
            country=self.iban[:2],
            last4=self.iban[-4:],
            **self.model_dump(include={"holder_name", "bic", "currency", "created_at"}),
        )
