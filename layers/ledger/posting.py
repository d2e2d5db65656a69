"""Owns the movement of money: a posting takes one amount from one account and gives it to another."""

from dataclasses import dataclass

from chassis import ids, paging
from chassis.writes import Write
from ledger import balances, journal
from ledger.accounts import Account
from ledger.money import MAX_POSTING
from ledger.reasons import PERMITTED, UNCONDITIONAL, Reason

SPREAD = 16
"""Over how many partitions the entries between two unguarded accounts are spread."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One positive amount from `source` to `target`: it cannot be unbalanced.

    `operation` names the record whose commit carries it, such as `payment:mer_...:536365:1`; the posting's
    id is derived from it. `at` is the operation's stored time, never a retry's clock.
    """

    reason: Reason
    source: Account
    target: Account
    amount: int
    currency: str
    operation: str
    at: str
    reference: str
    """What the statement shows: an order id, a transfer id, the reference of a deposit."""
    holder: str | None = None
    """The holder that every guarded account here must have; None where any will do."""
    from_hold: int | None = None
    """The hold that this movement ends: it takes `amount` of it, and the rest can be spent again."""

    def __post_init__(self) -> None:
        """Refuse a movement that the allowlist does not know: a defect of ours, never a caller's."""
        if (self.source.kind, self.target.kind) not in PERMITTED[self.reason]:
            raise ValueError(f"{self.reason} moves no money from {self.source.kind} to {self.target.kind}")
        if not 1 <= self.amount <= MAX_POSTING:
            raise ValueError(f"{self.amount} is not an amount")
        if self.source == self.target:
            raise ValueError("a posting has two accounts")
        if self.from_hold is not None and self.from_hold < self.amount:
            raise ValueError("a hold gives no more than it holds")
        if {self.source.currency, self.target.currency} - {None, self.currency}:
            raise ValueError("a posting has one currency")

    @property
    def id(self) -> str:
        """Derived from the operation, so that a repeated one has the same."""
        return ids.derive("pst", self.operation, self.reason)


def post(posting: Posting) -> tuple[Write, ...]:
    """The writes that move the money: guarded balances, and the journal entries that tell of it.

    They belong into one commit behind the operation's own record, whose condition is what stops a second
    posting. A wallet has its entry in its own partition, so that its statement is true right after the
    commit; an unguarded account has no item of its own: nothing hot is written.
    """
    # The credit goes first: when both are refused, "there is no such wallet" is told before "no money",
    # and a refusal for lack of money, which is stored, means that nothing else was wrong.
    writes = []
    if posting.target.guarded:
        writes.append(_give(posting))
    if posting.source.guarded:
        writes.append(_take(posting))
    return (*writes, *(journal.record(entry) for entry in entries(posting)))


def _take(posting: Posting) -> Write:
    if posting.from_hold is not None:
        return balances.release(posting.source, posting.from_hold, taken=posting.amount)
    return balances.debit(posting.source, posting.amount, posting.currency, posting.holder)


def _give(posting: Posting) -> Write:
    if posting.reason in UNCONDITIONAL:
        return balances.give_back(posting.target, posting.amount, posting.currency)
    return balances.credit(posting.target, posting.amount, posting.currency, posting.holder)


def entries(posting: Posting) -> tuple[journal.Entry, ...]:
    """One journal entry for each guarded account, or a single one when there is none; it names both sides."""
    guarded = [str(account) for account in (posting.source, posting.target) if account.guarded]
    return tuple(
        journal.Entry(
            posting=posting.id,
            partition=partition,
            source=str(posting.source),
            target=str(posting.target),
            amount=posting.amount,
            currency=posting.currency,
            reason=posting.reason,
            reference=posting.reference,
            created_at=posting.at,
        )
        for partition in guarded or [_spread(posting)]
    )


def _spread(posting: Posting) -> str:
    """Where the entry of two unguarded accounts stands: in one of many partitions, so that none is hot."""
    mine = posting.target if posting.target.subject else posting.source
    return f"{mine}#{paging.shard_of(posting.id, SPREAD)}"
