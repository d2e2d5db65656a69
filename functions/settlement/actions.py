"""What settlement does: count what was captured, close, release, and show; each step is one commit."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from chassis import clock, store
from chassis.auth import Merchant, Principal
from chassis.errors import Conflict, NotFound, Unavailable
from chassis.paging import Page, PageQuery
from chassis.writes import Exists
from functions.settlement import model, postings, table
from functions.settlement.records import Carry, Line, StoredSettlement
from functions.settlement.shapes import (
    CurrencyPosition,
    Position,
    Settlement,
    SettlementEvent,
    SettlementLine,
    SettlementQuery,
)
from ledger import accounts
from ledger.posting import post

RACES = 20
"""How often others may be faster before a step is given up, and taken again later."""
SWEEP_SECONDS = 20.0
"""After which a run of the schedule leaves the rest to the next one; less than a function's timeout."""
READINGS = 3
"""Of a balance, at most: what changes faster is shown as it was read last."""
CSV_LINES = 20_000
"""More might not fit into the 6 MB that Lambda lets a function answer with."""
CSV_CARRIED = "carried_over"


class Busy(Exception):
    """Others were faster again and again: this step is taken again later."""


class TooLarge(Conflict):
    """The settlement has more lines than one answer holds: its payments can be read page by page."""

    code = "settlement_too_large"
    title = "Settlement too large"


def collect(events: Sequence[SettlementEvent]) -> dict[int, Exception]:
    """Count what was captured and refunded, each event once however often it comes.

    Returns the failures by position: what is not done in time comes again, as do those of a commit that the
    storage did not take; of any other failure one event alone is the cause, and fails alone.
    """
    until = clock.monotonic() + SWEEP_SECONDS
    lines = [model.line_of(event) for event in events]
    failed: dict[str, Exception] = {}
    for group in model.by_settlement(lines):
        for some in _parts(group):
            failed |= _count_in_time(some, until)
    return {at: failed[line.event_id] for at, line in enumerate(lines) if line.event_id in failed}


