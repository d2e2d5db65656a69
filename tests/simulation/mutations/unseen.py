"""Owns the bugs that no seed has found: another guard makes them harmless, or what shows them is too rare."""

from dataclasses import replace
from typing import Final

from tests.simulation.mutations.mutation import Mutation, Patch, Setting, mutation

_PENDING = """    if payment.pending is not None:
        raise InProgress(f"order {payment.order_id} is waiting for the acquirer")
"""

MUTATIONS: Final = (
    # Another guard: the record that a commit writes first says on a repetition that it is there already.
    mutation(
        "token-per-try",
        "a transaction that is tried again has a new ClientRequestToken",
        "chassis.store:commit",
        "token=operation",
        'token=ids.random("op")',
    ),
    mutation(
        "own-success-unknown",
        "a lone write whose answer was lost takes its own success for another's",
        "chassis.store:_write_one",
        "existing.get(OPERATION) == operation",
        "False",
    ),
    mutation(
        "lone-addition-unstamped",
        "a lone write is no transaction, and leaves no operation id, even where it adds",
        "chassis.store:commit",
        """    if len(writes) == 1 and not writes[0].is_additive:
        write = writes[0].stamped(operation)
""",
        """    if len(writes) == 1:
        write = writes[0]
""",
    ),
    # Another guard: whoever resolves too soon claims the attempt first, and the approval is then refused.
    mutation(
        "resolves-at-once",
        "whoever resolves does not wait until whoever asked must be done",
        "functions.payments.resolution:resolve",
        "if _seconds_until_due(payment.pending) > 0:",
        "if False:",
    ),
    # Another guard: whatever is handled twice at once is refused by the version that it came from.
    Mutation(
        "visibility-too-short",
        "a queue delivers a message again while it is being handled",
        (
            Setting(
                "tests.simulation.world:QUEUES",
                lambda queues: tuple(replace(queue, visibility_seconds=2) for queue in queues),
            ),
        ),
    ),
    # Time stands still within a function while it waits for nobody, so both moments are the same.
    mutation(
        "entry-by-the-clock",
        "an entry has the time at which it is written, and not that which its payment has stored",
        "functions.payments.postings:capture_posting",
        "at=payment.updated_at",
        "at=__import__('chassis.clock').clock.timestamp(__import__('chassis.clock').clock.now())",
    ),
    # No check: signatures are verified with all secrets that an endpoint has had.
    mutation(
        "webhook-old-secret",
        "after a rotation the secrets before it sign, and the new one does not",
        "functions.webhooks.model:secrets_of",
        "(endpoint.secret_id, *valid)",
        "(valid or (endpoint.secret_id,))",
    ),
    # Too rare: a process has to die, or a stranger to be out of reach, at one place that is seldom come by.
    Mutation(
        "event-in-process",
        "a frozen wallet is told of by whoever froze it, and not by the stream",
        (
            Patch(
                "functions.wallets.publication:status_messages",
                "moved = [",
                "return []\n    moved = [",
            ),
            Patch(
                "functions.wallets.actions:_change",
                "    return Reply(get_wallet(principal, wallet_id))",
                """    from functions.wallets import publication
    from chassis import events
    item = store.get(accounts.TABLE, accounts.wallet(wallet_id).key)
    records = table.records([wallet_id])
    events.send(publication._messages_of_status(item, records))
    return Reply(get_wallet(principal, wallet_id))""",
            ),
        ),
    ),
    mutation(
        "carry-in-another-commit",
        "a settlement is closed in one commit, and what it lacks carried over in another",
        "functions.settlement.actions:_close",
        "store.commit(table.save(closed), table.save_carry(settlement.merchant_id, left))",
        "store.commit(table.save(closed)); store.commit(table.save_carry(settlement.merchant_id, left))",
    ),
    mutation(
        "topup-asks-first",
        "a card is charged before the top-up is stored",
        "functions.topups.actions:top_up",
        """    try:
        store.commit(table.save(topup))
    except Exists as existing:
        return _replay(table.parsed(existing.item), intent)
    asked = table.kept(topup)
    return _answer(resolution.concluded(asked, gateway.charge(asked, card)), replayed=False)""",
        """    outcome = gateway.charge(topup, card)
    try:
        store.commit(table.save(topup))
    except Exists as existing:
        return _replay(table.parsed(existing.item), intent)
    asked = table.kept(topup)
    return _answer(resolution.concluded(asked, outcome), replayed=False)""",
    ),
    mutation(
        "capture-not-asked",
        "a card's capture of which the answer was lost counts as done",
        "functions.payments.gateway:perform",
        "return connector().capture(pending.attempt_id, charge, pending.amount)",
        """outcome = connector().capture(pending.attempt_id, charge, pending.amount)
            return Approved() if isinstance(outcome, Unknown) else outcome""",
    ),
    mutation(
        "failed-refund-keeps",
        "a refund that failed still counts as given back",
        "functions.payments.pending:refund_concluded",
        "return told, refund.model_copy(update=failed)",
        "return model.refunded(told, refund, at)[0], refund.model_copy(update=failed)",
    ),
    # Too rare: a question has to arrive between a look-up and a void.
    mutation(
        "card-not-found-is-no",
        "a charge that the acquirer has not seen yet counts as failed, and its id is not refused for ever",
        "functions.payments.gateway:give_up",
        "voided = connector().void(pending.attempt_id)",
        "voided = Approved()",
    ),
    mutation(
        "card-unclaimed-void",
        "a charge is voided without claiming that before",
        "functions.payments.resolution:resolve",
        "        payment = _abandon(payment, waiting)\n",
        "",
    ),
    mutation(
        "topup-not-found-is-no",
        "a charge that the acquirer has not seen yet counts as failed, and its id is not refused for ever",
        "functions.topups.gateway:give_up",
        "voided = connector().void(topup.attempt_id)",
        "voided = Approved()",
    ),
    mutation(
        "topup-unclaimed-void",
        "a charge is voided without claiming that before",
        "functions.topups.resolution:resolve",
        "        topup = _abandon(topup)\n",
        "",
    ),
    mutation(
        "payout-unclaimed-cancel",
        "an order is cancelled without claiming that before",
        "functions.payouts.resolution:resolve",
        "        payout = _abandon(payout)\n",
        "",
    ),
    # Too rare: what would have to be asked is seldom asked.
    mutation(
        "anybodys-topup",
        "a top-up is shown to every merchant",
        "functions.topups.actions:get_topup",
        "topup is None or topup.merchant_id != principal.acting_merchant.id",
        "topup is None",
    ),
    mutation(
        "any-attempt-answers",
        "an earlier attempt is answered with what became of the latest one",
        "functions.payments.model:earlier_attempt",
        "            return tried\n",
        "            return stored.latest\n",
    ),
    mutation(
        "capture-after-expiry",
        "an authorization is captured after it has expired",
        "functions.payments.model:capturable",
        "payment.expires_at is not None and clock.timestamp(at) >= payment.expires_at",
        "False",
    ),
    mutation(
        "refund-beyond-capture",
        "more is given back than was taken",
        "functions.payments.model:new_refund",
        "if amount > payment.refundable:",
        "if amount > payment.amount:",
    ),
)
