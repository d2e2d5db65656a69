"""The routes of the card vault: keep, show, delete."""

from acquiring.acquirer import CardDeclined
from chassis.auth import Access, Principal
from chassis.operations import Intent, KeyRule, Reply
from chassis.service import Service
from functions.cards import actions
from functions.cards.model import Card, CardId, NewCard

service = Service("cards", "The card vault: card numbers become tokens.")
app = service.app


@service.operation(
    "POST /v1/cards", access=Access.MERCHANT, status=201, key=KeyRule.REQUIRED, refusals=(CardDeclined,)
)
def create_card(principal: Principal, intent: Intent, body: NewCard) -> Reply[Card]:
    """Keep a bank card.

    It is verified with its issuer first. The number is sealed and shown by no operation; the security code
    is used for the verification and kept nowhere. A refusal is stored: to try again after one, send a new
    key. After 503 nobody knows the issuer's answer yet: repeat the same request.
    """
    return actions.keep(principal, intent, body)


@service.operation("GET /v1/cards/{card_id}", access=Access.MERCHANT)
def get_card(principal: Principal, card_id: CardId) -> Card:
    """Show a card."""
    return actions.show(principal, card_id)


@service.operation("DELETE /v1/cards/{card_id}", access=Access.MERCHANT)
def delete_card(principal: Principal, card_id: CardId) -> Reply[Card]:
    """Delete a card.

    Its number is removed for good, so nothing can be charged to it any more; what was charged can still be
    refunded. Deleting it again changes nothing.
    """
    return actions.delete(principal, card_id)
