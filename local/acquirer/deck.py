"""The test cards: which number makes the sandbox acquirer do what."""

from dataclasses import dataclass, field
from typing import Literal

from local.faults import Act, Fault

Verb = Literal["verify", "authorize", "capture", "refund", "void", "lookup"]


@dataclass(frozen=True, slots=True)
class SandboxCard:
    """A test card; what `acts` leaves out is approved at once."""

    number: str = field(repr=False)
    name: str
    """Stands in the book instead of the number."""
    does: str
    acts: dict[Verb, Act] = field(default_factory=dict)

    def act(self, verb: Verb) -> Act:
        """What the acquirer makes of that verb."""
        return self.acts.get(verb, Act())


def _declining(number: str, code: str) -> SandboxCard:
    return SandboxCard(number, code, f"Payments are declined: `{code}`.", {"authorize": Act(decline=code)})


APPROVING = SandboxCard(
    "4242424242424242", "approves", "Everything is approved. So it is with every number not listed here."
)
CARDS = (
    APPROVING,
    _declining("4000000000000002", "do_not_honor"),
    _declining("4000000000009995", "insufficient_funds"),
    _declining("4000000000009987", "lost_card"),
    _declining("4000000000009979", "stolen_card"),
    _declining("4000000000000069", "expired_card"),
    _declining("4100000000000019", "suspected_fraud"),
    _declining("4000000000000119", "processing_error"),
    SandboxCard(
        "4000000000000127",
        "incorrect_cvc",
        "It cannot be stored: its verification is declined, `incorrect_cvc`.",
        {"verify": Act(decline="incorrect_cvc")},
    ),
    SandboxCard(
        "4000000000101206",
        "verify_silent",
        "It cannot be stored: its verification never gets an answer.",
        {"verify": Act(fault=Fault.SILENT_BEFORE)},
    ),
    SandboxCard(
        "4000000000101305",
        "verify_errors_twice",
        "It is stored at the third try: the first two verifications answer 500.",
        {"verify": Act(fault=Fault.ERROR_TWICE)},
    ),
    SandboxCard(
        "4000000000100109",
        "charged_silently",
        "Payments are charged, but no answer comes; a lookup finds the charge.",
        {"authorize": Act(fault=Fault.SILENT_AFTER)},
    ),
    SandboxCard(
        "4000000000100208",
        "silent",
        "Payments get no answer, and nothing is charged; a lookup finds nothing.",
        {"authorize": Act(fault=Fault.SILENT_BEFORE)},
    ),
    SandboxCard(
        "4000000000100307",
        "connection_cut",
        "Payments are charged, and the connection breaks in the answer; the retry gets it whole.",
        {"authorize": Act(fault=Fault.CUT_AFTER)},
    ),
    SandboxCard(
        "4000000000100406",
        "slow",
        "Payments are approved slowly, but within the limits.",
        {"authorize": Act(fault=Fault.SLOW)},
    ),
    SandboxCard(
        "4000000000100505",
        "errors_twice",
        "Payments are approved at the third try: the first two answer 500.",
        {"authorize": Act(fault=Fault.ERROR_TWICE)},
    ),
    SandboxCard(
        "4000000000100604",
        "errors",
        "Payments always answer 500, and nothing is charged; a lookup finds nothing.",
        {"authorize": Act(fault=Fault.ERROR)},
    ),
    SandboxCard(
        "4000000000100703",
        "late",
        "Payments get no answer, a lookup finds nothing, and then they are charged, unless voided meanwhile.",
        {"authorize": Act(fault=Fault.LATE)},
    ),
    SandboxCard(
        "4000000000100802",
        "unresolvable",
        "Payments are charged without an answer, and every lookup and void of them answers 500 for ever.",
        {
            "authorize": Act(fault=Fault.SILENT_AFTER),
            "lookup": Act(fault=Fault.ERROR),
            "void": Act(fault=Fault.ERROR),
        },
    ),
    SandboxCard(
        "4000000000100901",
        "capture_silent",
        "Captures are done, but no answer comes; a lookup finds them.",
        {"capture": Act(fault=Fault.SILENT_AFTER)},
    ),
    SandboxCard(
        "4000000000101008",
        "capture_declined",
        "Captures are declined: `processing_error`.",
        {"capture": Act(decline="processing_error")},
    ),
    SandboxCard(
        "4000000000101107",
        "refund_silent",
        "Refunds are done, but no answer comes; a lookup finds them.",
        {"refund": Act(fault=Fault.SILENT_AFTER)},
    ),
    SandboxCard(
        "4000000000005126",
        "refund_declined",
        "Refunds are declined: `processing_error`.",
        {"refund": Act(decline="processing_error")},
    ),
    SandboxCard(
        "4000000000101404",
        "void_silent",
        "Voids are done, but no answer comes; a lookup reads as declined.",
        {"void": Act(fault=Fault.SILENT_AFTER)},
    ),
)
BY_NUMBER = {card.number: card for card in CARDS}
BY_NAME = {card.name: card for card in CARDS}
