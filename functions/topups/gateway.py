"""The acquirer, as top-ups ask it: each question under the attempt id that was stored before it."""

from acquiring import vault
from acquiring.acquirer import Approved, Card, DeclineCode, Declined, NotFound, Outcome, Unknown, connector
from chassis.errors import NotFound as NoSuchThing
from functions.topups.model import StoredTopup


def card_of(merchant_id: str, card_id: str) -> Card:
    """The merchant's card with its number. Raises the problem NotFound for any other."""
    card = vault.reveal(merchant_id, card_id)
    if card is None:
        raise NoSuchThing(f"there is no card {card_id}")
    return card


def charge(topup: StoredTopup, card: Card) -> Outcome:
    """Take the amount from the card, at once."""
    return connector().authorize(topup.attempt_id, card, topup.amount, topup.currency, capture=True)


def find_out(topup: StoredTopup) -> Outcome:
    """How a charge ended whose answer was lost.

    One that the acquirer does not know is voided before it is called a failure: the acquirer then refuses
    that attempt id for ever, so a charge that arrives late finds the door closed.
    """
    found = connector().lookup(topup.attempt_id)
    if not isinstance(found, NotFound):
        return found
    voided = connector().void(topup.attempt_id)
    return Declined(DeclineCode.PROCESSING_ERROR) if isinstance(voided, Approved) else Unknown()
