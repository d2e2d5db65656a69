"""Which card numbers, expiries and security codes are accepted, and what a refusal names."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from chassis.errors import ValidationFailed
from functions.cards.model import CurrentDataKey, NewCard, passes_luhn, scheme_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

# The numbers that processors publish for testing (Stripe, Adyen, Braintree), at least one per range.
NUMBERS = {
    "visa": [
        "4242424242424242",
        "4111111111111111",
        "4012888888881881",
        "4222222222222",
        "4917610000000000003",
    ],
    "mastercard": ["5555555555554444", "5105105105105100", "2223003122003222", "2720990000000007"],
    "amex": ["378282246310005", "371449635398431", "343434343434343"],
    "unionpay": ["6200000000000005", "6205500000000000004", "6212345678901232", "8171999927660000"],
    "jcb": ["3566002020360505", "3530111333300000", "3569990010030442"],
    "discover": ["6011111111111117", "6011000990139424", "6445644564456445", "6500000000000002"],
    "diners": ["30569309025904", "38520000023237", "36227206271667", "30950000001230"],
}


def body(**changes: object) -> dict[str, object]:
    return {"number": "4242424242424242", "exp_month": 12, "exp_year": 2030, "cvc": "123", **changes}


def refusals(**changes: object) -> dict[str, str]:
    """Field -> message, with the refused values quoted nowhere."""
    asked = body(**changes)
    try:
        NewCard.model_validate_json(json.dumps(asked)).checked(NOW)
    except ValidationError as error:
        said = {str(each["loc"][0]): each["msg"] for each in error.errors(include_input=False)}
    except ValidationFailed as problem:
        said = {fault.pointer[1:]: fault.message for fault in problem.faults}
    else:
        return {}
    for secret in (asked["number"], asked["cvc"]):
        assert len(str(secret)) < 3 or str(secret) not in str(said)
    return said


@pytest.mark.parametrize(("brand", "number"), [(brand, each) for brand in NUMBERS for each in NUMBERS[brand]])
def test_a_number_of_each_brand(brand: str, number: str) -> None:
    cvc = "1234" if brand == "amex" else "123"
    card = NewCard.model_validate(body(number=number, cvc=cvc), strict=False).checked(NOW)
    assert (card.brand, card.number, card.last4) == (brand, number, number[-4:])


@pytest.mark.parametrize(
    ("low", "high", "brand"),
    [
        ("222100", "272099", "mastercard"),
        ("510000", "559999", "mastercard"),
        ("352800", "358999", "jcb"),
        ("644000", "659999", "discover"),
        ("300000", "305999", "diners"),
        ("622126", "622925", "unionpay"),
    ],
)
def test_the_ends_of_the_ranges(low: str, high: str, brand: str) -> None:
    for prefix in (low, high):
        found = scheme_of(prefix.ljust(16, "0"))
        assert found
        assert found.brand == brand
    for outside in (int(low) - 1, int(high) + 1):
        found = scheme_of(str(outside).ljust(16, "0"))
        assert found is None or found.brand != brand or brand == "unionpay"


def test_unionpay_may_come_without_a_check_digit() -> None:
    assert not passes_luhn("6212345678901234")
    assert refusals(number="6212345678901234") == {}


def test_luhn_finds_every_single_slip() -> None:
    for at in range(16):
        for digit in "0123456789":
            number = f"{'4242424242424242'[:at]}{digit}{'4242424242424242'[at + 1 :]}"
            assert passes_luhn(number) == (number == "4242424242424242")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("4242 4242 4242 4242", "leave out spaces and dashes"),
        ("4242-4242-4242-4242", "leave out spaces and dashes"),
        (" 4242424242424242", "leave out spaces and dashes"),
        ("4242424242424241", "check digit"),
        ("424242424242424", "length"),
        ("42424242424242424", "length"),
        ("4" * 100, "length"),
        ("42424242424242ab", "digits only"),
        ("\uff14" * 16, "digits only"),
        ("-4242424242424242.0", "digits only"),
        ("", "digits only"),
        ("5", "no brand"),
        ("9999999999999995", "no brand"),
        ("0000000000000000", "no brand"),
        (4242424242424242, "valid string"),
        (None, "valid string"),
    ],
)
def test_a_bad_number(number: object, message: str) -> None:
    said = refusals(number=number)
    assert said.keys() == {"number"}
    assert message in said["number"]


@pytest.mark.parametrize(
    ("month", "year", "fields"),
    [
        (11, 2026, set()),
        (10, 2026, {"exp_month"}),
        (12, 2025, {"exp_year"}),
        (1, 2027, set()),
        (12, 2045, set()),
        (1, 2046, {"exp_year"}),
        (1, 2056, {"exp_year"}),
        (1, 26, {"exp_year"}),
        (0, 2030, {"exp_month"}),
        (13, 2030, {"exp_month"}),
        (-1, 99999, {"exp_month", "exp_year"}),
        ("12", 2030, {"exp_month"}),
        (12, 2030.0, {"exp_year"}),
        (True, 2030, {"exp_month"}),
    ],
)
def test_an_expiry(month: object, year: object, fields: set[str]) -> None:
    assert refusals(exp_month=month, exp_year=year).keys() == fields


@pytest.mark.parametrize(
    ("now", "good"),
    [
        (datetime(2026, 11, 30, 23, 59, tzinfo=UTC), True),
        (datetime(2026, 12, 1, 11, 59, tzinfo=UTC), True),
        (datetime(2026, 12, 1, 12, 0, tzinfo=UTC), False),
        (datetime(2027, 1, 1, 0, 0, tzinfo=UTC), False),
    ],
)
def test_a_card_is_good_until_its_month_has_ended_everywhere(now: datetime, good: bool) -> None:
    asked = NewCard.model_validate(body(exp_month=11, exp_year=2026), strict=False)
    if good:
        asked.checked(now)
    else:
        with pytest.raises(ValidationFailed):
            asked.checked(now)


@pytest.mark.parametrize(
    ("number", "cvc", "good"),
    [
        ("4242424242424242", "123", True),
        ("4242424242424242", "1234", False),
        ("378282246310005", "1234", True),
        ("378282246310005", "123", False),
        ("4242424242424242", "", False),
        ("4242424242424242", "12", False),
        ("4242424242424242", "12345", False),
        ("4242424242424242", "12a", False),
        ("4242424242424242", "١٢٣", False),
        ("4242424242424242", 123, False),
    ],
)
def test_a_security_code(number: str, cvc: object, good: bool) -> None:
    assert refusals(number=number, cvc=cvc).keys() == (set() if good else {"cvc"})


def test_every_fault_is_told_at_once() -> None:
    assert refusals(exp_year=2020, cvc="1234").keys() == {"exp_year", "cvc"}
    assert refusals(number="1", exp_month=0, exp_year=0, cvc="x").keys() == body().keys()


def test_a_new_card_shows_its_secrets_nowhere() -> None:
    asked = NewCard.model_validate(body(cvc="987"), strict=False)
    for text in (str(asked), repr(asked), asked.model_dump_json(), str(asked.model_dump())):
        assert "4242424242424242" not in text
        assert "987" not in text


def test_when_a_data_key_is_spent() -> None:
    key = CurrentDataKey(id="dek_1", wrapped="", created_at="2026-08-25T12:00:00.000001Z", seals=9_999)
    assert not key.is_spent(NOW)
    assert key.model_copy(update={"seals": 10_000}).is_spent(NOW)
    assert key.model_copy(update={"created_at": "2026-08-25T12:00:00.000000Z"}).is_spent(NOW)


def test_no_exception_repeats_what_was_sent() -> None:
    with pytest.raises(ValidationError) as caught:
        NewCard.model_validate(body(number="4242424242424241", cvc="98", exp_month="987"), strict=False)
    assert "4242" not in f"{caught.value}{caught.value!r}"
    assert "98" not in f"{caught.value}{caught.value!r}"
