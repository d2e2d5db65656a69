"""The acquirer, as top-ups ask it: each question under the attempt id that was stored before it."""

from acquiring import vault
from acquiring.acquirer import Approved, Card, DeclineCode, Declined, Outcome, connector
from chassis.errors import NotFound as NoSuchThing
from chassis.outside import NotFound, Unknown
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


def find_out(topup: StoredTopup) -> Outcome | NotFound:
    """How a charge ended whose answer was lost; NotFound when the acquirer never saw it."""
    return connector().lookup(topup.attempt_id)


def give_up(topup: StoredTopup) -> Outcome:
    """Void a charge that was abandoned: the acquirer refuses its attempt id for ever.

    A charge that arrives late finds the door closed, so only now it may be called a failure.
    """
    voided = connector().void(topup.attempt_id)
    return Declined(DeclineCode.PROCESSING_ERROR) if isinstance(voided, Approved) else Unknown()
