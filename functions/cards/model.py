"""The shapes of cards, and the rules by which a card number, an expiry and a security code are accepted."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from acquiring import acquirer
from acquiring.acquirer import DeclineCode
from acquiring.vault import DataKey, Sealed
from chassis import clock, ids
from chassis.errors import Fault, ValidationFailed
from chassis.shapes import Input, Resource, Timestamp, example

YEARS_AHEAD = 20
"""Issuers print less; ISO/IEC 7813 has two digits of year, so anything far off is a slip."""
KEY_SEALS = 10_000
"""Numbers under one data key, about; random nonces wear out at 2^32 (NIST SP 800-38D, section 8.3)."""
KEY_LIFETIME = timedelta(days=90)
"""A data key seals for so long, and reveals what it sealed for as long as that is kept."""
WESTERNMOST = timedelta(hours=-12)
"""A card is good until its month has ended everywhere."""

CardId = Annotated[str, Field(pattern=ids.pattern("card"), examples=["card_a2b3c4d5e6f7g2h3i4j5k6l7"])]
Brand = Literal["visa", "mastercard", "amex", "unionpay", "jcb", "discover", "diners"]


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one brand's numbers look."""

    brand: Brand
    prefixes: tuple[tuple[int, int], ...]
    """Ranges of leading digits, ends included; both ends have the same number of digits."""
    lengths: frozenset[int]
    cvc_length: int = 3
    has_check_digit: bool = True

    def issues(self, number: str) -> bool:
        """Whether a number begins as one of this brand."""
        return any(low <= int(number[: len(str(low))]) <= high for low, high in self.prefixes)


# ISO/IEC 7812-1 assigns the prefixes. The ranges are those of the schemes' BIN tables as the field's form
# validators have them (braintree/credit-card-type, src/lib/card-types.ts) and Wikipedia lists them ("Payment
# card number", "Issuer identification number"). Where these differ the wider one is taken: an acquirer knows
# better than we do which numbers exist. Discover's 622126-622925 are UnionPay's own, so they count as such.
SCHEMES = (
    Scheme("visa", ((4, 4),), frozenset({13, 16, 18, 19})),
    Scheme("mastercard", ((51, 55), (2221, 2720)), frozenset({16})),
    Scheme("amex", ((34, 34), (37, 37)), frozenset({15}), cvc_length=4),
    # Not every UnionPay number ends with a check digit, and braintree/card-validator asks for none
    # (`luhnValidateUnionPay` is off by default, src/card-number.ts).
    Scheme("unionpay", ((62, 62), (81, 81)), frozenset(range(16, 20)), has_check_digit=False),
    Scheme("jcb", ((3528, 3589),), frozenset(range(16, 20))),
    Scheme("discover", ((6011, 6011), (644, 649), (65, 65)), frozenset(range(16, 20))),
    Scheme("diners", ((300, 305), (3095, 3095), (36, 36), (38, 39)), frozenset(range(14, 20))),
)


def scheme_of(number: str) -> Scheme | None:
    """The brand that issues numbers of this beginning."""
    return next((scheme for scheme in SCHEMES if scheme.issues(number)), None)


