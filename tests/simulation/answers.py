"""Owns what must hold of answers when all is at rest: one effect and one answer a request, for its caller."""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

from tests.simulation.books import Books
from tests.simulation.callers import Ask, is_open
from tests.simulation.machines import Answer
from tests.simulation.town import FIRST_REFERENCE, PLATFORM, Town
from tests.simulation.world import World

KEPT = frozenset({200, 201, 202, 402})
"""What is answered again whenever a key is repeated."""
REPEATED = 12
"""Requests that are repeated in the end."""


def answered_alike(world: World, books: Books) -> Iterator[str]:
    """I3: once a request has its answer, every repetition gets the same status and the same id."""
    for ask in world.counter.asked:
        if ask.kind in {"look", "freeze", "unfreeze"}:
            continue  # by state: once the wallet is closed, they are refused
        final = [answer for answer in ask.answers if not is_open(answer) and answer.status != 202]
        for before, after in pairwise(final):
            if _is_kept(ask, before) and _gist(before) != _gist(after):
                yield f"{ask}: {before.status} {before.body.get('id')}, then {after.status} {after.body}"
        for answer in ask.answers:
            if answer.status == 500:
                yield f"{ask}: 500"


def _gist(answer: Answer) -> tuple[int, Any]:
    return answer.status, _id(answer)


def _is_kept(ask: Ask, answer: Answer) -> bool:
    """Whether what was answered is answered for ever; what found nothing, or no right, may find it later."""
    if ask.kind == "pay" and answer.status == 200:
        return False  # another's attempt has paid the order: this request made nothing
    return answer.status not in {404, 409, 422} and (ask.key is not None or answer.status < 400)


def one_effect_per_key(world: World, books: Books) -> Iterator[str]:
    """I3: what callers were told was made is there, once, and what is there was asked for by somebody."""
    made = {
        "refund": {record["id"] for record in books.records["refund"]},
        "transfer": {record["pk"] for record in books.records["transfer"]},
        "top up": {record["pk"] for record in books.records["topup"]},
        "pay out": {record["pk"] for record in books.records["payout"]},
        "deposit": {each["pk"] for each in books.records["deposit"] if each["reference"] != FIRST_REFERENCE},
    }
    for kind, records in made.items():
        asks = [ask for ask in world.counter.asked if ask.kind == kind]
        told = {answer.body["id"] for ask in asks for answer in ask.answers if answer.status in {201, 202}}
        yield from (f"{kind} {missing} was promised and is not there" for missing in told - records)
        may = {(*_name(ask), str(ask.body)) for ask in asks if not _was_refused(ask)}
        if len(records) > len(may):
            yield f"{len(records)} x {kind}, for {len(asks)} requests"


def _was_refused(ask: Ask) -> bool:
    """Whether nothing can have been made by it, as far as its caller knows: so every answer says."""
    return ask.is_known and all(answer.status in {404, 409, 422} for answer in ask.answers)


def strangers_stay_out(world: World, books: Books) -> Iterator[str]:
    """I12: nobody reaches, or is shown, what is another's."""
    for ask in world.counter.asked:
        if ask.kind == "intrude":
            for answer in ask.answers:
                of_its_own = answer.code in {"wallet_closed", "wallet_frozen"}  # which the money was to go to
                if answer.status not in {403, 404, 422} and not is_open(answer) and not of_its_own:
                    yield f"{ask}: {answer.status} {answer.body}"
        if ask.kind == "look":
            yield from _shown_to_others(world.town, ask)
        if ask.kind == "blunder":
            yield from (f"{ask}: {each.status}" for each in ask.answers if each.status not in {422, 503})
    stolen = ("stolen", "blunder")
    yield from (f"{each['pk']} is there" for each in books.records["payment"] if each["order_id"] in stolen)


def _shown_to_others(town: Town, ask: Ask) -> Iterator[str]:
    (other,) = (shop for shop in town.shops if shop.caller is not ask.caller)
    hidden = {*other.wallets, *other.cards, *other.orders, other.bank_account, other.endpoint}
    hidden |= {made for _, made in other.foreign}
    for answer in ask.answers:
        text = str(answer.body)
        yield from (f"{ask} shows {each}" for each in hidden if each in text)


def one_request_per_key(world: World, books: Books) -> Iterator[str]:
    """I3: a key stands for one request of one caller, whatever else it is sent with, and by whom."""
    sent: dict[tuple[str, ...], set[str]] = {}
    bodies: dict[tuple[str, ...], set[str]] = {}
    makers: dict[str, set[tuple[str, ...]]] = {}
    for ask in world.counter.asked:
        if ask.method != "POST" or ask.kind == "blunder":
            continue
        name = _name(ask)
        sent.setdefault(name, set()).add(str(ask.body))
        kept = [answer for answer in ask.answers if answer.status in KEPT]
        if ask.key is not None and kept:
            bodies.setdefault(name, set()).add(str(ask.body))
        for answer in kept:
            if answer.status in {201, 202} and ask.kind != "rotate":
                makers.setdefault(str(answer.body.get("id")), set()).add(name)
    yield from (f"{name} was answered for {asked}" for name, asked in bodies.items() if len(asked) > 1)
    for ask in world.counter.asked:
        if any(answer.code == "idempotency_mismatch" for answer in ask.answers) and len(sent[_name(ask)]) < 2:
            yield f"{ask}: told that it had asked something else"
    makers.pop("None", None)
    yield from (f"{made} was made for {names}" for made, names in makers.items() if len(names) > 1)


def _name(ask: Ask) -> tuple[str, ...]:
    """What names a request: who is meant by it, what it asks for, and its key, or what stands in for that."""
    caller = ask.caller.name.removeprefix(f"{PLATFORM.name} for ")
    reference: Any = ask.body["reference"] if ask.kind == "deposit" else ask.key
    return caller, ask.path, str(reference)


def answers_last(world: World, books: Books) -> Iterator[str]:
    """I3: in fair weather, whoever repeats what was answered is answered at once, and as before.

    It is the last check, though nothing is written by it.
    """
    asked = (ask for ask in world.counter.asked if ask.key and ask.answers)
    told = [ask for ask in asked if ask.answers[-1].status in KEPT and _is_kept(ask, ask.answers[-1])]
    # Refusals before all: what was missing then may be there now.
    for ask in sorted(told, key=lambda ask: ask.answers[-1].status)[-REPEATED:]:
        before = ask.answers[-1]
        task = world.scheduler.spawn("auditor", partial(world.counter.send, ask))
        world.scheduler.run_to_end([task])
        after = task.result
        if (
            after is None
            or after.status not in _after(before.status)
            or (after.status != 402 and _id(after) != _id(before))
        ):
            yield f"{ask}: {before.status}, and in the end {after}"


def _after(status: int) -> set[int]:
    """What is accepted, and open at first, is made or refused in the end."""
    return {201, 402} if status == 202 else {status}


def _id(answer: Answer) -> Any:
    """What was made, where that has an id of its own."""
    return answer.body.get("id")


CHECKS = (
    answered_alike,
    one_effect_per_key,
    one_request_per_key,
    strangers_stay_out,
    answers_last,
)
