"""Onboarding and API keys: what they cost the storage, and what comes of races and of storage that fails."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from chassis import observe
from chassis.auth import Principal
from chassis.errors import Conflict, NotFound
from chassis.operations import Intent
from functions.merchants import actions, table
from functions.merchants.model import MerchantPatch, NewMerchant, StoredMerchant
from local.system import System
from tests.conftest import Shop
from tests.functions.inside import Faulty, Inside, Time, conflict, everything, lost

pytestmark = pytest.mark.usefixtures("engine")

PLATFORM = Principal(is_platform=True)
BODY = {
    "name": "Shop",
    "currency": "GBP",
    "fee": {"basis_points": 150, "fixed": 20},
    "settlement_delay_days": 2,
}


@pytest.fixture
def operator(system: System) -> Inside:
    """The platform, in this process."""
    return Inside(system.platform_key)


def intent(operation: str = "POST /v1/merchants") -> Intent:
    return Intent(principal="platform", operation=operation, key=str(uuid.uuid4()), fingerprint="this")


def cost(work: Callable[[], object]) -> tuple[float, int, int]:
    """Write units, write calls and read calls."""
    with observe.metered() as counted:
        work()
    return counted.write_units, counted.write_calls, counted.read_calls


def test_onboarding_is_one_write_call_and_no_read_and_so_is_its_replay() -> None:
    asked, new = intent(), NewMerchant.model_validate(BODY)
    # Merchant and key, each with its index entry.
    assert cost(lambda: actions.onboard(asked, new)) == (2 * 2 + 2, 1, 0)
    assert cost(lambda: actions.onboard(asked, new)) == (2 * 2, 1, 0)


def test_an_api_key_is_one_write_call_and_the_read_of_its_merchant(shop: Shop) -> None:
    asked = intent(f"POST /v1/merchants/{shop.id}/api-keys")
    # The key with its index entry, and the count of live ones.
    assert cost(lambda: actions.create_api_key(PLATFORM, asked, shop.id)) == (2 * 2 + 1, 1, 1)


@pytest.mark.parametrize("faults", [(conflict, conflict), (lost,), (lost, conflict, lost)])
def test_an_onboarding_survives_storage_that_fails_and_still_shows_its_key(
    faults: tuple[Any, ...], operator: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        Time(patched)
        Faulty(patched, *faults)
        answer = operator("POST", "/v1/merchants", BODY, idempotency_key=str(uuid.uuid4()))
    assert (answer.status, answer.is_replay) == (201, False)
    assert Inside(answer.body["api_key"]["key"])("GET", "/v1/wallets").status == 200


def test_a_patch_applies_to_what_another_made_of_the_merchant_meanwhile(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = table.merchant

    def overtaken(merchant_id: str) -> StoredMerchant | None:
        stored = read(merchant_id)
        monkeypatch.undo()
        actions.create_api_key(PLATFORM, intent(f"POST /v1/merchants/{shop.id}/api-keys"), shop.id)
        return stored

    monkeypatch.setattr(table, "merchant", overtaken)
    assert actions.update_merchant(shop.id, MerchantPatch(name="Other")).name == "Other"
    stored = table.merchant(shop.id)
    assert stored
    assert (stored.name, stored.live_keys) == ("Other", 2)


def test_a_patch_that_is_always_overtaken_is_a_conflict(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = table.merchant(shop.id)
    assert stale
    actions.update_merchant(shop.id, MerchantPatch(name="Other"))
    monkeypatch.setattr(table, "merchant", lambda _: stale)
    with pytest.raises(Conflict, match="by others"):
        actions.update_merchant(shop.id, MerchantPatch(name="Third"))


def test_a_patch_whose_answer_is_lost_is_made(
    shop: Shop, operator: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    Time(monkeypatch)
    Faulty(monkeypatch, lost, lost)
    assert operator("PATCH", f"/v1/merchants/{shop.id}", {"name": "Other"}).body["name"] == "Other"
    stored = table.merchant(shop.id)
    assert stored
    assert stored.version == 2


def test_a_revocation_whose_answer_is_lost_frees_one_place(
    shop: Shop, operator: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = table.merchant(shop.id)
    assert stored
    path = f"/v1/merchants/{shop.id}/api-keys/{stored.first_key}"
    Time(monkeypatch)
    Faulty(monkeypatch, lost)
    for _ in range(3):
        answer = operator("DELETE", path)
        assert (answer.status, answer.body["status"], answer.body["key"]) == (200, "revoked", None)
    after = table.merchant(shop.id)
    assert after
    assert after.live_keys == 0


def test_what_is_not_there_cannot_be_changed(shop: Shop) -> None:
    nobody = "mer_" + "a" * 24
    with pytest.raises(NotFound):
        actions.update_merchant(nobody, MerchantPatch(name="Other"))
    with pytest.raises(NotFound):
        actions.create_api_key(PLATFORM, intent(), nobody)
    with pytest.raises(NotFound):
        actions.revoke_api_key(PLATFORM, shop.id, "key_" + "a" * 32)


def test_a_key_is_stored_only_as_a_digest(shop: Shop) -> None:
    stored = str(everything()["principals"])
    secret = shop.key.rpartition("_")[2]
    assert shop.id in stored
    assert secret not in stored
    assert len(secret) * 4 >= 128
