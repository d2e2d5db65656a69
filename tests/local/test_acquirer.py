"""The sandbox acquirer: each test card does what it is documented to do, and the book forgets nothing."""

import base64
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from acquiring.acquirer import Approved, Card, DeclineCode, Outcome
from chassis.outside import NotFound
from functions.cards.model import passes_luhn
from local.acquirer.deck import CARDS
from local.faults import Fault
from tests.network import (
    APPROVED,
    NOT_FOUND,
    REFUSED,
    TOTAL_SECONDS,
    UNKNOWN,
    Network,
    card,
    declined,
    serving,
)

DOCUMENT = Path(__file__).parents[2] / "docs/test-cards.md"
ids = (f"pay_{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with serving(tmp_path_factory.mktemp("network") / "book") as running:
        yield running


@pytest.fixture
def attempt() -> str:
    return next(ids)


def eventually(question: Callable[[], object], expected: object) -> None:
    deadline = time.monotonic() + 10
    while question() != expected:
        assert time.monotonic() < deadline, f"{question()} is not {expected}"
        time.sleep(0.02)


PAYMENTS = [
    ("approves", APPROVED, APPROVED, 1000),
    ("do_not_honor", declined("do_not_honor"), declined("do_not_honor"), None),
    ("insufficient_funds", declined("insufficient_funds"), declined("insufficient_funds"), None),
    ("lost_card", declined("lost_card"), declined("lost_card"), None),
    ("stolen_card", declined("stolen_card"), declined("stolen_card"), None),
    ("expired_card", declined("expired_card"), declined("expired_card"), None),
    ("suspected_fraud", declined("suspected_fraud"), declined("suspected_fraud"), None),
    ("processing_error", declined("processing_error"), declined("processing_error"), None),
    ("charged_silently", UNKNOWN, APPROVED, 1000),
    ("silent", UNKNOWN, NOT_FOUND, None),
    ("connection_cut", APPROVED, APPROVED, 1000),
    ("slow", APPROVED, APPROVED, 1000),
    ("errors_twice", APPROVED, APPROVED, 1000),
    ("errors", UNKNOWN, NOT_FOUND, None),
    ("late", UNKNOWN, NOT_FOUND, None),
    ("unresolvable", UNKNOWN, UNKNOWN, 1000),
]


@pytest.mark.parametrize(("name", "outcome", "found", "net"), PAYMENTS)
def test_a_payment(
    network: Network, attempt: str, *, name: str, outcome: Outcome, found: Outcome | NotFound, net: int | None
) -> None:
    assert network.pay(attempt, name) == outcome
    # The statement first: a late charge is booked soon after the question.
    assert network.nets().get(attempt) == net
    assert network.connector.lookup(attempt) == found


@pytest.mark.parametrize(("name", "outcome", "found", "net"), PAYMENTS)
def test_twenty_payments_at_once_under_one_id(
    network: Network, attempt: str, *, name: str, outcome: Outcome, found: Outcome | NotFound, net: int | None
) -> None:
    outcomes = network.pay_at_once(attempt, name, 20)
    assert {type(each) for each in outcomes} <= {type(outcome), type(UNKNOWN)}
    lines = [line for line in network.statement() if line["attempt"] == attempt]
    assert [line["net"] for line in lines] == ([] if net is None else [net])
    assert network.connector.lookup(attempt) == found


def test_a_charge_that_arrives_after_the_question(network: Network, attempt: str) -> None:
    assert network.pay(attempt, "late") == UNKNOWN
    assert attempt not in network.nets()
    assert network.connector.lookup(attempt) == NOT_FOUND
    eventually(lambda: network.connector.lookup(attempt), APPROVED)
    assert network.nets()[attempt] == 1000


def test_a_tombstone_keeps_it_out(network: Network, attempt: str) -> None:
    assert network.pay(attempt, "late") == UNKNOWN
    assert network.connector.lookup(attempt) == NOT_FOUND
    assert network.connector.void(attempt) == APPROVED
    other = next(ids)
    network.pay(other, "late")
    network.connector.lookup(other)
    # The other one was asked about later, so the voided one would have been charged by now.
    eventually(lambda: network.connector.lookup(other), APPROVED)
    assert network.connector.lookup(attempt) == REFUSED
    assert attempt not in network.nets()


def test_an_id_that_was_voided_unseen_is_refused(network: Network, attempt: str) -> None:
    assert network.connector.void(attempt) == APPROVED
    assert network.connector.void(attempt) == APPROVED
    assert network.pay(attempt) == REFUSED
    assert network.connector.lookup(attempt) == REFUSED
    assert attempt not in network.nets()


@pytest.mark.parametrize("capture", [True, False])
def test_a_void_ends_a_charge(network: Network, attempt: str, capture: bool) -> None:
    assert network.pay(attempt, capture=capture) == APPROVED
    assert network.connector.void(attempt) == APPROVED
    assert network.nets()[attempt] == 0
    assert network.connector.capture(next(ids), attempt, 1) == REFUSED
    assert network.connector.refund(next(ids), attempt, 1) == REFUSED
    assert network.pay(attempt, capture=capture) == REFUSED


def test_void_against_pay(network: Network) -> None:
    for _ in range(20):
        attempt = next(ids)
        with ThreadPoolExecutor(2) as threads:
            paying = threads.submit(network.pay, attempt)
            voiding = threads.submit(network.connector.void, attempt)
            assert voiding.result() == APPROVED
            assert paying.result() in {APPROVED, REFUSED}
        assert network.nets().get(attempt, 0) == 0


def test_a_void_without_an_answer(network: Network, attempt: str) -> None:
    network.pay(attempt, "void_silent", capture=False)
    assert network.connector.void(attempt) == UNKNOWN
    assert network.connector.lookup(attempt) == REFUSED
    assert network.nets()[attempt] == 0


def test_a_partial_capture_and_refunds(network: Network, attempt: str) -> None:
    capture, first, second = next(ids), next(ids), next(ids)
    assert network.pay(attempt, capture=False) == APPROVED
    assert network.nets()[attempt] == 0
    assert network.connector.capture(next(ids), attempt, 1001) == REFUSED
    assert network.connector.capture(capture, attempt, 700) == APPROVED
    assert network.connector.capture(capture, attempt, 700) == APPROVED
    assert network.connector.capture(next(ids), attempt, 300) == REFUSED
    assert network.connector.refund(first, attempt, 300) == APPROVED
    assert network.connector.refund(first, attempt, 300) == APPROVED
    assert network.connector.refund(next(ids), attempt, 401) == REFUSED
    assert network.connector.refund(second, attempt, 400) == APPROVED
    line = next(line for line in network.statement() if line["attempt"] == attempt)
    assert (line["authorized"], line["captured"], line["refunded"], line["net"]) == (1000, 700, 700, 0)
    assert network.connector.void(second) == APPROVED
    assert network.nets()[attempt] == 400
    assert network.connector.lookup(second) == REFUSED


@pytest.mark.parametrize(
    ("name", "verb", "outcome", "found", "net"),
    [
        ("capture_silent", "capture", UNKNOWN, APPROVED, 600),
        ("capture_declined", "capture", REFUSED, REFUSED, 0),
        ("refund_silent", "refund", UNKNOWN, APPROVED, 400),
        ("refund_declined", "refund", REFUSED, REFUSED, 1000),
    ],
)
def test_a_capture_or_refund(
    network: Network, attempt: str, *, name: str, verb: str, outcome: Outcome, found: Outcome, net: int
) -> None:
    assert network.pay(attempt, name, capture=verb == "refund") == APPROVED
    change = next(ids)
    assert getattr(network.connector, verb)(change, attempt, 600) == outcome
    assert network.connector.lookup(change) == found
    assert network.nets()[attempt] == net


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("approves", APPROVED),
        ("incorrect_cvc", declined("incorrect_cvc")),
        ("verify_silent", UNKNOWN),
        ("verify_errors_twice", APPROVED),
        ("do_not_honor", APPROVED),
    ],
)
def test_a_verification(network: Network, attempt: str, name: str, outcome: Outcome) -> None:
    assert network.connector.verify(attempt, card(name), "123") == outcome
    assert attempt not in network.nets()


