"""Every operation that names an object, with another merchant's key: not there, or not for merchants."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from chassis.auth import Access
from chassis.operations import Operation
from local.system import System
from tests.conftest import Shop, new_key, onboard
from tests.functions.inside import everything
from tests.journeys.calling import OPERATIONS, assert_documented, bodies_for, body_for, some
from tests.journeys.till import await_until
from tests.payee import Payee

OBJECTS = {"wallet", "from_wallet", "to_wallet", "card", "bank_account", "endpoint"}
"""Members of bodies that name an object."""


@dataclass(frozen=True)
class Tenants:
    """A merchant that has one of everything, and one that asks for it, which must change nothing."""

    owner: Shop
    stranger: Shop
    theirs: dict[str, str]
    """What the owner's objects are called, in paths and in bodies."""
    own: dict[str, str]
    """The stranger's own, for bodies."""


def keep_card(shop: Shop) -> str:
    card = body_for(OPERATIONS["POST /v1/cards"])
    kept = shop.http.post("/v1/cards", json=card, headers=new_key())
    assert kept.status_code == 201, kept.text
    return str(kept.json()["id"])


def first_of(shop: Shop, listing: str) -> str:
    """The id of the last thing that was listed there, once there is one."""

    def found() -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = shop.http.get(listing).json()["data"]
        return listed

    await_until(lambda: found() != [])
    return str(found()[0]["id"])


def endpoint_of(shop: Shop) -> str:
    body = body_for(OPERATIONS["POST /v1/webhook-endpoints"])
    made = shop.http.post("/v1/webhook-endpoints", json=body, headers=new_key())
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


@pytest.fixture(scope="module")
def tenants(engine: System, platform: httpx.Client) -> Iterator[Tenants]:
    owner, stranger = onboard(engine, platform), onboard(engine, platform)
    with owner.http, stranger.http:
        wallet, other = owner.wallet(1000), owner.wallet(1000)
        payee, own_account = Payee(owner), Payee(stranger).account()
        payee.settle(1000)
        body = {"from_wallet": wallet, "to_wallet": other, "amount": 1, "currency": "GBP"}
        transfer = owner.http.post("/v1/transfers", json=body, headers=new_key()).json()
        card = keep_card(owner)
        body = {"wallet": wallet, "card": card, "amount": 1, "currency": "GBP"}
        topup = owner.http.post("/v1/topups", json=body, headers=new_key()).json()
        owner.authorize("1", wallet, 10)
        entry = owner.pay("2", wallet, 10).json()["entries"][0]
        (key,) = owner.http.get(f"/v1/merchants/{owner.id}/api-keys").json()["data"]
        theirs = {
            "account": f"wallet:{wallet}",
            "card_id": card,
            "endpoint_id": endpoint_of(owner),
            "entry_id": entry,
            "event_id": first_of(owner, "/v1/events"),
            "key_id": key["id"],
            "merchant_id": owner.id,
            "order_id": "1",
            "payout_id": payee.pay_out(1, "account_closed").json()["id"],
            "refund_id": owner.refund("2", 1).json()["id"],
            "settlement_id": first_of(owner, "/v1/settlements"),
            "topup_id": topup["id"],
            "transfer_id": transfer["id"],
            "wallet_id": wallet,
            **dict.fromkeys(OBJECTS, wallet),
            "card": card,
            "bank_account": payee.account(),
        }
        own = {name: stranger.wallet(1000) for name in ("wallet", "from_wallet", "to_wallet")}
        theirs["endpoint"] = theirs["endpoint_id"]
        own |= {"card": keep_card(stranger), "bank_account": own_account, "endpoint": endpoint_of(stranger)}
        asked = Tenants(owner, stranger, theirs, own)
        before = everything()
        yield asked
        assert everything() == before


def named(body: Any) -> Iterator[str]:
    """The members of a body that name objects, at whatever depth."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield from [name] if name in OBJECTS and isinstance(value, str) else named(value)


def fill(body: Any, values: dict[str, str]) -> Any:
    if not isinstance(body, dict):
        return body
    return {
        name: values[name] if name in values and isinstance(value, str) else fill(value, values)
        for name, value in body.items()
    }


IN_PATHS = [operation for operation in OPERATIONS.values() if operation.path_model.model_fields]
IN_BODIES = [
    pytest.param(operation, body, name, id=f"{operation.name} {name}")
    for operation in OPERATIONS.values()
    for body in bodies_for(operation)
    for name in named(body)
]


OTHERWISE = {
    ("POST /v1/payouts", "wallet"): (403, "forbidden"),  # that is for the platform
    ("POST /v1/payouts", "bank_account"): (422, "validation_failed"),  # it is none of the merchant's
}


def refused(operation: Operation, tenants: Tenants, url: str, body: Any, name: str = "") -> None:
    answer = tenants.stranger.http.request(operation.method, url, json=body, headers=new_key())
    expected = (403, "forbidden") if operation.access is Access.PLATFORM else (404, "not_found")
    expected = OTHERWISE.get((operation.name, name), expected)
    assert (answer.status_code, answer.json()["code"]) == expected, answer.text
    assert_documented(operation, answer)
    told = json.dumps({**answer.json(), "detail": ""})
    assert not [value for value in tenants.theirs.values() if len(value) > 3 and value in told]


@some([each for each in IN_PATHS if each.name != "POST /v1/payments/{order_id}"])
def test_what_a_path_names_is_not_there_for_another(operation: Operation, tenants: Tenants) -> None:
    url = operation.path.format_map(tenants.theirs)
    refused(operation, tenants, url, fill(body_for(operation), tenants.own))


@pytest.mark.parametrize(("operation", "body", "name"), IN_BODIES)
@pytest.mark.parametrize("capture", ["automatic", "manual"])
def test_what_a_body_names_is_not_there_for_another(
    operation: Operation, body: dict[str, Any], name: str, capture: str, tenants: Tenants
) -> None:
    values = {**tenants.own, name: tenants.theirs[name]}
    body = fill(body, values)
    if "amount" in body:
        body |= {"currency": "GBP", "amount": 10}
    if "capture" in body:
        body["capture"] = capture
    if operation.name == "POST /v1/payouts" and name == "bank_account":
        del body["source"]
    refused(operation, tenants, operation.path.format_map(tenants.theirs), body, name)


@some(IN_PATHS)
def test_to_its_owner_it_is_there(operation: Operation, tenants: Tenants) -> None:
    """Else the matrix would show nothing: what it asks for exists, and the owner may read it."""
    if operation.method == "GET" and operation.access is not Access.PLATFORM:
        order = "2" if "refund_id" in operation.path else "1"
        url = operation.path.format_map({**tenants.theirs, "order_id": order})
        assert tenants.owner.http.get(url).status_code == 200


def test_every_name_in_a_path_is_covered(tenants: Tenants) -> None:
    names = {name for operation in IN_PATHS for name in operation.path_model.model_fields}
    assert names <= tenants.theirs.keys()
