"""Bank accounts: checked before they are kept, kept with the merchant, and never shown as a whole."""

import uuid
from functools import partial
from typing import Any

import pytest
import stdnum.iban
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chassis import observe
from chassis.operations import Intent
from functions.merchants import actions, table
from functions.merchants.shapes import NewBankAccount
from local.system import System
from tests.conftest import Shop
from tests.functions.inside import Answer, Faulty, Inside, Time, conflict, everything, lost
from tests.journeys.together import together

IBAN = "GB33BUKB20201555555555"
BODY = {"holder_name": "Shop Ltd", "iban": IBAN, "currency": "GBP"}


@pytest.fixture
def operator(engine: System) -> Inside:
    """The platform, in this process."""
    return Inside(engine.platform_key)


def add(caller: Inside, shop: Shop, key: str | None = None, **changes: Any) -> Answer:
    path = f"/v1/merchants/{shop.id}/bank-accounts"
    return caller("POST", path, {**BODY, **changes}, idempotency_key=key or str(uuid.uuid4()))


def listed(caller: Inside, shop: Shop) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = caller("GET", f"/v1/merchants/{shop.id}/bank-accounts").body["data"]
    return data


def test_one_is_registered_and_shown_in_part(operator: Inside, shop: Shop) -> None:
    answer = add(operator, shop, iban="gb33 bukb 2020 1555 5555 55", bic="bukbgb22")
    assert (answer.status, answer.is_replay) == (201, False)
    shown = dict(answer.body)
    assert shown.pop("id").startswith("ba_")
    assert shown.pop("created_at")
    assert shown == {
        "holder_name": "Shop Ltd",
        "country": "GB",
        "bic": "BUKBGB22",
        "last4": "5555",
        "currency": "GBP",
    }
    assert listed(operator, shop) == [answer.body]
    kept = Inside(shop.key).principal.acting_merchant.bank_accounts[answer.body["id"]]
    assert (kept.iban, kept.bic, kept.currency) == (IBAN, "BUKBGB22", "GBP")


def test_a_merchant_shows_no_bank_accounts_and_keeps_them_over_a_patch(operator: Inside, shop: Shop) -> None:
    added = add(operator, shop).body
    patched = operator("PATCH", f"/v1/merchants/{shop.id}", {"name": "Other"}).body
    assert patched["name"] == "Other"
    assert IBAN not in str(patched)
    assert "bank_accounts" not in patched
    assert listed(operator, shop) == [added]


def test_a_key_names_one_account(operator: Inside, shop: Shop) -> None:
    first = add(operator, shop, "key")
    again = add(operator, shop, "key", iban="gb33 BUKB 2020 1555 5555 55")
    assert (again.status, again.is_replay, again.body) == (201, True, first.body)
    other = add(operator, shop, "key", holder_name="Other")
    assert (other.status, other.code) == (422, "idempotency_mismatch")
    assert len(listed(operator, shop)) == 1


