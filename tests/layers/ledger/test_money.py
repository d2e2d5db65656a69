"""Amounts are whole minor units, and currencies those of ISO 4217."""

import pytest
from pydantic import TypeAdapter, ValidationError

from ledger.money import DECIMALS, MAX_AMOUNT, MAX_BALANCE, Amount, Currency, written

AMOUNT: TypeAdapter[int] = TypeAdapter(Amount)
CURRENCY: TypeAdapter[str] = TypeAdapter(Currency)


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [
        ("USD", 2),
        ("EUR", 2),
        ("GBP", 2),
        ("JPY", 0),
        ("KRW", 0),
        ("ISK", 0),
        ("KWD", 3),
        ("BHD", 3),
        ("TND", 3),
    ],
)
def test_a_currency_has_the_decimals_of_iso_4217(currency: str, decimals: int) -> None:
    assert DECIMALS[currency] == decimals
    assert CURRENCY.validate_python(currency) == currency


@pytest.mark.parametrize(
    "code",
    # A unit of account, a metal, a test code, no currency, one that the euro replaced, and misspelt ones.
    ["CLF", "UYI", "XDR", "XAU", "XTS", "XXX", "DEM", "HRK", "ZZZ", "usd", "US", "USDX", "", "GBP ", "GBP\n"],
)
def test_what_is_no_current_currency_is_refused(code: str) -> None:
    assert code not in DECIMALS
    with pytest.raises(ValidationError):
        CURRENCY.validate_python(code)


def test_no_currency_is_listed_twice() -> None:
    assert all(len(code) == 3 and code.isupper() for code in DECIMALS)
    assert set(DECIMALS.values()) == {0, 2, 3}
    assert len(DECIMALS) > 150


@pytest.mark.parametrize("amount", [1, 1250, MAX_AMOUNT])
def test_an_amount_within_its_bounds_is_taken(amount: int) -> None:
    assert AMOUNT.validate_json(str(amount), strict=True) == amount


@pytest.mark.parametrize(
    "text", ["0", "-1", str(MAX_AMOUNT + 1), "1.0", "1.5", "1e3", '"1"', "true", "null", "NaN"]
)
def test_an_amount_is_a_positive_bounded_integer(text: str) -> None:
    with pytest.raises(ValidationError):
        AMOUNT.validate_json(text, strict=True)


def test_the_limits_are_exact_in_a_float_too() -> None:
    # JavaScript callers read every number as a double.
    assert MAX_AMOUNT < MAX_BALANCE < 2**53


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1250, "GBP", "12.50 GBP"),
        (5, "USD", "0.05 USD"),
        (0, "EUR", "0.00 EUR"),
        (-5, "USD", "-0.05 USD"),
        (-1250, "GBP", "-12.50 GBP"),
        (1250, "JPY", "1250 JPY"),
        (-1, "JPY", "-1 JPY"),
        (1250, "KWD", "1.250 KWD"),
        (10**15, "GBP", "10000000000000.00 GBP"),
    ],
)
def test_an_amount_is_written_as_people_write_it(amount: int, currency: str, text: str) -> None:
    assert written(amount, currency) == text
