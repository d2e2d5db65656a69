"""Who pays with which test card: nearly all cards are good, some are declined, and one answer gets lost."""

from dataclasses import dataclass, field

from local.acquirer.deck import APPROVING, BY_NAME, SandboxCard
from local.demo.rows import Row
from local.faults import Fault

NO_WALLET_DIGIT = "1"
"""Customers whose number ends with it pay as guests do: by card."""
PAYERS_PER_DECLINE = 6
"""The first card of every so many who pay by card is declined."""
TOPUPS_PER_DECLINE = 4
DECLINES_PER_SECOND_CARD = 2
"""Every so many of those who are declined have another card with them."""
LOSING = "charged_silently"
"""It is charged, but the acquirer's answer never arrives."""
DECLINING = (
    *("do_not_honor", "insufficient_funds", "expired_card", "lost_card"),
    *("stolen_card", "suspected_fraud", "processing_error"),
)


@dataclass(frozen=True, slots=True)
class Card:
    """A test card in somebody's hand."""

    payer: str
    name: str
    """What the sandbox acquirer calls it."""

    @property
    def number(self) -> str:
        """Its number."""
        return self._sandbox.number

    @property
    def decline(self) -> str | None:
        """Why a payment with it is declined, if it is."""
        return self._sandbox.act("authorize").decline

    @property
    def loses_the_answer(self) -> bool:
        """Whether nobody hears that a payment with it was charged."""
        return self._sandbox.act("authorize").fault is Fault.SILENT_AFTER

    @property
    def _sandbox(self) -> SandboxCard:
        return BY_NAME[self.name]


def is_by_card(row: Row) -> bool:
    """Whether an order is paid by card: a guest's, or of a customer without a wallet."""
    return not row.customer_id or row.customer_id.endswith(NO_WALLET_DIGIT)


def payer_of(row: Row) -> str:
    """Who pays an order; every guest is somebody else."""
    return row.customer_id or f"guest-{row.order_id}"


@dataclass(slots=True)
class Pockets:
    """The cards that people take out, in the order in which they first do."""

    loses_an_answer: bool
    """Whether there is still an answer to be lost."""
    cards: dict[Card, None] = field(default_factory=dict)
    in_hand: dict[str, Card] = field(default_factory=dict)
    """Payer -> the card that is tried."""
    declines: int = 0
    """Of orders, until now."""
    topups: int = 0
    dealt: int = 0
    """Declining cards, of which each one is another."""

    def card_for(self, row: Row, *, at_once: bool) -> Card:
        """The card that an order is to be paid with."""
        payer = payer_of(row)
        if payer not in self.in_hand:
            if self.loses_an_answer and at_once and not row.customer_id:
                self.loses_an_answer = False
                name = LOSING
            else:
                is_declined = (len(self.in_hand) + 1) % PAYERS_PER_DECLINE == 0
                name = self._declining() if is_declined else APPROVING.name
            self.in_hand[payer] = self._take_out(payer, name)
        return self.in_hand[payer]

    def second_card(self, row: Row) -> Card | None:
        """Another card after a decline, where there is one."""
        self.declines += 1
        if self.declines % DECLINES_PER_SECOND_CARD:
            return None
        payer = payer_of(row)
        self.in_hand[payer] = self._take_out(payer, APPROVING.name)
        return self.in_hand[payer]

    def card_for_topup(self, customer: str) -> Card:
        """The card that fills a wallet."""
        self.topups += 1
        is_declined = self.topups % TOPUPS_PER_DECLINE == 0
        return self._take_out(customer, self._declining() if is_declined else APPROVING.name)

    def _take_out(self, payer: str, name: str) -> Card:
        card = Card(payer, name)
        self.cards.setdefault(card)
        return card

    def _declining(self) -> str:
        self.dealt += 1
        return DECLINING[(self.dealt - 1) % len(DECLINING)]