def _count_in_time(lines: Sequence[Line], until: float) -> dict[str, Exception]:
    """Count lines of one commit; returns the failures by event."""
    if clock.monotonic() > until:
        return dict.fromkeys((line.event_id for line in lines), Busy())
    try:
        _count(lines)
    except (Unavailable, Busy) as error:
        return dict.fromkeys((line.event_id for line in lines), error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the event that is its cause is delivered again
        if len(lines) == 1:
            return {lines[0].event_id: error}
        alone = (_count_in_time([line], until) for line in lines)
        return {event_id: failure for failures in alone for event_id, failure in failures.items()}
    return {}


def _parts(lines: Iterable[Line]) -> Iterator[list[Line]]:
    remaining = iter(lines)
    while part := list(islice(remaining, table.LINES)):
        yield part


def _count(lines: Sequence[Line]) -> None:
    """Count lines of one window, in its own settlement, or in a later one when that is closed already."""
    at = clock.now()
    # What was counted before is nearly always seen by the cheaper read; if not, the commit is refused.
    left = table.not_counted(lines, as_of_now=False)
    settlement = model.opened(lines, lines[0].window)
    for _ in range(RACES):
        if not left:
            return
        try:
            store.commit(*table.count(settlement, left, at))
        except table.Closed:
            settlement = model.opened(lines, model.following(settlement.window, at))
        except table.Delayed as longer:
            settlement = settlement.model_copy(update={"available_at": longer.available_at})
        except table.Counted:
            left = table.not_counted(left, as_of_now=True)
        else:
            return
    raise Busy


def settle() -> int:
    """Close the settlements whose day is over, and release those whose delay is; returns how many of both.

    One that cannot be keeps back only those that its merchant carries over to: what it failed with is raised
    in the end.
    """
    at = clock.now()
    until = clock.monotonic() + SWEEP_SECONDS
    failures: dict[tuple[str, str], Exception] = {}
    steps = (
        (table.due("close", model.closes_before(at)), _close),
        (table.due("release", clock.timestamp(at)), _release),
    )
    done = 0
    for due, step in steps:
        for settlement in due:
            chain = (settlement.merchant_id, settlement.currency)
            if clock.monotonic() > until:
                break
            if chain in failures:
                continue
            try:
                done += step(settlement)
            except Exception as failure:  # noqa: BLE001 - whatever is wrong with one, the others are due too
                failures[chain] = failure
    if failures:
        raise ExceptionGroup("settlements that could not be closed or released", list(failures.values()))
    return done


def _close(settlement: StoredSettlement) -> bool:
    """Take no more lines, and settle what the last one lacked: one commit with what is carried over."""
    for _ in range(RACES):
        if settlement.status != "open":
            return False
        carry = table.carry(settlement.merchant_id, settlement.currency)
        closed, left = model.closed(settlement, carry, clock.now())
        try:
            store.commit(table.save(closed), table.save_carry(settlement.merchant_id, left))
        except Exists as existing:
            settlement = table.parsed(existing.item)
        except table.CarryMoved:
            continue
        else:
            return True
    raise Busy


def _release(settlement: StoredSettlement) -> bool:
    """Make the net available and earn the fees: one commit with the journal entries of both."""
    if settlement.status != "closed":
        return False  # an index tells late of what another run has released
    released = model.released(settlement, clock.now())
    movements = (write for movement in postings.of_release(released) for write in post(movement))
    try:
        store.commit(table.save(released), *movements)
    except Exists:
        return False  # another run was faster: a closed settlement changes in no other way
    return True


def list_settlements(principal: Principal, query: SettlementQuery) -> Page[Settlement]:
    """The merchant's settlements, newest first."""
    return table.settlements_of(principal.acting_merchant.id, query)


def get_settlement(principal: Principal, settlement_id: str) -> Settlement:
    """One of the merchant's settlements."""
    return _existing(principal, settlement_id).shown()


def list_lines(principal: Principal, settlement_id: str, query: PageQuery) -> Page[SettlementLine]:
    """What one of the merchant's settlements has counted."""
    return table.lines_of(_existing(principal, settlement_id).id, query)


def settlement_csv(principal: Principal, settlement_id: str) -> str:
    """All of one settlement as CSV: the column `net` adds up to its net. Raises TooLarge."""
    settlement = _existing(principal, settlement_id)
    count = settlement.payments + settlement.refunds
    if count > CSV_LINES:
        raise TooLarge(f"{settlement_id} has {count} lines: read them from its payments, page by page")
    text = io.StringIO()
    rows = csv.DictWriter(text, ["settlement", *SettlementLine.model_fields])
    rows.writeheader()
    for line in table.all_lines(settlement_id):
        rows.writerow({"settlement": settlement_id, **line.model_dump()})
    if settlement.carried_in:
        carried = {"type": CSV_CARRIED, "net": settlement.carried_in, "currency": settlement.currency}
        rows.writerow({"settlement": settlement_id, **carried, "window": settlement.window})
    return text.getvalue()


def _existing(principal: Principal, settlement_id: str) -> StoredSettlement:
    settlement = table.settlement(settlement_id)
    if settlement is None or settlement.merchant_id != principal.acting_merchant.id:
        raise NotFound(f"there is no settlement {settlement_id}")
    return settlement


def get_position(principal: Principal) -> Position:
    """What is pending and what is available, in each currency that the merchant has fees or money in.

    When a settlement is closed or released meanwhile it is read again, so that nothing is shown twice.
    """
    merchant = principal.acting_merchant
    carries, available = _settled(merchant)
    unreleased: list[StoredSettlement] = []
    for _ in range(READINGS):
        before = carries, available
        unreleased = list(table.unreleased(merchant.id))
        carries, available = _settled(merchant)
        if before == (carries, available):
            break
    pending: Counter[str] = Counter({carry.currency: carry.amount for carry in carries})
    for settlement in unreleased:
        pending[settlement.currency] += settlement.pending
    return Position(
        data=[
            CurrencyPosition(
                currency=currency, pending=pending[currency], available=available.get(currency, 0)
            )
            for currency in sorted({*available, *pending})
        ]
    )


def _settled(merchant: Merchant) -> tuple[list[Carry], dict[str, int]]:
    """What closing and releasing changes: what is carried over, and what is available by currency."""
    carries = table.carries(merchant.id)
    currencies = sorted({*merchant.fees, *(carry.currency for carry in carries)})
    balances = accounts.read_many(accounts.merchant_available(merchant.id, each) for each in currencies)
    available = {
        currency: balance.available if balance else 0
        for currency, balance in zip(currencies, balances, strict=True)
    }
    return carries, available
