"""Owns what must hold of settlements when all is at rest: each line once, in time, and what they lack."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.simulation.books import Books
from tests.simulation.world import World

Line = tuple[Any, ...]
"""Amount, fee, order, and the refund that it is, if it is one."""


def settled_once(world: World, books: Books) -> Iterator[str]:
    """Each capture and each refund is counted by one settlement."""
    listed: Counter[Line] = Counter(
        (amount, fee, order, *refund)
        for chunk in books.records["chunk"]
        for amount, fee, _, order, *refund in chunk["lines"]
    )
    due: Counter[Line] = Counter(
        (payment["captured"], payment.get("fee", 0), payment["order_id"])
        for payment in books.records["payment"]
        if payment.get("captured")
    )
    due.update(
        (refund["amount"], 0, refund["order_id"], refund["id"])
        for refund in books.records["refund"]
        if refund["status"] == "succeeded"
    )
    yield from (f"not settled: {line} x{count}" for line, count in (due - listed).items())
    yield from (f"settled too often: {line} x{count}" for line, count in (listed - due).items())


def sums_are_of_the_manifest(world: World, books: Books) -> Iterator[str]:
    """What a settlement says in all is what its manifest lists."""
    listed: dict[str, Counter[str]] = {}
    for chunk in books.records["chunk"]:
        mine = listed.setdefault(chunk["pk"], Counter())
        for amount, fee, _, _, *refund in chunk["lines"]:
            mine["refunded" if refund else "captured"] += amount
            mine["fees"] += fee
    for settlement in books.records["settlement"]:
        for name in ("captured", "refunded", "fees"):
            counted = listed.get(settlement["pk"], Counter())[name]
            if settlement.get(name, 0) != counted:
                yield f"{settlement['pk']} says {name} {settlement.get(name, 0)}, its manifest {counted}"


def settled_in_time(world: World, books: Books) -> Iterator[str]:
    """No settlement is closed before its day is over, nor released before its delay is."""
    for settlement in books.records["settlement"]:
        for act, due in (("closed_at", "window"), ("released_at", "available_at")):
            if settlement.get(act, "9") < settlement[due]:
                yield f"{settlement['pk']} was {act} {settlement[act]}, due {settlement[due]}"


def carried_over(world: World, books: Books) -> Iterator[str]:
    """What a merchant has pending, when all is released, is what its last settlement lacked."""
    for carry in books.records["carry"]:
        account = f"merchant_pending:{carry['pk'].partition('#')[0]}:{carry['currency']}"
        pending = books.sums.get((account, carry["currency"]), 0)
        if pending != carry.get("amount", 0):
            yield f"{account} is {pending}, and {carry.get('amount', 0)} is carried over"


CHECKS = (settled_once, sums_are_of_the_manifest, settled_in_time, carried_over)
