"""Money from a card into a wallet: credited once, never before it is charged, never without an owner."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

import functions
from chassis import store
from infra.declaration import KEYS
from ledger import accounts, balances
from local.system import System
from tests.conftest import new_key
from tests.journeys.reconciling import await_settled, reconcile, statement
from tests.journeys.till import Till
from tests.journeys.together import CLIENTS, codes, everything, together

ROUNDS = 5
NOBODY = "wal_" + "a" * 24


def nets(system: System) -> list[int]:
    return [line["net"] for line in statement(system).values() if not line["voided"]]


def test_thirty_two_identical_top_ups_are_one_charge_and_one_credit(
    till: Till, hasty_engine: System, operator: httpx.Client
) -> None:
    wallet, card, before = till.shop.wallet(), till.card(), len(nets(hasty_engine))
    answers = together([partial(till.top_up, wallet, card, 4321, "key")] * CLIENTS)
    assert set(codes(answers)) <= {201, 202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert codes([answer for answer in answers if "Idempotent-Replayed" not in answer.headers]) == {201: 1}
    assert till.shop.available(wallet) == 4321
    assert nets(hasty_engine)[before:] == [4321]
    assert len(till.shop.http.get(f"/v1/wallets/{wallet}/entries").json()["data"]) == 1
    reconcile(hasty_engine, operator)


@pytest.mark.parametrize("name", ["approves", "charged_silently"])
def test_a_wallet_that_is_closed_meanwhile_still_owns_what_was_charged(
    till: Till, hasty_engine: System, operator: httpx.Client, name: str
) -> None:
    card = till.card(name)
    for _ in range(ROUNDS if name == "approves" else 1):
        wallet = till.shop.wallet()
        close = partial(till.shop.become, wallet, "close")
        topped_up, closed = together([partial(till.top_up, wallet, card), close])
        await_settled()
        refused = till.problem(topped_up) == (409, "wallet_closed")
        assert refused or topped_up.status_code in {201, 202}
        assert till.problem(closed) in {(200, None), (409, "wallet_not_empty")}
        assert refused or till.topup(topped_up.json()["id"])["status"] == "succeeded"
        assert till.shop.available(wallet) == (0 if refused else 1000)
    reconcile(hasty_engine, operator)


def test_a_top_up_shows_in_the_wallet_and_in_the_list(till: Till) -> None:
    wallet, card = till.shop.wallet(), till.card()
    made = till.top_up(wallet, card, 2500).json()
    assert (made["status"], made["wallet"], made["card"], made["amount"]) == ("succeeded", wallet, card, 2500)
    assert till.topup(made["id"]) == made
    (entry,) = till.shop.http.get(f"/v1/wallets/{wallet}/entries").json()["data"]
    assert (entry["id"], entry["reason"], entry["reference"]) == (made["entry"], "topup", made["id"])
    assert (entry["direction"], entry["amount"]) == ("credit", 2500)
    declined = till.top_up(wallet, till.card("do_not_honor"))
    assert till.problem(declined) == (402, "card_declined")
    assert till.shop.http.get(declined.json()["instance"]).json()["failure_code"] == "do_not_honor"
    statuses = [topup["status"] for topup in everything(till.shop, "/v1/topups")]
    assert statuses == ["failed", "succeeded"]
    assert len(list(everything(till.shop, "/v1/topups", status="failed"))) == 1


def test_what_the_wallet_cannot_take_is_never_charged(till: Till, hasty_engine: System) -> None:
    before, card = nets(hasty_engine), till.card()
    dollars, closed, full = till.shop.wallet(currency="USD"), till.shop.wallet(), till.shop.wallet()
    till.shop.become(closed, "close")
    assert till.problem(till.top_up(NOBODY, card)) == (404, "not_found")
    assert till.problem(till.top_up(closed, card)) == (409, "wallet_closed")
    assert till.problem(till.top_up(dollars, card)) == (422, "currency_mismatch")
    room = 10**9
    # A thousand deposits of the largest amount, in one write.
    store.commit(balances.give_back(accounts.wallet(full), 10**15 - room, "GBP"))
    try:
        assert till.problem(till.top_up(full, card, room + 1)) == (409, "balance_limit")
    finally:
        store.commit(balances.give_back(accounts.wallet(full), room - 10**15, "GBP"))
    assert nets(hasty_engine) == before


def test_a_frozen_wallet_may_receive(till: Till) -> None:
    wallet = till.shop.wallet()
    till.shop.become(wallet, "freeze")
    assert till.top_up(wallet, till.card()).status_code == 201
    assert till.shop.available(wallet) == 1000


def test_a_key_names_one_top_up(till: Till, hasty_engine: System) -> None:
    wallet, card = till.shop.wallet(), till.card()
    first = till.top_up(wallet, card, key="key")
    before = nets(hasty_engine)
    assert till.problem(till.top_up(wallet, card, 1001, key="key")) == (422, "idempotency_mismatch")
    till.shop.http.delete(f"/v1/cards/{card}")
    again = till.top_up(wallet, card, key="key")
    assert (again.status_code, again.json()) == (201, first.json())
    body = {"wallet": wallet, "card": card, "amount": 1, "currency": "GBP"}
    assert till.problem(till.shop.http.post("/v1/topups", json=body)) == (400, "malformed_request")
    assert nets(hasty_engine) == before


def test_nobody_tops_up_or_sees_what_is_anothers(new_till: Callable[..., Till], hasty_engine: System) -> None:
    mine, other = new_till(), new_till()
    made = mine.top_up(mine.shop.wallet(), mine.card()).json()
    before = nets(hasty_engine)
    assert other.shop.http.get(f"/v1/topups/{made['id']}").status_code == 404
    assert list(everything(other.shop, "/v1/topups")) == []
    assert other.problem(other.top_up(mine.shop.wallet(), other.card())) == (404, "not_found")
    assert other.problem(other.top_up(other.shop.wallet(), mine.card())) == (404, "not_found")
    assert nets(hasty_engine) == before


@pytest.mark.parametrize("amount", [0, -1, 1.5, "1", 10**12 + 1, None])
def test_an_amount_that_is_none_is_named(till: Till, amount: object) -> None:
    body = {"wallet": NOBODY, "card": "card_" + "a" * 24, "amount": amount, "currency": "GBP"}
    answer = till.shop.http.post("/v1/topups", json=body, headers=new_key())
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/amount"


def test_whoever_reveals_card_numbers_is_granted_their_key() -> None:
    (key,) = (key for key in KEYS if key.name == "vault")
    folder = Path(next(iter(functions.__path__)))
    revealing = {path.parent.name for path in folder.glob("*/*.py") if "vault.reveal(" in path.read_text()}
    assert revealing == {"payments", "topups"}
    assert revealing <= set(key.readers)
