"""The vault table: cards, each its own idempotency record, and each merchant's current data key."""

from acquiring import vault
from acquiring.vault import TABLE
from chassis import store
from chassis.writes import ABSENT, Exists, Write, equals, put, replace_version, update
from functions.cards.model import CurrentDataKey, StoredCard


def create(card: StoredCard) -> Write:
    """The card's record, accepted or declined."""
    key = vault.card_key(card.merchant_id, card.id)
    return put(TABLE, key, card.model_dump(mode="json", exclude={"version"}), ABSENT, refused=Exists)


def save(card: StoredCard) -> Write:
    """The card in place of the version that was read; Exists holds what another wrote meanwhile."""
    key = vault.card_key(card.merchant_id, card.id)
    item = card.model_dump(mode="json", exclude={"version"})
    return replace_version(TABLE, key, item, card.version, refused=Exists)


def save_data_key(merchant_id: str, key: CurrentDataKey) -> Write:
    """The data key in place of the version that was read (0: none); Exists holds the one that won."""
    place, item = vault.data_key_key(merchant_id), key.model_dump(exclude={"version"})
    if key.version == 0:
        return put(TABLE, place, item, ABSENT, refused=Exists)
    return replace_version(TABLE, place, item, key.version, refused=Exists)


def count_seals(merchant_id: str, key_id: str, seals: int) -> Write:
    """So many numbers more under that data key, unless another has taken its place."""
    return update(
        TABLE,
        vault.data_key_key(merchant_id),
        equals("id", key_id),
        refused=Exists,
        add={"seals": seals},
    )


def card(merchant_id: str, card_id: str) -> StoredCard | None:
    """The card as of now."""
    item = store.get(TABLE, vault.card_key(merchant_id, card_id))
    return StoredCard.model_validate(item) if item else None


def card_and_data_key(merchant_id: str, card_id: str) -> tuple[StoredCard | None, CurrentDataKey | None]:
    """The card, and the data key that seals the merchant's next numbers, in one call."""
    keys = vault.card_key(merchant_id, card_id), vault.data_key_key(merchant_id)
    card_item, key_item = store.get_many((TABLE, key) for key in keys)
    return (
        StoredCard.model_validate(card_item) if card_item else None,
        CurrentDataKey.model_validate(key_item) if key_item else None,
    )