def passes_luhn(number: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1, annex B)."""
    doubled = (2 * int(digit) for digit in number[-2::-2])
    return (sum(map(int, number[-1::-2])) + sum(map(sum, (divmod(two, 10) for two in doubled)))) % 10 == 0


def _number(secret: SecretStr) -> SecretStr:
    number = secret.get_secret_value()
    # None of these messages quotes what was sent.
    if re.fullmatch(r"[0-9 -]*[ -][0-9 -]*", number):
        raise ValueError("has digits only: leave out spaces and dashes")
    if not re.fullmatch(r"[0-9]+", number):
        raise ValueError("has digits only")
    scheme = scheme_of(number)
    if scheme is None:
        brands = ", ".join(sorted(known.brand for known in SCHEMES))
        raise ValueError(f"is of no brand that is accepted ({brands})")
    if len(number) not in scheme.lengths:
        lengths = " or ".join(map(str, sorted(scheme.lengths)))
        raise ValueError(f"has a length that {scheme.brand} does not issue ({lengths} digits)")
    if scheme.has_check_digit and not passes_luhn(number):
        raise ValueError("is mistyped: its check digit does not fit")
    return secret


def _cvc(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[0-9]{3,4}", secret.get_secret_value()):
        raise ValueError("has 3 or 4 digits")
    return secret


class NewCard(Input):
    """A card to keep."""

    model_config = example(number="4242424242424242", exp_month=12, exp_year=clock.now().year + 4, cvc="123")

    number: Annotated[
        SecretStr, AfterValidator(_number), Field(description="Digits only. It is shown by no operation.")
    ]
    exp_month: Annotated[int, Field(ge=1, le=12)]
    exp_year: Annotated[int, Field(ge=2000, le=2999, description="All four digits.")]
    cvc: Annotated[
        SecretStr,
        AfterValidator(_cvc),
        Field(description="The security code, used once to verify the card and kept nowhere."),
    ]

    def checked(self, now: datetime) -> acquirer.Card:
        """The card, if its expiry and its security code can be right. Raises ValidationFailed."""
        number = self.number.get_secret_value()
        scheme = scheme_of(number)
        assert scheme is not None
        faults = _expiry_faults(self.exp_year, self.exp_month, now)
        if len(self.cvc.get_secret_value()) != scheme.cvc_length:
            message = f"has {scheme.cvc_length} digits on a card of {scheme.brand}"
            faults.append(Fault("body", "/cvc", message))
        if faults:
            first = faults[0]
            raise ValidationFailed(f"{first.pointer.lstrip('/')}: {first.message}", faults=tuple(faults))
        return acquirer.Card(
            number=number,
            exp_month=self.exp_month,
            exp_year=self.exp_year,
            brand=scheme.brand,
            last4=number[-4:],
        )


def _expiry_faults(year: int, month: int, now: datetime) -> list[Fault]:
    latest = now + WESTERNMOST
    if year < latest.year:
        return [Fault("body", "/exp_year", "is past: the card has expired")]
    if year == latest.year and month < latest.month:
        return [Fault("body", "/exp_month", "is past: the card has expired")]
    if year >= now.year + YEARS_AHEAD:
        return [Fault("body", "/exp_year", f"is {YEARS_AHEAD} years ahead or more")]
    return []


class Card(Resource):
    """A card as the API shows it; its number is never shown."""

    id: str
    status: Literal["active", "deleted"]
    brand: Brand
    bin: Annotated[str, Field(description="The first six digits.", examples=["424242"])]
    last4: Annotated[str, Field(examples=["4242"])]
    exp_month: int
    exp_year: int
    fingerprint: Annotated[
        str | None,
        Field(description="The same for the same number with the same merchant; null once deleted."),
    ]
    created_at: Timestamp
    deleted_at: Timestamp | None = None


class StoredCard(BaseModel):
    """A card as it is kept: its number sealed, and gone once the card is deleted or was declined."""

    model_config = ConfigDict(frozen=True)

    id: str
    merchant_id: str
    status: Literal["active", "deleted", "declined"]
    brand: Brand
    bin: str
    last4: str
    exp_month: int
    exp_year: int
    sealed: Sealed | None = None
    fingerprint: str | None = None
    request: str | None = None
    """A keyed digest of what was asked for; without it a replay is not compared."""
    failure_code: DeclineCode | None = None
    created_at: str
    deleted_at: str | None = None
    version: int = 0

    def shown(self) -> Card:
        """The card as the API shows it."""
        return Card.model_validate(self.model_dump(include=set(Card.model_fields)))


class CurrentDataKey(DataKey):
    """The data key under which a merchant's next numbers are sealed."""

    created_at: str
    seals: int = 0
    """About how many numbers it has sealed."""
    version: int = 0

    def is_spent(self, now: datetime) -> bool:
        """Whether it is to seal no further numbers."""
        return self.seals >= KEY_SEALS or now >= datetime.fromisoformat(self.created_at) + KEY_LIFETIME


def next_data_key(key: DataKey, current: CurrentDataKey | None, at: str) -> CurrentDataKey:
    """The data key that takes the current one's place."""
    return CurrentDataKey(**key.model_dump(), created_at=at, version=current.version if current else 0)


def blank(merchant_id: str, card_id: str, card: acquirer.Card, request: str, at: str) -> StoredCard:
    """The record of a card without its number; it becomes accepted or declined."""
    return StoredCard(
        id=card_id,
        merchant_id=merchant_id,
        status="declined",
        brand=card.brand,
        bin=card.number[:6],
        last4=card.last4,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
        request=request,
        created_at=at,
    )


def accepted(unsealed: StoredCard, sealed: Sealed, fingerprint: str) -> StoredCard:
    """The card with its number sealed: it can pay."""
    return unsealed.model_copy(update={"status": "active", "sealed": sealed, "fingerprint": fingerprint})


def declined(unsealed: StoredCard, code: DeclineCode) -> StoredCard:
    """The record of a refusal: of the number nothing is kept, but the request is known again."""
    return unsealed.model_copy(update={"status": "declined", "failure_code": code})


def deleted(card: StoredCard, at: str) -> StoredCard:
    """The card without anything from which its number could be found.

    The keyed digests go too: whoever has their key could try the numbers between BIN and last four.
    """
    gone = {"sealed": None, "fingerprint": None, "request": None}
    return card.model_copy(update={**gone, "status": "deleted", "deleted_at": at})