def test_at_most_ten_newest_first_page_by_page(operator: Inside, shop: Shop) -> None:
    added = [add(operator, shop, f"key {number}").body for number in range(10)]
    refused = add(operator, shop)
    assert (refused.status, refused.code) == (409, "conflict")
    assert add(operator, shop, "key 3").status == 201
    assert listed(operator, shop) == added[::-1]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"iban": "GB34BUKB20201555555555"}, "/iban"),
        ({"iban": "GB33BUKB2020155555555"}, "/iban"),
        ({"iban": "ZZ33BUKB20201555555555"}, "/iban"),
        ({"iban": "GB33-BUKB-2020-1555-5555-55"}, "/iban"),
        ({"iban": " "}, "/iban"),
        ({"bic": "BUKBGB2"}, "/bic"),
        ({"bic": "BUKBZZ22"}, "/bic"),
        ({"bic": ""}, "/bic"),
        ({"currency": "XXX"}, "/currency"),
        ({"holder_name": ""}, "/holder_name"),
        ({"account_number": "1"}, "/account_number"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(
    operator: Inside, shop: Shop, change: dict[str, str], pointer: str
) -> None:
    answer = add(operator, shop, **change)
    assert (answer.status, answer.code) == (422, "validation_failed")
    assert [fault["pointer"] for fault in answer.body["errors"]] == [pointer]
    said = change.get("iban", "-").strip()
    assert not said or said == "-" or said not in str(answer.body)


def test_no_merchant_chooses_where_its_money_goes(operator: Inside, shop: Shop) -> None:
    merchant = Inside(shop.key)
    assert (add(merchant, shop).status, add(merchant, shop).code) == (403, "forbidden")
    assert merchant("GET", f"/v1/merchants/{shop.id}/bank-accounts").status == 403
    nobody = operator("POST", f"/v1/merchants/mer_{'a' * 24}/bank-accounts", BODY, idempotency_key="k")
    assert nobody.status == 404
    assert operator("GET", f"/v1/merchants/mer_{'a' * 24}/bank-accounts").status == 404
    missing = operator("POST", f"/v1/merchants/{shop.id}/bank-accounts", BODY)
    assert (missing.status, missing.code) == (400, "malformed_request")


@pytest.mark.parametrize("faults", [(conflict,), (lost,), (lost, lost)])
def test_storage_that_fails_adds_it_once(
    operator: Inside, shop: Shop, faults: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        Time(patched)
        Faulty(patched, *faults)
        assert add(operator, shop, "key").status == 201
    stored = table.merchant(shop.id)
    assert stored
    assert (len(stored.bank_accounts), stored.version) == (1, 2)


def test_it_costs_a_read_and_a_write(engine: System, shop: Shop) -> None:
    asked = Intent("platform", f"POST /v1/merchants/{shop.id}/bank-accounts", "key", "this")
    with observe.metered() as counted:
        actions.add_bank_account(asked, shop.id, NewBankAccount(**BODY))
    assert (counted.write_units, counted.write_calls, counted.read_calls) == (1, 1, 1)


def test_an_iban_stands_in_the_merchants_item_alone(
    operator: Inside, shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    iban = "DE89370400440532013000"
    add(operator, shop, iban=iban)
    found = [(table, item) for table, items in everything().items() for item in items if iban in str(item)]
    assert [(table, item["pk"]) for table, item in found] == [("principals", shop.id)]
    assert iban not in capfd.readouterr().out


@given(st.integers(0, 10**8 - 1), st.lists(st.integers(0, 21), max_size=5), st.booleans())
def test_an_iban_is_taken_however_it_is_written(number: int, spaces: list[int], is_lower: bool) -> None:
    digits = f"BUKB202015{number:08}"
    iban = f"GB{stdnum.iban.calc_check_digits(f'GB00{digits}')}{digits}"
    spelled = iban.lower() if is_lower else iban
    for at in sorted(spaces, reverse=True):
        spelled = f"{spelled[:at]} {spelled[at:]}"
    assert NewBankAccount(**{**BODY, "iban": spelled}).iban == iban


@given(st.integers(2, 21), st.integers(1, 9))
def test_a_single_wrong_digit_is_found(at: int, wrong: int) -> None:
    if IBAN[at].isdecimal():
        digit = str((int(IBAN[at]) + wrong) % 10)
        with pytest.raises(ValidationError, match="is not an IBAN"):
            NewBankAccount(**{**BODY, "iban": IBAN[:at] + digit + IBAN[at + 1 :]})


def test_ten_at_once_through_http_are_all_there(shop: Shop, operator: Inside) -> None:
    path = f"/v1/merchants/{shop.id}/bank-accounts"
    calls = [
        partial(shop.platform.post, path, json=BODY, headers={"Idempotency-Key": f"key {number % 5}"})
        for number in range(10)
    ]
    answers = together(calls, clients=4)
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert {account["id"] for account in listed(operator, shop)} == made
