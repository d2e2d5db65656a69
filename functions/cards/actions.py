"""What can be done with cards: verify and keep one, show it, delete it."""

import random
from contextlib import suppress
from datetime import datetime

from acquiring import acquirer, vault
from acquiring.acquirer import Approved, CardDeclined, Declined
from acquiring.vault import DataKey
from chassis import clock, ids, store
from chassis.auth import Principal
from chassis.errors import IdempotencyMismatch, NotFound, Unavailable
from chassis.operations import Intent, Reply
from chassis.writes import Exists
from functions.cards import model, table
from functions.cards.model import Card, CurrentDataKey, NewCard, StoredCard

COUNT_EVERY = 100


def keep(principal: Principal, intent: Intent, new: NewCard) -> Reply[Card]:
    """Verify the card with its security code, and keep it without; a refusal is kept too.

    Nothing is stored before the acquirer answers, because nothing is charged: the attempt id follows from
    the request, so whoever repeats it asks the acquirer about the same verification.
    """
    merchant_id, card_id, now = principal.acting_merchant.id, intent.id("card"), clock.now()
    # The intent's own fingerprint is a plain hash of everything, the number and the code included.
    asked = _digest(merchant_id, new)
    known, data_key = table.card_and_data_key(merchant_id, card_id)
    if known:
        return _replay(known, asked)
    card = new.checked(now)
    outcome = acquirer.connector().verify(ids.derive("ver", card_id, asked), card, new.cvc.get_secret_value())
    blank = model.blank(merchant_id, card_id, card, asked, clock.timestamp(now))
    match outcome:
        case Approved():
            key = _usable(merchant_id, data_key, now)
            sealed = vault.seal(key, merchant_id, card_id, card.number)
            kept = model.accepted(blank, sealed, vault.fingerprint("card", merchant_id, card.number))
        case Declined(code):
            kept = model.declined(blank, code)
        case _:
            raise Unavailable("the card could not be verified in time; repeat the same request")
    try:
        store.commit(table.create(kept))
    except Exists as existing:
        return _replay(StoredCard.model_validate(existing.item), asked)
    return Reply(_shown(kept, replayed=False))


def show(principal: Principal, card_id: str) -> Card:
    """The card, never its number."""
    return _card(principal, card_id).shown()


def delete(principal: Principal, card_id: str) -> Reply[Card]:
    """Remove the sealed number for good; idempotent by state."""
    stored = _card(principal, card_id)
    if stored.status == "deleted":
        return Reply(stored.shown(), replayed=True)
    gone = model.deleted(stored, clock.timestamp(clock.now()))
    try:
        store.commit(table.save(gone))
    except Exists as existing:  # nothing but a deletion ever changes a card
        return Reply(StoredCard.model_validate(existing.item).shown(), replayed=True)
    return Reply(gone.shown())


def _card(principal: Principal, card_id: str) -> StoredCard:
    stored = table.card(principal.acting_merchant.id, card_id)
    if stored is None or stored.status == "declined":
        raise NotFound(f"there is no card {card_id}")
    return stored


def _replay(stored: StoredCard, asked: str) -> Reply[Card]:
    if stored.request not in {None, asked}:
        raise IdempotencyMismatch
    return Reply(_shown(stored, replayed=True), replayed=True)


def _shown(stored: StoredCard, *, replayed: bool) -> Card:
    """The card, or the refusal that it met."""
    if stored.failure_code is not None:
        raise CardDeclined(stored.failure_code, replayed=replayed)
    return stored.shown()


def _digest(merchant_id: str, new: NewCard) -> str:
    """What a repeated request must have in common with the first: all but the security code."""
    number, expiry = new.number.get_secret_value(), f"{new.exp_month}/{new.exp_year}"
    return vault.fingerprint("request", merchant_id, number, expiry)


def _usable(merchant_id: str, current: CurrentDataKey | None, now: datetime) -> DataKey:
    """The merchant's data key, or a new one in the place of one that is spent."""
    if current is None or current.is_spent(now):
        fresh = model.next_data_key(vault.new_data_key(merchant_id), current, clock.timestamp(now))
        try:
            store.commit(table.save_data_key(merchant_id, fresh))
        except Exists as quicker:
            return CurrentDataKey.model_validate(quicker.item)
        return fresh
    # Counted one time in a hundred, for a hundred: right on the average, with no write that all the
    # merchant's new cards would contend for.
    if random.randrange(COUNT_EVERY) == 0:  # noqa: S311 - a sample, not a secret
        with suppress(Exists):
            store.commit(table.count_seals(merchant_id, current.id, COUNT_EVERY))
    return current
