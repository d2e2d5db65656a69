"""Who is calling: keys are minted, kept as digests, checked, remembered for a while and forgotten again."""

import hashlib
import hmac
import uuid
from collections.abc import Callable, Iterator

import pytest

from chassis import auth, clock, ids, store
from chassis.attributes import Item
from chassis.auth import Access, FeePlan, Merchant, Principal, StoredKey, authenticate, require
from chassis.config import settings
from chassis.errors import Forbidden, MalformedRequest, MerchantSuspended, Unauthorized, ValidationFailed
from chassis.observe import Meter, metered
from chassis.writes import ABSENT, Exists, put, update
from local.system import System

pytestmark = pytest.mark.usefixtures("engine")
PEPPERS = {"1": "11" * 32, "2": "22" * 32}


@pytest.fixture(autouse=True)
def set_peppers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    def listed(*versions: str) -> None:
        monkeypatch.setenv("TAEL_PEPPERS", ",".join(f"{each}:{PEPPERS[each]}" for each in versions))
        settings.cache_clear()

    listed("1", "2")
    auth._found.clear()
    yield listed
    monkeypatch.undo()
    settings.cache_clear()
    auth._found.clear()


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    moved = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: moved[0])

    def pass_time(seconds: float) -> None:
        moved[0] += seconds

    return pass_time


def new_merchant(status: str = "active") -> str:
    merchant_id = ids.random("mer")
    item: Item = {
        "id": merchant_id,
        "status": status,
        "fees": {"GBP": {"basis_points": 1, "fixed": 2}},
        "cut_off": "00:00",
        "settlement_delay_days": 2,
    }
    store.commit(put(auth.TABLE, auth.merchant_key(merchant_id), item, ABSENT, refused=Exists))
    return merchant_id


def new_key(merchant_id: str) -> tuple[str, StoredKey]:
    key_id = auth.key_id_for(merchant_id, ids.random("key"))
    text, kept = auth.mint(merchant_id, key_id)
    at = auth.api_key_key(merchant_id, key_id)
    store.commit(put(auth.TABLE, at, kept.model_dump(), ABSENT, refused=Exists))
    return text, kept


def change(merchant_id: str, status: str, key_id: str | None = None) -> None:
    at = auth.api_key_key(merchant_id, key_id) if key_id else auth.merchant_key(merchant_id)
    store.commit(update(auth.TABLE, at, refused=Exists, assign={"status": status}))


def sign_in(key: str, on_behalf_of: str | None = None) -> tuple[Principal, Meter]:
    with metered() as meter:
        return authenticate(f"Bearer {key}", on_behalf_of), meter


def refused(key: str) -> Meter:
    with metered() as meter, pytest.raises(Unauthorized):
        authenticate(f"Bearer {key}", None)
    return meter


def test_a_key_has_256_secret_bits_and_only_a_peppered_digest_is_kept() -> None:
    merchant_id = new_merchant()
    key_id = auth.key_id_for(merchant_id, ids.random("key"))
    (text, kept), (again, _) = auth.mint(merchant_id, key_id), auth.mint(merchant_id, key_id)
    prefix, named, secret = text.split("_")
    assert (prefix, f"key_{named}") == ("sk", key_id)
    assert len(bytes.fromhex(secret)) == 32
    assert again != text
    digest = hmac.new(bytes.fromhex(PEPPERS["2"]), text.encode(), hashlib.sha256).hexdigest()
    assert kept == StoredKey(id=key_id, digest=digest, pepper="2", status="live")
    assert secret not in kept.model_dump_json()


@pytest.mark.parametrize("key_id", ["", "key_x", "key_" + "a" * 31, "key_" + "A" * 32, f"key_{'a' * 32}"])
def test_a_key_is_minted_only_for_a_key_id_of_its_merchant(key_id: str) -> None:
    with pytest.raises(ValueError, match="is not a key id of"):
        auth.mint("mer_" + "b" * 24, key_id)


def test_a_live_key_makes_its_merchant_the_principal() -> None:
    merchant_id = new_merchant()
    principal, meter = sign_in(new_key(merchant_id)[0])
    plan = {"GBP": FeePlan(basis_points=1, fixed=2)}
    assert principal == Principal(
        False, Merchant(id=merchant_id, status="active", cut_off="00:00", settlement_delay_days=2, fees=plan)
    )
    assert (principal.id, principal.only_holder) == (merchant_id, merchant_id)
    assert principal.owns(merchant_id)
    assert not principal.owns(new_merchant())
    assert meter.read_calls == 1


def test_an_older_pepper_verifies_while_it_is_listed(set_peppers: Callable[..., None]) -> None:
    set_peppers("1")
    text, kept = new_key(new_merchant())
    assert kept.pepper == "1"
    set_peppers("1", "2")
    assert not sign_in(text)[0].is_platform
    set_peppers("2")
    refused(text)


