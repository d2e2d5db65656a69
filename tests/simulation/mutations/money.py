"""Owns the bugs of balances, wallets, top-ups and payouts."""

from typing import Final

from tests.simulation.mutations.mutation import Mutation, Patch, mutation

MUTATIONS: Final = (
    mutation(
        "overdraft",
        "a debit does not ask whether the money is there",
        "ledger.balances:_spend",
        '        at_least("available", amount),\n',
        "",
    ),
    mutation(
        "anybodys-account",
        "a debit does not ask whose account it is",
        "ledger.balances:_usable",
        '(equals("currency", currency), *mine)',
        '(equals("currency", currency),)',
    ),
    mutation(
        "frozen-spends",
        "a frozen account can be spent from",
        "ledger.balances:_spend",
        'one_of("status", spendable)',
        'one_of("status", (*spendable, "frozen"))',
    ),
    mutation(
        "closed-with-money",
        "an account is closed with money on it",
        "ledger.accounts:close",
        ', "closed", *empty)',
        ', "closed")',
    ),
    mutation(
        "release-of-more",
        "the end of a hold gives back what was taken of it, too",
        "ledger.balances:release",
        '{"available": held - taken}',
        '{"available": held}',
    ),
    mutation(
        "one-sided-entry",
        "of a movement between two wallets only one has an entry",
        "ledger.posting:entries",
        "for partition in guarded or [_spread(posting)]",
        "for partition in guarded[:1] or [_spread(posting)]",
    ),
    mutation(
        "credit-forgotten",
        "a posting takes the money, and writes both entries, and gives it to nobody",
        "ledger.posting:post",
        "if posting.target.guarded:",
        "if posting.target.guarded and not posting.source.guarded:",
    ),
    mutation(
        "transfer-overwrites",
        "a transfer's record may be there already",
        "functions.wallets.table:create_transfer",
        "ABSENT, refused=Exists",
        "refused=Exists",
    ),
    mutation(
        "transfer-in-two-commits",
        "a transfer moves the money first, and keeps its record second",
        "functions.wallets.actions:transfer",
        "store.commit(table.create_transfer(made), *post(movement))",
        "store.commit(*post(movement)); store.commit(table.create_transfer(made))",
    ),
    mutation(
        "transfer-refusal-forgotten",
        "a transfer that lacked money is refused, and the refusal not kept",
        "functions.wallets.actions:_refuse",
        "store.commit(table.create_transfer(refused))",
        "pass",
    ),
    mutation(
        "deposit-overwrites",
        "a deposit's record may be there already",
        "functions.wallets.table:create_deposit",
        "ABSENT, refused=Exists",
        "refused=Exists",
    ),
    mutation(
        "deposit-of-any-wallet",
        "a deposit is named by its reference alone",
        "functions.wallets.model:deposit_of",
        'ids.derive("dep", wallet_id, new.reference)',
        'ids.derive("dep", new.reference)',
    ),
    mutation(
        "topup-overwrites",
        "a top-up's record may be there already",
        "functions.topups.table:save",
        "ABSENT, refused=Exists",
        "refused=Exists",
    ),
    mutation(
        "topup-unknown-is-no",
        "a charge whose answer was lost counts as declined",
        "functions.topups.gateway:charge",
        "return connector().authorize(topup.attempt_id, card, topup.amount, topup.currency, capture=True)",
        """outcome = connector().authorize(topup.attempt_id, card, topup.amount, topup.currency, capture=True)
    return Declined(DeclineCode.PROCESSING_ERROR) if isinstance(outcome, Unknown) else outcome""",
    ),
    mutation(
        "topup-credit-in-another-commit",
        "a top-up has succeeded in one commit, and its money comes in another",
        "functions.topups.resolution:concluded",
        "store.commit(table.save(after), *credit)",
        "store.commit(table.save(after)); credit and store.commit(*credit)",
    ),
    mutation(
        "payout-overwrites",
        "a payout's record may be there already",
        "functions.payouts.table:save",
        "ABSENT, refused=Exists",
        "refused=Exists",
    ),
    mutation(
        "payout-without-hold",
        "a payout is asked for without taking hold of its money",
        "functions.payouts.model:begun",
        "Step(payout, (hold,))",
        "Step(payout, ())",
    ),
    mutation(
        "payout-refusal-forgotten",
        "a payout that lacked money is refused, and the refusal not kept",
        "functions.payouts.actions:_refuse",
        "store.commit(table.save(refused))",
        "pass",
    ),
    mutation(
        "payout-unknown-is-no",
        "a payout whose answer was lost counts as refused",
        "functions.payouts.gateway:submit",
        'return _order("/v1/payouts", asked)',
        """outcome = _order("/v1/payouts", asked)
    return Refused(FailureCode.PROCESSING_ERROR) if isinstance(outcome, Unknown) else outcome""",
    ),
    Mutation(
        "payout-paid-twice",
        "a line of the bank's feed that is told twice is posted twice",
        (
            Patch(
                "functions.payouts.model:followed",
                "payout.status in {fate, Status.RETURNED}",
                "payout.status is Status.RETURNED",
            ),
            Patch(
                "functions.payouts.model:_moved",
                "status not in TRANSITIONS[payout.status]",
                "status not in {payout.status, *TRANSITIONS[payout.status]}",
            ),
            Patch("functions.payouts.table:Bookmark.has_passed", "_checksum(change) in self.passed", "False"),
        ),
    ),
    mutation(
        "payout-returned-from-transit",
        "what comes back after it was paid is taken out of what is in transit",
        "functions.payouts.model:followed",
        "was_paid = payout.status is Status.PAID",
        "was_paid = False",
    ),
    mutation(
        "bookmark-first",
        "the bookmark is moved before the lines of the feed are followed",
        "functions.payouts.resolution:reconcile",
        """        done = _follow_until(deadline, (line for line in page if not bookmark.has_passed(line)))
        if not done:
            continue
        bookmark = table.past(bookmark, done)
        try:
            store.commit(table.move(bookmark))
        except Exists:
            break  # another reader is ahead
""",
        """        done = [line for line in page if not bookmark.has_passed(line)]
        if not done:
            continue
        bookmark = table.past(bookmark, done)
        try:
            store.commit(table.move(bookmark))
        except Exists:
            break  # another reader is ahead
        _follow_until(deadline, done)
""",
    ),
    mutation(
        "payout-not-found-is-no",
        "an order that the bank has not seen yet counts as failed, and its id is not refused for ever",
        "functions.payouts.gateway:give_up",
        'return _order(f"{_path(payout)}/cancel", {})',
        "return Refused(FailureCode.PROCESSING_ERROR)",
    ),
)
