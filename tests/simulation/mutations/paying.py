"""Owns the bugs of payments and their refunds, by wallet and by card."""

from typing import Final

from tests.simulation.mutations.mutation import Mutation, Patch, mutation

_PENDING = """    if payment.pending is not None:
        raise InProgress(f"order {payment.order_id} is waiting for the acquirer")
"""

MUTATIONS: Final = (
    mutation(
        "payment-overwrites",
        "a payment's record may be there already",
        "functions.payments.table:save",
        "ABSENT, refused=Exists",
        "refused=Exists",
    ),
    mutation(
        "refund-overwrites",
        "a refund's record may be there already",
        "functions.payments.table:create_refund",
        "ABSENT, refused=Repeated",
        "refused=Repeated",
    ),
    mutation(
        "payment-in-two-commits",
        "a wallet's payment is stored in one commit, and its money moved in another",
        "functions.payments.actions:_pay_by_wallet",
        "store.commit(table.save(paid), *taking)",
        "store.commit(table.save(paid)); store.commit(*taking)",
    ),
    mutation(
        "payment-record-last",
        "a wallet's money is taken in one commit, and the payment stored in another",
        "functions.payments.actions:_pay_by_wallet",
        "store.commit(table.save(paid), *taking)",
        "store.commit(*taking); store.commit(table.save(paid))",
    ),
    mutation(
        "payment-refusal-forgotten",
        "a payment that lacked money is refused, and the refusal not kept",
        "functions.payments.actions:_pay_by_wallet",
        "        store.commit(table.save(failed))\n",
        "",
    ),
    mutation(
        "card-asks-first",
        "the acquirer is asked before the payment is stored",
        "functions.payments.actions:_pay_by_card",
        """    store.commit(table.save(asked))
    asked = table.kept(asked)
    ended = resolution.concluded(asked, gateway.authorize(asked, card))
""",
        """    outcome = gateway.authorize(asked, card)
    store.commit(table.save(asked))
    asked = table.kept(asked)
    ended = resolution.concluded(asked, outcome)
""",
    ),
    mutation(
        "card-random-attempt",
        "the acquirer is asked under an id of that moment, and not under the one that was stored",
        "functions.payments.gateway:authorize",
        "return connector().authorize(\n        payment.latest.attempt_id,",
        'from chassis import ids\n    return connector().authorize(\n        ids.random("att"),',
    ),
    mutation(
        "card-unknown-is-no",
        "a charge whose answer was lost counts as declined",
        "functions.payments.gateway:authorize",
        """return connector().authorize(
        payment.latest.attempt_id,
        card,
        payment.amount,
        payment.currency,
        capture=payment.capture == "automatic",
    )""",
        """outcome = connector().authorize(
        payment.latest.attempt_id,
        card,
        payment.amount,
        payment.currency,
        capture=payment.capture == "automatic",
    )
    return Declined(DeclineCode.PROCESSING_ERROR) if isinstance(outcome, Unknown) else outcome""",
    ),
    mutation(
        "refund-under-new-id",
        "a card's refund is asked for under a new id each time",
        "functions.payments.gateway:perform",
        "return connector().refund(pending.attempt_id, charge, pending.amount)",
        """from chassis import ids
            return connector().refund(ids.random("att"), charge, pending.amount)""",
    ),
    Mutation(
        "two-refunds-at-once",
        "the acquirer is asked about a payment while it has not answered the question before",
        (
            Patch("functions.payments.model:_moved", _PENDING, ""),
            Patch("functions.payments.pending:_asking", _PENDING, ""),
        ),
    ),
    mutation(
        "expiry-keeps-hold",
        "an authorization is given up, and what it held stays held",
        "functions.payments.actions:_canceling",
        "return canceled, (balances.release(accounts.wallet(source.wallet), stored.amount),)",
        "return canceled, ()",
    ),
    mutation(
        "expiry-never",
        "an authorization that nobody captures is never given up",
        "functions.payments.actions:expire",
        'return _canceling(stored, "expired", at) if is_due else None',
        "return None",
    ),
    mutation(
        "capture-of-available",
        "a capture takes what is available, and leaves the hold",
        "functions.payments.postings:capture_posting",
        "from_hold=payment.amount if on_hold else None",
        "from_hold=None",
    ),
    mutation(
        "fee-truncated",
        "half a penny of a fee is rounded down",
        "functions.payments.model:fee_of",
        "(captured * plan.basis_points + 5000) // 10000",
        "captured * plan.basis_points // 10000",
    ),
    mutation(
        "fee-in-floats",
        "a fee is computed in floats, and rounded as these are",
        "functions.payments.model:fee_of",
        "(captured * plan.basis_points + 5000) // 10000",
        "round(captured * (plan.basis_points / 10000))",
    ),
)
