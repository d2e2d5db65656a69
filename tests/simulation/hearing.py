"""Owns what others must have heard when all is at rest: events, webhooks, dead letters, and no secrets."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from chassis.aws import is_transient
from functions.webhooks import model
from functions.webhooks.records import StoredEndpoint
from infra.declaration import QUEUES
from tests.simulation.books import Books
from tests.simulation.observer import Told
from tests.simulation.town import CARDS, LATER_CARD
from tests.simulation.world import World


def events_are_told(world: World, books: Books) -> Iterator[str]:
    """I7: every committed change has its event in the log, and in it once."""
    told: Counter[Told] = Counter()
    for event in books.records["event"]:
        body = json.loads(event["body"])
        data = body["data"]
        is_payment = event["type"].startswith("payment.")
        subject = f"{event['principal']}#{data['order_id']}" if is_payment else data["id"]
        told[Told(event["type"], subject, body["sequence"])] += 1
    expected = world.observer.expected
    # What a publication has given up, after all its tries in bad weather, is in a queue with an alarm.
    given_up = {record.sequence_number for name, record in world.machines.given_up if name in PUBLICATIONS}
    yield from (
        f"never told: {each}"
        for each, number in expected.items()
        if each not in told and number not in given_up
    )
    for each, count in told.items():
        if count > 1:
            yield f"told {count} times: {each}"
        if each not in expected and each.type != DISABLED:
            yield f"told, and it never happened: {each}"


def events_say_so(world: World, books: Books) -> Iterator[str]:
    """I12: an event is told to whose record it is about, and says what that says."""
    owners = {name.partition(":")[2]: str(item["holder"]) for name, item in books.balances.items()}
    amounts: dict[str, Any] = {}
    for kind in ("topup", "payout", "settlement", "transfer", "deposit", "refund"):
        for record in books.records[kind]:
            name, wallet = str(record.get("id", record["pk"])), str(record.get("wallet"))
            owner = record.get("merchant_id") or record.get("principal") or owners.get(wallet)
            owners[name] = str(owner or record["pk"].partition("#")[0])
            amounts[name] = record.get("amount")
    for event in books.records["event"]:
        data = json.loads(event["body"])["data"]
        name = str(data.get("id"))
        if owners.get(name, event["principal"]) != event["principal"]:
            yield f"{event['type']} of {name} was told to {event['principal']}"
        if data.get("amount") != amounts.get(name, data.get("amount")):
            yield f"{event['type']} of {name} says {data['amount']}"


def deliveries_end(world: World, books: Books) -> Iterator[str]:
    """Every delivery has ended, and what is said to have arrived did, with a signature that verifies."""
    arrived = {(letter.url, letter.headers["webhook-id"]) for letter in world.receivers.received}
    endpoints = {item["id"]: item for item in books.records["endpoint"]}
    for delivery in books.records["delivery"]:
        url = endpoints[delivery["endpoint"]]["url"]
        status = delivery.get("status", "pending")
        if status == "pending":
            yield f"{delivery['event']} to {url} is pending: {delivery}"
        if status == "succeeded" and (url, delivery["event"]) not in arrived:
            yield f"{delivery['event']} to {url} succeeded, and never arrived"
    begun = {(delivery["event"], delivery["endpoint"]) for delivery in books.records["delivery"]}
    for endpoint in books.records["endpoint"]:
        for event in books.records["event"]:
            mine = event["principal"] == endpoint["principal"]
            if not mine or (event["id"], endpoint["id"]) in begun:
                continue
            if world.observer.always_wanted(endpoint["id"], event["type"], event["created_at"]):
                yield f"{event['type']} {event['id']} was never sent to {endpoint['url']}"
    yield from _badly_signed(world, books)


def _badly_signed(world: World, books: Books) -> Iterator[str]:
    secrets = {
        item["url"]: [
            model.secret_of(StoredEndpoint.model_validate(item), name) for name in _secret_ids(item)
        ]
        for item in books.records["endpoint"]
    }
    for letter in world.receivers.received[-3:]:
        if not any(_verifies(secret, letter.body, dict(letter.headers)) for secret in secrets[letter.url]):
            yield f"{letter.headers['webhook-id']} to {letter.url} has no signature of ours"


def _secret_ids(item: dict[str, object]) -> tuple[str, ...]:
    return StoredEndpoint.model_validate(item).secret_ids


def _verifies(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def poison_is_alone(world: World, books: Books) -> Iterator[str]:
    """I10: what nobody can read has ended as a dead letter, and nothing else has."""
    for queue in QUEUES:
        dead = world.queues.bodies(queue.dead_letter)
        if len(dead) != world.poisoned[queue.name]:
            yield f"{queue.name} has {len(dead)} dead letters, of {world.poisoned[queue.name]}: {dead}"
        if world.queues.waiting(queue.name):
            yield f"{queue.name} still has {world.queues.bodies(queue.name)}"


def no_card_in_clear(world: World, books: Books) -> Iterator[str]:
    """I11: no card number and no security code in any table, queue, log or answer."""
    queued = [world.queues.bodies(name) for queue in QUEUES for name in (queue.name, queue.dead_letter)]
    answers = [answer.body for ask in world.counter.asked for answer in ask.answers]
    letters = [letter.body for letter in world.receivers.received]
    places = {"tables": books.records, "queues": queued, "logs": world.logs, "answers": answers}
    for place, content in {**places, "letters": letters}.items():
        text = repr(content).replace('"', "'").replace("\\", "")  # JSON within a text has other quotes
        for number, cvc in (*CARDS, LATER_CARD):
            if number in text or f"'{cvc}'" in text:
                yield f"a card of {number[:6]}... is in the {place}"


def sums_follow(world: World, books: Books) -> Iterator[str]:
    """The roll-up says what the journal says, through the API."""
    rolled, counted = (
        world.fetched(f"/v1/ledger/trial-balance?source={source}") for source in ("rollup", "journal")
    )
    if not counted.get("data"):
        yield f"there is no trial balance: {counted}"
    for name in ("data", "entries", "balanced"):
        if rolled.get(name) != counted.get(name):
            yield f"the roll-up has {name} {rolled.get(name)}, and the journal {counted.get(name)}"


PASSING = frozenset({"Killed", "Unavailable", "StillUnknown", "Busy", "Overdue"})
"""What a function may end with in bad weather."""
PUBLICATIONS = frozenset({"publish", "publish_status"})
DISABLED = "webhook_endpoint.disabled"
UNREADABLE = "ValidationError"


def nothing_breaks(world: World, books: Books) -> Iterator[str]:
    """No function ends, and no message fails, by anything but the weather, and poison by being poison."""
    for name, failure in world.machines.failures:
        for each in failure.exceptions if isinstance(failure, ExceptionGroup) else (failure,):
            passes = isinstance(each, Exception) and is_transient(each)
            if not passes and type(each).__name__ not in PASSING:
                yield f"{name} ended by {each!r}"
    for _, line in world.logs:
        for casualty in line.get("failures", ()):
            if casualty["error"] not in PASSING | {UNREADABLE}:
                yield f"{line['operation']} failed by {casualty['error']} at {casualty['at']}"


def deliveries_go_home(world: World, books: Books) -> Iterator[str]:
    """I12: what happened to one is told to the endpoints of that one, and to nobody else's."""
    owners = {item["id"]: item["principal"] for item in books.records["endpoint"]}
    for delivery in books.records["delivery"]:
        if delivery["principal"] != owners[delivery["endpoint"]]:
            yield f"{delivery['event']} of {delivery['principal']} went to {delivery['endpoint']}, another's"


CHECKS = (
    nothing_breaks,
    events_are_told,
    events_say_so,
    deliveries_end,
    poison_is_alone,
    no_card_in_clear,
    sums_follow,
    deliveries_go_home,
)
