"""API keys: shown once, two at most, rolled without a pause, and refused once revoked."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from local.system import System
from tests.conftest import Shop, connect, new_key


@pytest.fixture
def works(system: System) -> Callable[[str], bool]:
    """Whether a key opens the door."""

    def ask(key: str) -> bool:
        with connect(system, key) as client:
            status = client.get("/v1/wallets").status_code
        assert status in {200, 401}
        return status == 200

    return ask


def issue(shop: Shop, **headers: str) -> httpx.Response:
    return shop.platform.post(f"/v1/merchants/{shop.id}/api-keys", headers=headers or new_key())


def revoke(shop: Shop, key_id: str) -> dict[str, Any]:
    answer = shop.platform.delete(f"/v1/merchants/{shop.id}/api-keys/{key_id}")
    assert answer.status_code == 200, answer.text
    revoked: dict[str, Any] = answer.json()
    return revoked


def listed(shop: Shop) -> dict[str, str]:
    found = shop.platform.get(f"/v1/merchants/{shop.id}/api-keys").json()["data"]
    return {key["id"]: key["status"] for key in found}


def test_a_key_can_be_rolled_while_the_old_one_works(shop: Shop, works: Callable[[str], bool]) -> None:
    (old,) = listed(shop)
    new = issue(shop).json()
    assert works(shop.key)
    assert works(new["key"])
    assert revoke(shop, old)["status"] == "revoked"
    assert works(new["key"])
    assert listed(shop) == {old: "revoked", new["id"]: "live"}
    assert issue(shop).status_code == 201


def test_a_merchant_rolls_its_own_keys(shop: Shop) -> None:
    path = f"/v1/merchants/{shop.id}/api-keys"
    issued = shop.http.post(path, headers=new_key())
    assert (issued.status_code, issued.json()["status"]) == (201, "live")
    revoked = shop.http.delete(f"{path}/{issued.json()['id']}")
    assert (revoked.status_code, revoked.json()["status"]) == (200, "revoked")


def test_two_keys_are_live_at_most(shop: Shop) -> None:
    second = issue(shop)
    third = issue(shop)
    assert (second.status_code, third.status_code) == (201, 409)
    assert third.json()["code"] == "conflict"
    assert list(listed(shop).values()) == ["live", "live"]


def test_revoking_again_changes_nothing_and_frees_no_further_place(shop: Shop) -> None:
    second = issue(shop).json()
    first = revoke(shop, second["id"])
    assert [revoke(shop, second["id"]) for _ in range(3)] == [first] * 3
    assert issue(shop).status_code == 201
    assert issue(shop).status_code == 409


def test_a_key_that_was_never_used_is_refused_as_soon_as_it_is_revoked(
    shop: Shop, works: Callable[[str], bool]
) -> None:
    issued = issue(shop).json()
    revoke(shop, issued["id"])
    assert not works(issued["key"])


def test_a_key_is_shown_once(shop: Shop) -> None:
    headers = new_key()
    first, again = issue(shop, **headers), issue(shop, **headers)
    assert first.json()["key"].startswith("sk_")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json() == {**first.json(), "key": None}
    assert len(listed(shop)) == 2
    everywhere = shop.platform.get(f"/v1/merchants/{shop.id}/api-keys").text
    assert first.json()["key"] not in everywhere


def test_a_replay_shows_a_key_as_it_is_now_even_when_there_is_no_place_left(shop: Shop) -> None:
    headers = new_key()
    issued = issue(shop, **headers).json()
    assert issue(shop, **headers).json()["status"] == "live"
    revoke(shop, issued["id"])
    issue(shop)
    again = issue(shop, **headers)
    assert (again.status_code, again.json()["status"], again.json()["key"]) == (201, "revoked", None)


@pytest.mark.parametrize("change", ["secret", "id", "case", "longer"])
def test_a_key_that_is_nearly_right_is_wrong(shop: Shop, works: Callable[[str], bool], change: str) -> None:
    head, _, secret = shop.key.rpartition("_")
    other = "0" if secret[0] != "0" else "1"
    wrong = {
        "secret": f"{head}_{other}{secret[1:]}",
        "id": f"{head[:-1]}{'a' if head[-1] != 'a' else 'b'}_{secret}",
        "case": f"{head}_{secret.upper()}",
        "longer": f"{shop.key}0",
    }[change]
    assert not works(wrong)
    assert works(shop.key)


def test_one_merchants_key_cannot_be_revoked_through_another(new_shop: Callable[..., Shop]) -> None:
    one, other = new_shop(), new_shop()
    (key,) = listed(one)
    answer = one.platform.delete(f"/v1/merchants/{other.id}/api-keys/{key}")
    assert answer.status_code == 404
    assert listed(one) == {key: "live"}
