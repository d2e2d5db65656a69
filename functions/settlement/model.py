"""The rules of settlement: what a line is, which settlement counts it, how one is closed and released."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from chassis import clock, ids
from functions.settlement import postings
from functions.settlement.records import Carry, Line, StoredSettlement
from functions.settlement.shapes import PaymentCaptured, RefundSucceeded, SettlementStatus
from ledger import posting

GRACE_SECONDS = 300
"""A settlement stays open so long after its cut-off, for events on their way and clocks that are wrong."""

TRANSITIONS: Mapping[SettlementStatus, frozenset[SettlementStatus]] = {
    "open": frozenset({"closed"}),
    "closed": frozenset({"released"}),
    "released": frozenset(),
}
"""From each status to those that may follow; a new settlement is open."""


def line_of(event: PaymentCaptured | RefundSucceeded) -> Line:
    """The line that an event means."""
    if isinstance(event, PaymentCaptured):
        payment = event.data
        return Line(
            event_id=event.id,
            merchant_id=event.principal,
            type="payment",
            order_id=payment.order_id,
            refund_id=None,
            currency=payment.currency,
            amount=payment.captured,
            fee=payment.fee,
            occurred_at=payment.captured_at,
            window=payment.settlement_window,
            available_at=payment.available_at,
        )
    refund = event.data
    return Line(
        event_id=event.id,
        merchant_id=event.principal,
        type="refund",
        order_id=refund.order_id,
        refund_id=refund.id,
        currency=refund.currency,
        amount=refund.amount,
        fee=0,
        occurred_at=refund.succeeded_at,
        window=refund.settlement_window,
        available_at=refund.available_at,
    )


def settlement_id(merchant_id: str, currency: str, window: str) -> str:
    """The one settlement of a merchant, a currency and a settlement day."""
    return ids.derive("stl", merchant_id, currency, window)


def opened(lines: Sequence[Line], window: str) -> StoredSettlement:
    """The settlement of that window as these lines need it: empty, and delayed as the slowest of them is."""
    first = lines[0]
    moved = datetime.fromisoformat(window) - datetime.fromisoformat(first.window)
    latest = datetime.fromisoformat(max(line.available_at for line in lines))
    return StoredSettlement(
        id=settlement_id(first.merchant_id, first.currency, window),
        merchant_id=first.merchant_id,
        currency=first.currency,
        window=window,
        available_at=clock.timestamp(latest + moved),
        status="open",
    )


def sums(lines: Iterable[Line]) -> dict[str, int]:
    """What these lines add to their settlement, without what they add nothing to."""
    totals = {"payments": 0, "captured": 0, "refunds": 0, "refunded": 0, "fees": 0}
    for line in lines:
        count, amount = ("payments", "captured") if line.type == "payment" else ("refunds", "refunded")
        totals[count] += 1
        totals[amount] += line.amount
        totals["fees"] += line.fee
    return {name: total for name, total in totals.items() if total}


def following(window: str, at: datetime) -> str:
    """The settlement day for what came too late for this one: the next that has not ended yet."""
    ended = datetime.fromisoformat(window)
    days = max(1, (at - ended) // timedelta(days=1) + 1)
    return clock.timestamp(ended + timedelta(days=days))


def closes_before(at: datetime) -> str:
    """Settlements of windows up to this moment are to be closed."""
    return clock.timestamp(at - timedelta(seconds=GRACE_SECONDS))


def closed(settlement: StoredSettlement, carry: Carry, at: datetime) -> tuple[StoredSettlement, Carry]:
    """The settlement with nothing more to come, and what it leaves for the next one to make up for."""
    lacking = carry.amount < 0
    ended = _moved(
        settlement,
        "closed",
        closed_at=clock.timestamp(at),
        carried_in=carry.amount,
        carried_from=carry.settlement if lacking else None,
    )
    left = ended.carried_out
    after = {"amount": left, "settlement": ended.id if left else None}
    return ended, carry.model_copy(update=after)


def released(settlement: StoredSettlement, at: datetime) -> StoredSettlement:
    """The settlement with its net available, and its fees earned."""
    done = _moved(settlement, "released", released_at=clock.timestamp(at))
    entries = [entry.id for movement in postings.of_release(done) for entry in posting.entries(movement)]
    return done.model_copy(update={"entries": tuple(entries)})


def _moved(settlement: StoredSettlement, status: SettlementStatus, **changes: object) -> StoredSettlement:
    if status not in TRANSITIONS[settlement.status]:
        raise ValueError(f"{settlement.id} is {settlement.status} and cannot be {status}")
    return settlement.model_copy(update={"status": status, **changes})


def by_settlement(lines: Iterable[Line]) -> list[list[Line]]:
    """The lines of each merchant, currency and window together: each event once, in the order of time."""
    groups: dict[tuple[str, str, str], dict[str, Line]] = {}
    for line in sorted(lines, key=lambda line: line.occurred_at):
        groups.setdefault((line.merchant_id, line.currency, line.window), {})[line.event_id] = line
    return [list(group.values()) for group in groups.values()]
