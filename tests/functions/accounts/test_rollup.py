"""Every change of the ledger is counted once: in whatever batches it comes, and whoever dies over it."""

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis import attributes, aws, ids, observe, store, writes
from chassis.auth import Principal
from chassis.config import table_name
from chassis.sources import Change, FailedAt
from functions.accounts import actions, app, records, table
from functions.accounts.model import Source, TrialBalanceQuery
from functions.accounts.records import Count, Figures, Total
from ledger import accounts, journal
from ledger import posting as postings
from ledger.posting import Posting, post
from ledger.reasons import Kind, Reason
from tests.functions.accounts.books import MERCHANT, PAID, WALLETS, Books, posting, postings_of
from tests.functions.accounts.conftest import Told, in_memory
from tests.functions.accounts.memory import Killed, Memory

SOURCES: tuple[Source, ...] = get_args(Source)
FROM_THE_ROLLUP = TrialBalanceQuery()

Delivery = tuple[int, int, list[str]]
"""How far a batch reaches back before what is done, how many changes it has, and who dies over it."""

deliveries = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.integers(1, 12),
        st.lists(st.sampled_from(["lives", "before", "after"]), max_size=3),
    ),
    max_size=10,
)


def deliver(shard: str, changes: Sequence[Change], plan: Sequence[Delivery], memory: Memory | None) -> None:
    """Tell the changes of a shard as a stream may: never skipping any, and again what was not answered."""
    changes = [replace(change, shard=shard) for change in changes]
    done = 0
    for back, size, deaths in [*plan, (0, len(changes), [])]:
        start, end = max(0, done - back), min(len(changes), done + size)
        if start == end:
            continue
        if memory:
            memory.deaths = list(deaths)
        with contextlib.suppress(Killed):
            actions.roll_up(changes[start:end])
            done = max(done, end)
    if memory:
        memory.deaths = []
    if done < len(changes):
        actions.roll_up(changes[done:])


def is_exact(books: Books) -> None:
    """The sums are those of the whole ledger, each of them."""
    truth = records.summed(books.ledger)
    assert table.snapshot().figures == truth
    assert table.totals() == {figure: truth[figure] for figure in truth if isinstance(figure, Total | Count)}
    for figure in truth:
        if isinstance(figure, accounts.Account):
            assert table.balance(figure) == truth[figure]
    assert actions.trial_balance(FROM_THE_ROLLUP).balanced
    assert actions.trial_balance(FROM_THE_ROLLUP).entries == truth.get(Count(), 0)


@given(postings_of(25), st.lists(deliveries, min_size=2, max_size=2), st.integers(4, 9))
@settings(max_examples=150)
def test_the_sums_are_exact_however_the_changes_come_and_whoever_dies(
    postings: list[Posting], plans: list[list[Delivery]], figures_per_commit: int
) -> None:
    books = Books.of(postings)
    with pytest.MonkeyPatch.context() as patch:
        memory = in_memory(patch)
        patch.setattr(table, "FIGURES_PER_COMMIT", figures_per_commit)
        for (shard, changes), plan in zip(books.told.items(), plans, strict=True):
            deliver(shard, changes, plan, memory)
        is_exact(books)
    # A change can need more than four figures: then it has a commit of its own.
    assert max(memory.sizes, default=0) <= 1 + max(figures_per_commit, 5)


@pytest.mark.usefixtures("quiet")
@given(postings_of(12), st.lists(deliveries, min_size=2, max_size=2))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_real_table_counts_the_same(postings: list[Posting], plans: list[list[Delivery]]) -> None:
    books, before = Books.of(postings), table.snapshot().figures
    for (shard, changes), plan in zip(books.told.items(), plans, strict=True):
        deliver(f"{shard} of {ids.random('try')}", changes, plan, None)
    assert moved(before) == {figure: by for figure, by in records.summed(books.ledger).items() if by}


def moved(before: Figures) -> Figures:
    """What was added to the sums since."""
    found = records.difference(before, table.snapshot().figures)
    return {figure: by for figure, by in found.items() if by}


def many(entries: int, merchants: int) -> list[Change]:
    """So many wallet payments: an entry for each, a debit of the one wallet, and a hold of what is left."""
    names = [f"mer_{number:024}".translate(str.maketrans("0189", "abcd")) for number in range(merchants)]
    books = Books.of([])
    for number in range(entries):
        (paid,) = postings.entries(posting(number, Reason.PAYMENT, merchant=names[number % merchants]))
        books.put({"pk": paid.partition, "sk": f"ENTRY#{number}", **paid.model_dump(mode="json")})
        books.change(paid.partition, -1, "GBP")
    (told,) = filter(None, books.told.values())
    return [replace(change, shard="shard") for change in told]


@pytest.mark.usefixtures("quiet")
def test_what_it_costs() -> None:
    changes = many(entries=300, merchants=18)
    with observe.metered() as counted:
        actions.roll_up(changes)
    # A checkpoint, 18 accounts, two totals and the count, each in a transaction.
    assert (counted.write_calls, counted.write_units, counted.read_calls) == (1, 2 * 22, 1)
    assert counted.write_units / 300 < 0.15

    with observe.metered() as counted:
        actions.roll_up(changes)
    assert (counted.write_calls, counted.read_calls) == (0, 1)


@pytest.mark.usefixtures("quiet")
def test_more_accounts_than_a_commit_can_write_take_several() -> None:
    changes = many(entries=250, merchants=250)
    with observe.metered() as counted:
        actions.roll_up(changes)
    # 96 accounts beside the checkpoint, two totals and the count.
    assert counted.write_calls == 3
    total = actions.trial_balance(FROM_THE_ROLLUP)
    assert total.entries == 250
    assert {part.kind: part.balance for part in total.data[0].accounts} == {
        Kind.MERCHANT_PENDING: 250,
        Kind.WALLET: -250,
    }
    assert total.rolled_up_until == posting(249, Reason.PAYMENT).at