def test_every_card_is_shown_here_and_documented() -> None:
    text = DOCUMENT.read_text()
    tried = {name for name, *_ in PAYMENTS} | {"incorrect_cvc", "verify_silent", "verify_errors_twice"}
    tried |= {"capture_silent", "capture_declined", "refund_silent", "refund_declined", "void_silent"}
    assert {each.name for each in CARDS} == tried
    for each in CARDS:
        assert passes_luhn(each.number)
        assert f"| {' '.join(each.number[at : at + 4] for at in range(0, 16, 4))} | {each.does} |" in text
        codes = {act.decline for act in each.acts.values()} - {None}
        assert codes <= {code.value for code in DeclineCode}
    assert {act.fault for each in CARDS for act in each.acts.values()} >= set(Fault)


def test_the_same_id_for_another_request_is_a_conflict(network: Network, attempt: str) -> None:
    assert network.pay(attempt) == APPROVED
    assert network.pay(attempt, amount=1001) == UNKNOWN
    asked = {"attempt": attempt, "charge": attempt, "amount": 1}
    assert httpx.post(f"{network.url}/v1/refund", json=asked).status_code == 409
    assert network.nets()[attempt] == 1000
    late = next(ids)
    assert network.pay(late, "late") == UNKNOWN
    assert network.pay(late, amount=5) == UNKNOWN
    assert network.pay(late) == UNKNOWN
    eventually(lambda: network.connector.lookup(late), APPROVED)
    assert network.nets()[late] == 1000


