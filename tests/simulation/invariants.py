"""Owns what must hold when all is at rest: the money, the records, the strangers and the answers."""

from collections import Counter
from collections.abc import Callable, Iterator

from chassis.attributes import Item
from ledger.journal import Entry
from tests.simulation.acquirer import APPROVED
from tests.simulation.bank import ACCEPTED
from tests.simulation.books import Books, is_guarded
from tests.simulation.world import World

Check = Callable[[World, Books], Iterator[str]]


def zero_sum(world: World, books: Books) -> Iterator[str]:
    """I1: per currency, guarded balances and the entries of all other accounts make zero."""
    totals: Counter[str] = Counter()
    for item in books.balances.values():
        totals[item["currency"]] += item["available"] + item["held"]
    for (account, currency), total in books.sums.items():
        if not is_guarded(account):
            totals[currency] += total
    yield from (f"{currency} adds up to {total}" for currency, total in totals.items() if total)


def balances_are_sums(world: World, books: Books) -> Iterator[str]:
    """I4: each balance is the sum of its entries, and each movement has one entry for each guarded side."""
    for name, item in books.balances.items():
        entries = books.sums.get((name, item["currency"]), 0)
        if item["available"] + item["held"] != entries:
            yield f"{name} has {item['available']} + {item['held']} held, and entries for {entries}"
    for posting, entries_of in books.postings.items():
        first = entries_of[0]
        sides = [name for name in (first["source"], first["target"]) if is_guarded(name)]
        said = {(each["source"], each["target"], each["amount"]) for each in entries_of}
        same = len(said) == 1
        if len(entries_of) != max(1, len(sides)) or not same:
            yield f"posting {posting} has {len(entries_of)} entries: {entries_of}"


def records_move_money(world: World, books: Books) -> Iterator[str]:
    """Every record has moved exactly the money that it says, and nothing else moved any."""
    expected = Counter(_movements(books))
    actual = Counter(
        (first["reason"], first["source"], first["target"], first["amount"])
        for first, *_ in books.postings.values()
    )
    yield from (f"not in the journal: {each} x{count}" for each, count in (expected - actual).items())
    yield from (f"only in the journal: {each} x{count}" for each, count in (actual - expected).items())


Movement = tuple[str, str, str, int]
"""Reason, from, to, and how much."""


def _movements(books: Books) -> Iterator[Movement]:
    yield from _of_payments(books)
    for transfer in books.records["transfer"]:
        if transfer["status"] == "completed":
            sides = f"wallet:{transfer['from_wallet']}", f"wallet:{transfer['to_wallet']}"
            yield "transfer", *sides, transfer["amount"]
    for deposit in books.records["deposit"]:
        yield "deposit", f"bank:{deposit['currency']}", f"wallet:{deposit['wallet']}", deposit["amount"]
    for topup in books.records["topup"]:
        if topup["status"] == "succeeded":
            receivable = f"acquirer_receivable:{topup['currency']}"
            yield "topup", receivable, f"wallet:{topup['wallet']}", topup["amount"]
    for settlement in books.records["settlement"]:
        yield from _of_settlement(settlement)
    for payout in books.records["payout"]:
        yield from _of_payout(payout)


def _of_payments(books: Books) -> Iterator[Movement]:
    sides = {}
    for payment in books.records["payment"]:
        pending = f"merchant_pending:{payment['merchant_id']}:{payment['currency']}"
        sides[payment["pk"]] = _payer(payment), pending
        if payment.get("captured"):
            yield "payment", *sides[payment["pk"]], payment["captured"]
    for refund in books.records["refund"]:
        if refund["status"] == "succeeded":
            payer, pending = sides[refund["pk"]]
            yield "refund", pending, payer, refund["amount"]


def _payer(payment: Item) -> str:
    source = payment["attempts"][-1]["source"]
    if "wallet" in source:
        return f"wallet:{source['wallet']}"
    return f"acquirer_receivable:{payment['currency']}"


def _of_settlement(settlement: Item) -> Iterator[Movement]:
    if settlement["status"] != "released":
        return
    whose = f"{settlement['merchant_id']}:{settlement['currency']}"
    fees, net = settlement.get("fees", 0), _net(settlement)
    if fees:
        yield "fee", f"merchant_pending:{whose}", f"fees:{settlement['currency']}", fees
    if net > 0:
        yield "net_settlement", f"merchant_pending:{whose}", f"merchant_available:{whose}", net


def _net(settlement: Item) -> int:
    came = int(settlement.get("captured", 0)) + int(settlement.get("carried_in", 0))
    return came - int(settlement.get("refunded", 0)) - int(settlement.get("fees", 0))


RETURNED_UNPAID_ENTRIES = 2


def _of_payout(payout: Item) -> Iterator[Movement]:
    if payout["status"] in {"processing", "failed"}:
        return
    currency, amount = payout["currency"], payout["amount"]
    available = f"merchant_available:{payout['merchant_id']}:{currency}"
    source = f"wallet:{payout['wallet']}" if payout.get("wallet") else available
    transit, bank = f"bank_in_transit:{currency}", f"bank:{currency}"
    yield "payout", source, transit, amount
    # A line that says that it was paid may be followed after the one that it came back: then it is too late.
    was_paid = payout["status"] == "paid" or len(payout["entries"]) > RETURNED_UNPAID_ENTRIES
    if was_paid:
        yield "payout_paid", transit, bank, amount
    if payout["status"] == "returned":
        yield "payout_return", bank if was_paid else transit, source, amount