def test_a_wrong_secret_or_anothers_key_id_is_unauthorized() -> None:
    merchant_id = new_merchant()
    text, _ = new_key(merchant_id)
    other, _ = new_key(merchant_id)
    stranger, _ = new_key(new_merchant())
    head, secret = text.rsplit("_", 1)
    for wrong in (
        f"{head}_{'0' * 64}",
        f"{head}_{other.rsplit('_', 1)[1]}",
        f"{stranger.rsplit('_', 1)[0]}_{secret}",
        f"sk_{ids.random('mer')[4:]}{'a' * 8}_{secret}",
        text.upper(),
        text + "0",
        text[:-1],
    ):
        refused(wrong)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic abc", "sk_x", "Bearer é", "Bearer \x00", "Bearer a b"]
)
def test_a_header_without_a_key_is_unauthorized_without_a_read(header: str | None) -> None:
    with metered() as meter, pytest.raises(Unauthorized):
        authenticate(header, None)
    assert meter == Meter()


def test_the_scheme_is_case_insensitive(engine: System) -> None:
    assert authenticate(f"bEARER  {engine.platform_key} ", None).is_platform


def test_a_key_is_read_once_in_30_seconds_and_revocation_is_seen_after_them(
    wait: Callable[[float], None],
) -> None:
    merchant_id = new_merchant()
    text, kept = new_key(merchant_id)
    assert sign_in(text)[1].read_calls == 1
    change(merchant_id, "revoked", kept.id)
    wait(29.9)
    assert sign_in(text)[1].read_calls == 0
    wait(0.2)
    assert refused(text).read_calls == 1
    assert refused(text).read_calls == 0


def test_an_unknown_key_is_asked_for_once_in_30_seconds(wait: Callable[[float], None]) -> None:
    merchant_id = new_merchant()
    text, _ = auth.mint(merchant_id, auth.key_id_for(merchant_id, ids.random("key")))
    assert [refused(text).read_calls for _ in range(3)] == [1, 0, 0]
    wait(31)
    assert refused(text).read_calls == 1


def test_wrong_secrets_for_a_known_key_cost_no_reads() -> None:
    text, _ = new_key(new_merchant())
    sign_in(text)
    assert refused(text.rsplit("_", 1)[0] + "_" + "0" * 64).read_calls == 0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "get_many", lambda keys: [None for _ in keys])
    for number in range(auth.CACHE_ENTRIES + 100):
        auth._lookup(f"mer_{number}", None)
    assert len(auth._found) == auth.CACHE_ENTRIES


def test_the_platform_acts_for_itself_or_on_behalf_of_a_merchant(engine: System) -> None:
    alone, meter = sign_in(engine.platform_key)
    assert (alone.id, alone.only_holder, alone.merchant, meter) == ("platform", None, None, Meter())
    merchant_id = new_merchant()
    acting, _ = sign_in(engine.platform_key, merchant_id)
    assert (acting.is_platform, acting.id, acting.only_holder) == (True, merchant_id, None)
    assert acting.acting_merchant.id == merchant_id
    assert acting.owns("anybody's")


@pytest.mark.parametrize("merchant_id", ["", "nobody", "mer_x", "é", f"mer_{'a' * 24}", f"mer_{'a' * 24}\n"])
def test_the_platform_cannot_act_for_nobody(engine: System, merchant_id: str) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        authenticate(f"Bearer {engine.platform_key}", merchant_id)
    (fault,) = refusal.value.faults
    assert (fault.place, fault.pointer) == ("header", "/Tael-Merchant")


def test_a_merchant_that_names_a_merchant_is_forbidden_even_itself() -> None:
    merchant_id = new_merchant()
    text, _ = new_key(merchant_id)
    for named in (merchant_id, new_merchant(), "nobody", ""):
        with pytest.raises(Forbidden):
            authenticate(f"Bearer {text}", named)
    with pytest.raises(Unauthorized):
        authenticate(f"Bearer {text[:-64]}{'0' * 64}", merchant_id)


def test_a_suspended_merchant_reads_and_does_not_act(engine: System, wait: Callable[[float], None]) -> None:
    merchant_id = new_merchant()
    text, _ = new_key(merchant_id)
    require(sign_in(text)[0], Access.ANY, changes=True)
    change(merchant_id, "suspended")
    wait(31)
    for principal in (sign_in(text)[0], sign_in(engine.platform_key, merchant_id)[0]):
        for access in (Access.ANY, Access.MERCHANT):
            require(principal, access, changes=False)
            with pytest.raises(MerchantSuspended):
                require(principal, access, changes=True)


def test_access_is_what_an_operation_says() -> None:
    merchant = Merchant(
        id=str(uuid.uuid4()), status="active", cut_off="00:00", settlement_delay_days=2, fees={}
    )
    platform, acting = Principal(True), Principal(True, merchant)
    require(platform, Access.PLATFORM, changes=True)
    require(acting, Access.PLATFORM, changes=True)
    require(acting, Access.MERCHANT, changes=True)
    require(platform, Access.ANY, changes=True)
    with pytest.raises(Forbidden):
        require(Principal(False, merchant), Access.PLATFORM, changes=False)
    with pytest.raises(MalformedRequest, match="Tael-Merchant"):
        require(platform, Access.MERCHANT, changes=False)
