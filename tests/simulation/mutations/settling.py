"""Owns the bugs of settlement and of the ledger's roll-up."""

from typing import Final

from tests.simulation.mutations.mutation import Mutation, Patch, mutation

MUTATIONS: Final = (
    mutation(
        "line-by-delivery",
        "a settlement's line is named by its delivery, and not by its event",
        "functions.settlement.table:_line_key",
        '"sk": line.event_id}',
        '"sk": f"{line.event_id}#{clock.timestamp(clock.now())}"}',
    ),
    Mutation(
        "line-overwrites",
        "a settlement's line may be there already",
        (
            Patch(
                "functions.settlement.table:count",
                "ABSENT, refused=lambda _: Counted()",
                "refused=lambda _: Counted()",
            ),
            Patch(
                "functions.settlement.table:not_counted",
                "if item is None",
                "if item is None or not as_of_now",
            ),
        ),
    ),
    mutation(
        "total-in-another-commit",
        "a settlement's lines are kept in one commit, and its sums in another",
        "functions.settlement.actions:_count",
        "store.commit(*table.count(settlement, left, at))",
        "head, *rest = table.count(settlement, left, at); store.commit(*rest); store.commit(head)",
    ),
    mutation(
        "counts-when-closed",
        "a settlement counts what comes after it was closed",
        "functions.settlement.table:count",
        '        absent_or(equals("status", "open")),\n',
        "",
    ),
    mutation(
        "late-line-dropped",
        "what comes after its settlement was closed is counted by none",
        "functions.settlement.actions:_count",
        "settlement = model.opened(lines, model.following(settlement.window, at))",
        "return",
    ),
    mutation(
        "carry-forgotten",
        "a settlement does not make up for what the last one lacked",
        "functions.settlement.model:closed",
        "carried_in=carry.amount",
        "carried_in=0",
    ),
    mutation(
        "release-overwrites",
        "a settlement is saved over whatever became of it meanwhile",
        "functions.settlement.table:save",
        "return replace_version(TABLE, _key(settlement.id), item, settlement.version, refused=Exists)",
        'return Write(TABLE, _key(settlement.id), Exists, item={**item, "version": settlement.version + 1})',
    ),
    mutation(
        "release-in-two-commits",
        "a settlement is released in one commit, and its money moved in another",
        "functions.settlement.actions:_release",
        "store.commit(table.save(released), *movements)",
        "store.commit(table.save(released)); [store.commit(one) for one in movements]",
    ),
    mutation(
        "release-before-fees",
        "a merchant gets what was captured, and the fees are earned besides",
        "functions.settlement.records:StoredSettlement.paid",
        "return max(self.net, 0)",
        "return max(self.net + self.fees, 0)",
    ),
    mutation(
        "refunds-uncounted",
        "a settlement adds a refund to what was captured",
        "functions.settlement.model:sums",
        'else ("refunds", "refunded")',
        'else ("refunds", "captured")',
    ),
    mutation(
        "checkpoint-in-another-commit",
        "the roll-up adds up in one commit, and notes how far it has come in another",
        "functions.accounts.actions:_count",
        "store.commit(table.advance(after), *sums)",
        "store.commit(*sums); store.commit(table.advance(after))",
    ),
    mutation(
        "checkpoint-ignored",
        "the roll-up counts a change as often as it is told",
        "functions.accounts.actions:_count",
        "if not checkpoint.has_counted(change)",
        "",
    ),
    mutation(
        "rollup-forgets-old",
        "the roll-up counts each change as if nothing had been there before",
        "functions.accounts.records:slices",
        "for image in (change.old, change.new)",
        "for image in (None, change.new)",
    ),
)