def acquirer_agrees(world: World, books: Books) -> Iterator[str]:
    """I6: what the acquirer charged is what our records say, charge by charge, and to the penny in all."""
    due = dict(_charges(books))
    for attempt in world.acquirer.attempts.values():
        if attempt.verb in {"authorize", "void"}:
            name, net = due.pop(attempt.id, ("nothing of ours", 0))
            if attempt.net != net:
                yield f"{attempt.id} charged {attempt.net}, and {name} says {net}"
            if attempt.is_held:
                yield f"{attempt.id} of {name} is held at the acquirer for ever"
    yield from (f"{name} says {net}, and {each} charged nothing" for each, (name, net) in due.items() if net)
    charged = sum(attempt.net for attempt in world.acquirer.attempts.values() if attempt.charge is None)
    owed = -sum(total for (name, _), total in books.sums.items() if name.startswith("acquirer_receivable"))
    if charged != owed:
        yield f"the acquirer owes {charged}, and the ledger says {owed}"


def _charges(books: Books) -> Iterator[tuple[str, tuple[str, int]]]:
    """Each attempt at a card, and what it has brought in the end."""
    for payment in books.records["payment"]:
        for attempt in payment["attempts"]:
            if "card" in attempt["source"]:
                won = attempt is payment["attempts"][-1] and payment["status"] not in {"failed", "canceled"}
                net = payment.get("captured", 0) - payment.get("refunded", 0) if won else 0
                yield attempt["attempt_id"], (f"payment {payment['pk']} ({payment['status']})", net)
    for topup in books.records["topup"]:
        net = topup["amount"] if topup["status"] == "succeeded" else 0
        yield topup["attempt_id"], (f"top-up {topup['pk']} ({topup['status']})", net)


def bank_agrees(world: World, books: Books) -> Iterator[str]:
    """What the bank paid and returned is what our payouts say."""
    known = set()
    for payout in books.records["payout"]:
        order = world.bank.orders.get(payout["attempt_id"])
        known.add(payout["attempt_id"])
        taken = order is not None and order.outcome == ACCEPTED
        ours = payout["status"] not in {"processing", "failed"}
        if taken != ours:
            yield f"payout {payout['pk']} is {payout['status']}, and the bank has {order}"
        if order is not None and taken:
            back = order.asked["amount"] if payout["status"] == "returned" else 0
            if order.returned != back or order.asked["amount"] != payout["amount"]:
                yield f"payout {payout['pk']} is {payout['status']}, and the bank has {order}"
    yield from (
        f"the bank took {order.id}, of which we know nothing"
        for order in world.bank.orders.values()
        if order.id not in known and order.outcome == ACCEPTED
    )


def everything_ends(world: World, books: Books) -> Iterator[str]:
    """I5: nothing that was accepted is left open."""
    ends = {
        "payment": {"captured", "partially_refunded", "refunded", "failed", "canceled"},
        "refund": {"succeeded", "failed"},
        "topup": {"succeeded", "failed"},
        "payout": {"paid", "returned", "failed"},
        "settlement": {"released"},
    }
    for kind, final in ends.items():
        for record in books.records[kind]:
            if record["status"] not in final or record.get("pending"):
                yield f"{kind} {record['pk']} is {record['status']}, pending {record.get('pending')}"
    for name, item in books.balances.items():
        if item["held"]:
            yield f"{name} still holds {item['held']}"


def approved_once(world: World, books: Books) -> Iterator[str]:
    """I6: of all attempts at an order, one at most has taken money."""
    for payment in books.records["payment"]:
        taken = [
            attempt["attempt_id"]
            for attempt in payment["attempts"]
            if (known := world.acquirer.attempts.get(attempt["attempt_id"])) is not None
            and known.outcome == APPROVED
            and not known.voided
        ]
        if len(taken) > 1:
            yield f"order {payment['pk']} was charged by {taken}"


def fees_are_exact(world: World, books: Books) -> Iterator[str]:
    """A fee is that of the plan, half a penny rounded up, computed here in another way."""
    for payment in books.records["payment"]:
        if payment.get("captured"):
            plan = payment["fee_plan"]
            whole, rest = divmod(payment["captured"] * plan["basis_points"], 10_000)
            fee = whole + (2 * rest >= 10_000) + plan["fixed"]
            if payment.get("fee", 0) != fee:
                yield f"{payment['captured']} of {payment['pk']} cost {payment.get('fee', 0)}, not {fee}"


def entries_are_there(world: World, books: Books) -> Iterator[str]:
    """Every entry that a record names is in the journal, under that very id."""
    there = {Entry.model_validate(item).id for item in books.records["entry"]}
    for kind in ("payment", "refund", "transfer", "deposit", "topup", "payout", "settlement"):
        for record in books.records[kind]:
            named = [*record.get("entries", ()), *filter(None, [record.get("entry")])]
            yield from (
                f"{kind} {record['pk']} names {entry}, which is nowhere"
                for entry in named
                if entry not in there
            )


CHECKS: tuple[Check, ...] = (
    zero_sum,
    balances_are_sums,
    records_move_money,
    acquirer_agrees,
    approved_once,
    bank_agrees,
    everything_ends,
    fees_are_exact,
    entries_are_there,
)
