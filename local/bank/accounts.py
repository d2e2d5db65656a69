"""The test bank accounts: which IBAN makes the sandbox bank do what."""

from dataclasses import dataclass, field
from typing import Literal

from local.faults import Act, Fault

Fate = tuple[Literal["paid", "returned"], ...]
"""What becomes of an order that was taken, one after the other."""


@dataclass(frozen=True, slots=True)
class SandboxAccount:
    """A test bank account; by default an order is taken at once, and paid a moment later."""

    iban: str = field(repr=False)
    name: str
    """Stands in the book instead of the IBAN."""
    does: str
    act: Act = field(default_factory=Act)
    fate: Fate = ("paid",)


PAYING = SandboxAccount(
    "GB48TAEL00000000000001", "pays", "It is paid after a moment. So it is with every IBAN not listed here."
)
ACCOUNTS = (
    PAYING,
    SandboxAccount(
        "GB21TAEL00000000000002",
        "account_closed",
        "The order is refused: `account_closed`.",
        Act(decline="account_closed"),
    ),
    SandboxAccount(
        "GB91TAEL00000000000003",
        "accepted_silently",
        "The order is taken, but no answer comes; a lookup finds it, and it is paid.",
        Act(fault=Fault.SILENT_AFTER),
    ),
    SandboxAccount(
        "GB64TAEL00000000000004",
        "silent",
        "No answer comes, and no order is taken; a lookup finds nothing.",
        Act(fault=Fault.SILENT_BEFORE),
    ),
    SandboxAccount(
        "GB37TAEL00000000000005",
        "returned",
        "The order is taken, and returned after a moment: it is never paid.",
        fate=("returned",),
    ),
    SandboxAccount(
        "GB10TAEL00000000000006",
        "paid_then_returned",
        "It is paid after a moment, and returned another moment later.",
        fate=("paid", "returned"),
    ),
    SandboxAccount(
        "GB80TAEL00000000000007",
        "errors",
        "Every order answers 500, and none is taken; a lookup finds nothing.",
        Act(fault=Fault.ERROR),
    ),
    SandboxAccount(
        "GB53TAEL00000000000008",
        "slow",
        "The order is taken slowly, but within the limits; then it is paid.",
        Act(fault=Fault.SLOW),
    ),
)
BY_IBAN = {account.iban: account for account in ACCOUNTS}
BY_NAME = {account.name: account for account in ACCOUNTS}
