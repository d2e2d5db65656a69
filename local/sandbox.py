"""The sandbox merchant of an embedded system: made at the first start, its key shown at every start."""

from dataclasses import dataclass
from http import HTTPStatus
from uuid import uuid4

from local import secrets
from local.api import Api, ApiError
from local.system import System

IDEMPOTENCY_KEY = "tael-up-sandbox-merchant"
MERCHANT = {
    "name": "Sandbox",
    "currency": "GBP",
    "fee": {"basis_points": 150, "fixed": 20},
    "settlement_delay_days": 2,
}


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A merchant to try things with."""

    merchant: str
    key: str


def prepare(system: System) -> Sandbox:
    """The sandbox merchant with a key that works."""
    with Api(system.url, system.platform_key) as platform:
        kept = _kept(system, platform)
        if kept:
            return kept
        created = platform.post("/v1/merchants", MERCHANT, key=IDEMPOTENCY_KEY).body
        # A key is shown once. Where it was lost, because this command was killed before it wrote the
        # key down, another takes its place.
        key = created["api_key"]["key"] or _replace_key(platform, created["id"])
    found = Sandbox(created["id"], key)
    secrets.save(system.state.secrets, system.secrets.with_sandbox(found.merchant, found.key))
    return found


def _kept(system: System, platform: Api) -> Sandbox | None:
    merchant, key = system.secrets.sandbox_merchant, system.secrets.sandbox_key
    if merchant and key and _exists(platform, merchant) and _works(system.url, key):
        return Sandbox(merchant, key)
    return None


def _exists(platform: Api, merchant: str) -> bool:
    """An engine that was killed has forgotten what these secrets remember.

    It must be asked for the merchant first: a key that it doesn't know, it remembers as unknown for a
    while, even when the merchant is then made again with that very key id.
    """
    try:
        platform.get(f"/v1/merchants/{merchant}")
    except ApiError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return False
        raise
    return True


def _works(url: str, key: str) -> bool:
    with Api(url, key) as sandbox:
        try:
            sandbox.get("/v1/wallets", limit=1)
        except ApiError as error:
            if error.status == HTTPStatus.UNAUTHORIZED:
                return False
            raise
    return True


def _replace_key(platform: Api, merchant: str) -> str:
    """A new key, in the place of the oldest one where there is no room for more."""
    path = f"/v1/merchants/{merchant}/api-keys"
    issued = platform.post(path, key=str(uuid4()), refusal=HTTPStatus.CONFLICT)
    if issued.status == HTTPStatus.CONFLICT:
        live = [key for key in platform.pages(path) if key["status"] == "live"]
        platform.delete(f"{path}/{live[-1]['id']}")
        issued = platform.post(path, key=str(uuid4()))
    key: str = issued.body["key"]
    return key
