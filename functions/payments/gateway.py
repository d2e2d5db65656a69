"""The acquirer, as payments ask it: each question under the attempt id that was stored before it."""

from acquiring import vault
from acquiring.acquirer import Approved, Card, DeclineCode, Declined, Outcome, connector
from chassis.errors import NotFound as NoSuchThing
from chassis.outside import NotFound, Unknown
from functions.payments.records import Pending, StoredPayment


class NoCard(NoSuchThing):
    """The merchant has no such card to use, or not any more."""


def card_of(merchant_id: str, card_id: str) -> Card:
    """The merchant's card with its number. Raises NoCard for any other."""
    card = vault.reveal(merchant_id, card_id)
    if card is None:
        raise NoCard(f"there is no card {card_id}")
    return card


def authorize(payment: StoredPayment, card: Card) -> Outcome:
    """Reserve the amount, or take it at once for an automatic capture."""
    return connector().authorize(
        payment.latest.attempt_id,
        card,
        payment.amount,
        payment.currency,
        capture=payment.capture == "automatic",
    )


def perform(payment: StoredPayment, pending: Pending) -> Outcome:
    """Capture, void or refund; doing it again under the same attempt id has no second effect."""
    charge = payment.latest.attempt_id
    match pending.kind:
        case "capture":
            return connector().capture(pending.attempt_id, charge, pending.amount)
        case "refund":
            return connector().refund(pending.attempt_id, charge, pending.amount)
        case "void":
            return connector().void(charge)
    raise ValueError(f"a pending {pending.kind} cannot be done again: the card's number is not at hand")


def find_out(payment: StoredPayment, pending: Pending) -> Outcome | NotFound:
    """How a question ended whose answer was lost; NotFound for an authorization the acquirer never saw.

    What follows an authorization was accepted, so when the acquirer does not know of it, it is done now.
    """
    found = connector().lookup(pending.attempt_id)
    if pending.kind == "void":
        # It was authorized, so it can only be declined now because it was voided.
        return Approved() if isinstance(found, Declined) else perform(payment, pending)
    if isinstance(found, NotFound) and pending.kind != "authorize":
        return perform(payment, pending)
    return found


def give_up(pending: Pending) -> Outcome:
    """Void an authorization that was abandoned: the acquirer refuses its attempt id for ever.

    A charge that arrives late finds the door closed, so only now it may be called a failure.
    """
    voided = connector().void(pending.attempt_id)
    return Declined(DeclineCode.PROCESSING_ERROR) if isinstance(voided, Approved) else Unknown()
