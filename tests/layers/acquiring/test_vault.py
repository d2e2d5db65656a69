"""Card numbers at rest: who can read them, what KMS is asked for it, and what a tampered one gives."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from acquiring import vault
from acquiring.acquirer import Card, DeclineCode
from acquiring.vault import DataKey, SealBroken, Sealed
from chassis import aws, clock, ids, kms, observe, store
from chassis.config import settings
from chassis.errors import Unavailable
from functions.cards import model, table
from functions.cards.model import StoredCard
from local.system import System

NUMBER = "4929123456789019"
CARD = Card(NUMBER, exp_month=12, exp_year=2030, brand="visa", last4="9019")


@pytest.fixture(autouse=True)
def _fresh(engine: System) -> Iterator[None]:
    vault.forget_keys()
    yield
    vault.forget_keys()


@pytest.fixture
def merchant() -> str:
    return ids.random("mer")


def key_calls(work: Callable[[], object]) -> int:
    with observe.metered() as counted:
        work()
    return counted.key_calls


def keep(merchant: str, key: DataKey) -> StoredCard:
    """A card in the vault."""
    card_id = ids.random("card")
    blank = model.blank(merchant, card_id, CARD, "asked", clock.timestamp(clock.now()))
    kept = model.accepted(blank, vault.seal(key, merchant, card_id, NUMBER), "fingerprint")
    store.commit(table.create(kept))
    return kept


def test_a_card_is_revealed_to_its_merchant_alone(merchant: str) -> None:
    kept = keep(merchant, vault.new_data_key(merchant))
    assert vault.reveal(merchant, kept.id) == CARD
    assert vault.reveal(ids.random("mer"), kept.id) is None
    assert vault.reveal(merchant, ids.random("card")) is None
    store.commit(table.save(model.deleted(kept.model_copy(update={"version": 1}), "2026-01-01")))
    assert vault.reveal(merchant, kept.id) is None


def test_a_refused_card_is_not_revealed(merchant: str) -> None:
    blank = model.blank(merchant, ids.random("card"), CARD, "asked", "2026-01-01")
    store.commit(table.create(model.declined(blank, DeclineCode.LOST_CARD)))
    assert vault.reveal(merchant, blank.id) is None


def test_in_a_steady_state_kms_is_not_asked(merchant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = vault.new_data_key(merchant)
    kept = [keep(merchant, key) for _ in range(3)]
    vault.forget_keys()
    assert key_calls(lambda: vault.reveal(merchant, kept[0].id)) == 1
    assert key_calls(lambda: [vault.reveal(merchant, each.id) for each in kept * 30]) == 0
    assert key_calls(lambda: [keep(merchant, key) for _ in range(10)]) == 0

    later = clock.monotonic() + vault.CACHE_SECONDS + 1
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    assert key_calls(lambda: vault.reveal(merchant, kept[1].id)) == 1


def test_the_keys_in_memory_are_bounded(merchant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (vault._plaintexts.maxsize, vault._plaintexts.ttl) == (1_000, 300)
    monkeypatch.setattr(kms, "generate_data_key", lambda context: (b"k" * 32, ids.random("x").encode()))
    for _ in range(vault.CACHE_ENTRIES + 10):
        vault.new_data_key(merchant)
    assert len(vault._plaintexts) == vault.CACHE_ENTRIES


def test_a_new_data_key_leaves_what_older_ones_sealed(merchant: str) -> None:
    first, second = vault.new_data_key(merchant), vault.new_data_key(merchant)
    old, new = keep(merchant, first), keep(merchant, second)
    assert old.sealed
    assert new.sealed
    assert (old.sealed.key.id, new.sealed.key.id) == (first.id, second.id)
    assert first.id != second.id
    vault.forget_keys()
    assert vault.reveal(merchant, old.id) == vault.reveal(merchant, new.id) == CARD


def changed(text: str) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[len(raw) // 2] ^= 1
    return base64.b64encode(bytes(raw)).decode()


TAMPERING: dict[str, Callable[[Sealed], dict[str, Any]]] = {
    "ciphertext": lambda sealed: {"ciphertext": changed(sealed.ciphertext)},
    "shorter": lambda sealed: {"ciphertext": sealed.ciphertext[:8]},
    "empty": lambda sealed: {"ciphertext": ""},
    "no base 64": lambda sealed: {"ciphertext": "x"},
    "nonce": lambda sealed: {"nonce": changed(sealed.nonce)},
    "no nonce": lambda sealed: {"nonce": ""},
    "wrapped key": lambda sealed: {"key": DataKey(id=sealed.key.id, wrapped=changed(sealed.key.wrapped))},
    "no key": lambda sealed: {"key": DataKey(id=sealed.key.id, wrapped=base64.b64encode(b"x").decode())},
}


@pytest.mark.parametrize("name", TAMPERING)
def test_what_was_tampered_with_is_refused(merchant: str, name: str) -> None:
    key = vault.new_data_key(merchant)
    sealed = vault.seal(key, merchant, "card_1", NUMBER)
    assert vault.unseal(sealed, merchant, "card_1") == NUMBER
    with pytest.raises(SealBroken) as caught:
        vault.unseal(sealed.model_copy(update=TAMPERING[name](sealed)), merchant, "card_1")
    assert NUMBER not in str(caught.value)


@pytest.mark.parametrize("warm", [True, False])
def test_a_number_belongs_to_one_card_of_one_merchant(merchant: str, warm: bool) -> None:
    other = ids.random("mer")
    sealed = vault.seal(vault.new_data_key(merchant), merchant, "card_1", NUMBER)
    for owner, card_id in ((merchant, "card_2"), (other, "card_1")):
        if not warm:
            vault.forget_keys()
        with pytest.raises(SealBroken):
            vault.unseal(sealed, owner, card_id)


def test_kms_itself_refuses_another_merchant(merchant: str) -> None:
    key = vault.new_data_key(merchant)
    with pytest.raises(kms.Refused):
        kms.unwrap_data_key(base64.b64decode(key.wrapped), {"merchant": ids.random("mer")})


def test_the_same_number_is_sealed_differently_each_time(merchant: str) -> None:
    key = vault.new_data_key(merchant)
    sealed = [vault.seal(key, merchant, "card_1", NUMBER) for _ in range(100)]
    assert len({each.nonce for each in sealed}) == len({each.ciphertext for each in sealed}) == 100
    assert all(len(base64.b64decode(each.nonce)) == vault.NONCE_BYTES for each in sealed)


def test_silence_of_kms_is_unavailable(merchant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = vault.new_data_key(merchant)
    sealed = vault.seal(key, merchant, "card_1", NUMBER)
    vault.forget_keys()
    monkeypatch.setattr(aws, "client", lambda service: Silent())
    monkeypatch.setattr(clock, "sleep", lambda seconds: None)
    with pytest.raises(Unavailable):
        vault.unseal(sealed, merchant, "card_1")


class Silent:
    """A client that gets no answer."""

    def decrypt(self, **_: Any) -> None:
        from botocore.exceptions import ReadTimeoutError  # noqa: PLC0415

        raise ReadTimeoutError(endpoint_url="the key service")


def test_a_fingerprint_needs_its_key(engine: System, monkeypatch: pytest.MonkeyPatch) -> None:
    first = vault.fingerprint("card", "mer_1", NUMBER)
    assert first == vault.fingerprint("card", "mer_1", NUMBER)
    assert len({first, *(vault.fingerprint(*parts) for parts in OTHERS)}) == len(OTHERS) + 1
    monkeypatch.setenv("TAEL_FINGERPRINT_KEY", "00" * 32)
    settings.cache_clear()
    try:
        assert vault.fingerprint("card", "mer_1", NUMBER) != first
    finally:
        monkeypatch.undo()
        settings.cache_clear()


OTHERS = [("card", "mer_2", NUMBER), ("request", "mer_1", NUMBER), ("card", "mer_1", NUMBER[:-1])]