@pytest.mark.usefixtures("quiet")
def test_of_two_workers_at_the_same_changes_each_change_is_counted_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(table, "FIGURES_PER_COMMIT", 6)
    changes = many(entries=40, merchants=8)
    with ThreadPoolExecutor(2) as workers:
        for counting in [workers.submit(actions.roll_up, changes) for _ in range(2)]:
            counting.result()
    total = actions.trial_balance(FROM_THE_ROLLUP)
    assert (total.entries, total.balanced) == (40, True)


def test_who_is_overtaken_reads_again_and_skips(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = many(entries=10, merchants=2)
    read = table.checkpoint
    reads = []

    def overtaken(shard: str) -> records.Checkpoint:
        reads.append(shard)
        found = read(shard)
        if len(reads) == 1:
            monkeypatch.setattr(table, "checkpoint", read)
            actions.roll_up(changes[:13])
            monkeypatch.setattr(table, "checkpoint", overtaken)
        return found

    monkeypatch.setattr(table, "checkpoint", overtaken)
    actions.roll_up(changes)
    assert len(reads) == 2
    assert len(memory.sizes) == 2
    assert actions.trial_balance(FROM_THE_ROLLUP).entries == 10


def test_a_hold_costs_nothing(memory: Memory) -> None:
    held = [change for change in many(5, 1) if change.old and records.weighed(change.old) == weight(change)]
    assert len(held) == 5
    actions.roll_up(held)
    assert memory.items == {}


def weight(change: Change) -> Figures:
    assert change.new is not None
    return records.weighed(change.new)


def test_changes_that_do_not_say_their_shard_are_refused(memory: Memory) -> None:
    with pytest.raises(ValueError, match="of which shard"):
        actions.roll_up([replace(change, shard=None) for change in many(1, 1)])
    assert memory.items == {}


def test_a_change_that_cannot_be_read_is_named_and_what_came_before_it_counts(memory: Memory) -> None:
    changes = many(entries=4, merchants=1)
    assert changes[6].new is not None
    spoilt = replace(changes[6], new={**changes[6].new, "target": "nowhere", "currency": None})
    with pytest.raises(FailedAt) as failure:
        actions.roll_up([*changes[:6], spoilt, *changes[7:]])
    assert failure.value.change == spoilt
    assert table.checkpoint("shard").sequence_number == changes[5].sequence_number


def test_an_event_is_counted_as_lambda_tells_it(memory: Memory) -> None:
    records_told = [
        {
            "eventName": "INSERT",
            "dynamodb": {
                "SequenceNumber": change.sequence_number,
                "Keys": attributes.encode(change.key),
                "NewImage": attributes.encode(change.new or {}),
                **({"OldImage": attributes.encode(change.old)} if change.old else {}),
            },
        }
        for change in many(entries=3, merchants=1)
    ]
    event = {"Records": records_told, "shardId": "shard", "window": {}, "state": {}}
    for _ in range(2):
        assert app.roll_up(event, None) == {"batchItemFailures": [], "state": {}}
    assert actions.trial_balance(FROM_THE_ROLLUP).entries == 3

    loud = app.service.streams[0].invoke
    with pytest.raises(ValueError, match="of which shard"):
        loud({"Records": records_told}, None)


def commit(*movements: Posting) -> None:
    for movement in movements:
        store.commit(*post(movement))


@pytest.fixture
def paid(told: Told) -> Told:
    """A deposit, a payment and its settlement in a ledger that was empty."""
    store.commit(accounts.open_account(accounts.wallet(WALLETS[0]), "GBP", "platform"))
    commit(*PAID, posting(3, Reason.NET_SETTLEMENT, amount=200), posting(4, Reason.FEE, amount=10))
    return told


def test_the_roll_up_of_the_stream_is_the_journal(paid: Told) -> None:
    changes = paid()
    actions.roll_up(changes)
    rolled, anew = (actions.trial_balance(TrialBalanceQuery(source=source)) for source in SOURCES)
    assert (rolled.data, rolled.entries, rolled.balanced) == (anew.data, anew.entries, True)
    assert [(part.kind, part.balance, part.source) for part in rolled.data[0].accounts] == [
        (Kind.BANK, -1000, "entries"),
        (Kind.FEES, 10, "entries"),
        (Kind.MERCHANT_AVAILABLE, 200, "balances"),
        (Kind.MERCHANT_PENDING, 90, "entries"),
        (Kind.WALLET, 700, "balances"),
    ]
    assert (rolled.rolled_up_until, anew.rolled_up_until) == (PAID[0].at[:-2] + "4Z", None)
    pending = actions.get_account(Principal(is_platform=True), f"merchant_pending:{MERCHANT}:GBP")
    assert pending.balance == 90


@pytest.mark.parametrize("damage", ["a penny more", "no entry"])
def test_damage_by_hand_makes_the_trial_balance_fail(paid: Told, damage: str) -> None:
    key = accounts.wallet(WALLETS[0]).key
    if damage == "a penny more":
        store.commit(writes.update(accounts.TABLE, key, refused=lambda _: Killed(), add={"available": 1}))
    else:
        entry = next(item for item in journal.whole_ledger() if item["sk"].startswith("ENTRY#"))
        aws.client("dynamodb").delete_item(
            TableName=table_name("ledger"), Key=attributes.encode({"pk": entry["pk"], "sk": entry["sk"]})
        )
    actions.roll_up(paid())
    for source in SOURCES:
        total = actions.trial_balance(TrialBalanceQuery(source=source))
        assert not total.balanced
        assert [part.currency for part in total.data if part.total] == ["GBP"]
