"""Merchants as Lambda answers them: what is wrong with a plan is said where it is wrong."""

from typing import Any

import pytest

from local.system import System
from tests.conftest import Shop
from tests.functions.inside import Inside

FEE = {"basis_points": 150, "fixed": 20}
BODY = {"name": "Shop", "currency": "GBP", "fee": FEE, "settlement_delay_days": 2}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"fees": {"ZZZ": FEE}}, "/fees/ZZZ"),
        ({"fees": {"USD": {**FEE, "basis_points": 10_001}}}, "/fees/USD/basis_points"),
        ({"fees": {"GBP": FEE}}, "/fees"),
    ],
    ids=["unknown currency", "too dear", "own currency"],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_bad_plan_is_pointed_at(
    engine: System, shop: Shop, method: str, change: dict[str, Any], pointer: str
) -> None:
    operator = Inside(engine.platform_key)
    if method == "POST":
        answer = operator(method, "/v1/merchants", {**BODY, **change}, idempotency_key="key")
    else:
        answer = operator(method, f"/v1/merchants/{shop.id}", change)
    assert answer.status == 422
    assert [fault["pointer"] for fault in answer.body["errors"]] == [pointer]


@pytest.mark.parametrize("member", ["name", "fee", "fees", "settlement_delay_days", "cut_off", "status"])
def test_a_member_that_is_null_is_pointed_at(engine: System, shop: Shop, member: str) -> None:
    answer = Inside(engine.platform_key)("PATCH", f"/v1/merchants/{shop.id}", {member: None})
    assert answer.status == 422
    assert [fault["pointer"] for fault in answer.body["errors"]] == [f"/{member}"]
