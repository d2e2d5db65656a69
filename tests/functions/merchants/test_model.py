"""The rules that make and change merchants, without any storage."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chassis.errors import ValidationFailed
from functions.merchants import model
from functions.merchants.model import IssuedKey, MerchantPatch, NewMerchant, StoredMerchant

AT = "2026-11-23T09:30:00.000000Z"
FEE = {"basis_points": 150, "fixed": 20}
BODY = {"name": "Shop", "currency": "GBP", "fee": FEE, "settlement_delay_days": 2}


def merchant(**changes: Any) -> StoredMerchant:
    new = NewMerchant.model_validate({**BODY, **changes})
    return model.onboarded("mer_" + "a" * 24, "key_" + "a" * 32, new, "this", AT)


def patch(stored: StoredMerchant, **changes: Any) -> StoredMerchant:
    return model.patched(stored, MerchantPatch.model_validate(changes))


def test_a_new_merchant_is_active_with_one_live_key_and_settles_at_midnight() -> None:
    new = merchant()
    assert (new.status, new.live_keys, new.cut_off) == ("active", 1, "00:00")


def test_what_is_stored_has_one_plan_per_currency_and_what_is_shown_tells_the_own_one_apart() -> None:
    stored = merchant(fees={"JPY": {"basis_points": 300, "fixed": 0}})
    assert set(stored.fees) == {"GBP", "JPY"}
    shown = stored.shown()
    assert shown.fee.model_dump() == FEE
    assert set(shown.fees) == {"JPY"}
    assert shown.api_key is None


def test_a_key_is_shown_only_where_it_is_handed_over() -> None:
    issued = merchant().shown(IssuedKey(id="key", key="sk_secret"))
    assert issued.api_key is not None
    assert issued.api_key.key == "sk_secret"
    assert "fingerprint" not in issued.model_dump()


def test_the_own_currency_has_its_plan_in_fee_alone() -> None:
    with pytest.raises(ValidationError, match="other currencies"):
        merchant(fees={"GBP": FEE})
    with pytest.raises(ValidationFailed, match="the plan for GBP is fee"):
        patch(merchant(), fees={"GBP": FEE})


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Other"},
        {"settlement_delay_days": 0},
        {"cut_off": "23:59"},
        {"status": "suspended"},
        {"name": "Other", "status": "suspended"},
    ],
)
def test_a_patch_changes_what_it_names_and_nothing_else(change: dict[str, Any]) -> None:
    before = merchant()
    assert patch(before, **change).model_dump() == {**before.model_dump(), **change}


def test_a_patched_fee_leaves_the_other_plans_and_patched_fees_leave_the_own_one() -> None:
    jpy, usd = {"basis_points": 1, "fixed": 0}, {"basis_points": 2, "fixed": 0}
    stored = merchant(fees={"JPY": jpy})
    dearer = patch(stored, fee={"basis_points": 999, "fixed": 0})
    assert (dearer.fees["GBP"].basis_points, set(dearer.fees)) == (999, {"GBP", "JPY"})
    replaced = patch(stored, fees={"USD": usd})
    assert (replaced.fees["GBP"].basis_points, set(replaced.fees)) == (150, {"GBP", "USD"})
    assert set(patch(stored, fees={}).fees) == {"GBP"}


@pytest.mark.parametrize("change", [{}, {"name": None}, {"fee": None}, {"status": None}, {"currency": "USD"}])
def test_a_patch_has_a_member_none_is_null_and_the_currency_never_changes(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        patch(merchant(), **change)


@pytest.mark.parametrize("cut_off", ["24:00", "9:30", "12:60", "12:00:00", "noon", "12:00\n"])
def test_a_cut_off_is_a_time_of_day(cut_off: str) -> None:
    with pytest.raises(ValidationError):
        merchant(cut_off=cut_off)


@given(st.integers(0, 10_000), st.integers(0, 1_000_000), st.integers(0, 30))
def test_every_permitted_plan_survives_storage(basis_points: int, fixed: int, delay: int) -> None:
    stored = merchant(fee={"basis_points": basis_points, "fixed": fixed}, settlement_delay_days=delay)
    assert StoredMerchant.model_validate(stored.model_dump()) == stored