def test_what_cannot_be_read_is_refused_without_quoting_it(network: Network) -> None:
    number = "4929123456789012"
    for asked in ({"attempt": "a", "card": {"number": f"{number}x"}}, {number: 1}, [number], number):
        answer = httpx.post(f"{network.url}/v1/verify", json=asked)
        assert answer.status_code == 422
        assert number not in answer.text
    assert httpx.get(f"{network.url}/nothing").status_code == 404


def test_the_statement_in_pages(network: Network) -> None:
    for _ in range(5):
        network.pay(next(ids))
    lines = network.statement()
    assert network.statement(limit=2) == lines
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)


def test_the_book_survives_a_kill_in_the_middle_of_work(tmp_path: Path) -> None:
    attempts = [f"pay_{number}" for number in range(60)]
    with serving(tmp_path / "book", total_seconds=0.5) as network, ThreadPoolExecutor(8) as threads:
        paying = [threads.submit(network.pay, attempt) for attempt in attempts]
        for early in paying[:20]:
            early.result()
        network.child.kill()
        outcomes = dict(zip(attempts, (each.result() for each in paying), strict=True))
    approved = {attempt for attempt, outcome in outcomes.items() if outcome == APPROVED}
    assert len(approved) >= 20
    assert UNKNOWN in outcomes.values()
    with serving(tmp_path / "book", total_seconds=TOTAL_SECONDS) as network:
        assert approved <= network.nets().keys()
        assert {network.pay(attempt) for attempt in attempts} == {Approved()}
        assert [line["attempt"] for line in network.statement()] == list(network.nets())
        assert network.nets() == dict.fromkeys(attempts, 1000)


def test_a_late_charge_survives_a_kill(tmp_path: Path) -> None:
    with serving(tmp_path / "book") as network:
        network.pay("late", "late")
        network.pay("voided", "late")
        network.connector.lookup("late")
        network.connector.void("voided")
    with serving(tmp_path / "book") as network:
        eventually(lambda: network.connector.lookup("late"), APPROVED)
        assert network.nets() == {"late": 1000}


def test_no_number_and_no_code_is_kept(tmp_path: Path) -> None:
    number, cvc = "4929123456789019", "7391"
    card = Card(number, exp_month=12, exp_year=2030, brand="visa", last4=number[-4:])
    with serving(tmp_path / "book") as network:
        assert network.connector.verify("ver", card, cvc) == APPROVED
        assert network.connector.authorize("pay", card, 10, "GBP", capture=True) == APPROVED
        network.pay("late", "late")
        network.child.stop(10)
        kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"9019" in kept
    for secret in (number, "4000000000100703"):
        for form in (secret.encode(), base64.b64encode(secret.encode())[:-4], secret.encode().hex().encode()):
            assert form not in kept
    assert b"cvc" not in kept.lower().replace(b"incorrect_cvc", b"")
