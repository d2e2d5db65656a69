"""No number and no security code of a card is left anywhere, in any form, by anything cards are used for."""

import base64
import json
import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chassis import aws, store
from chassis.attributes import Item
from infra.declaration import QUEUES, STREAMS, TABLES
from local.acquirer.deck import BY_NAME
from local.system import System, running
from tests.conftest import _reconnect, connect, new_key, onboard
from tests.journeys.reconciling import await_settled
from tests.journeys.till import HASTE, Till
from tests.journeys.together import together

PLAIN, AMEX = "4929123456789015", "378734493671000"
AMEX_CODE, CODE = "7391", "739"
NAMES = (
    "charged_silently",
    "late",
    "errors",
    "connection_cut",
    "do_not_honor",
    "capture_silent",
    "refund_silent",
)
NUMBERS = (PLAIN, AMEX, *(BY_NAME[name].number for name in NAMES), BY_NAME["incorrect_cvc"].number)
BAD = ("4929123456789016", "4929123456789015x", "4929 1234 5678 9015")
MARK = "a-customer-who-is-found-again"


def forms(secret: str) -> list[bytes]:
    """Clear, hexadecimal in both cases, and base 64 at each of the three alignments."""
    raw = secret.encode()
    # What surrounds it decides the first and the last sextets; these are left out.
    aligned = [
        base64.b64encode(b"\0" * skip + raw)[(0, 2, 3)[skip] : (skip + len(raw)) * 8 // 6]
        for skip in range(3)
    ]
    return [raw, raw.hex().encode(), raw.hex().upper().encode(), *aligned]


def codes_in(text: bytes) -> list[bytes]:
    """Where one of the security codes stands by itself, as a value: `"7391"`, or behind the name `cvc`."""
    alone = rb'\\?["\']%b\\?["\']' % AMEX_CODE.encode()
    named = rb"cvc\W{1,8}(?:%b|%b)\b" % (AMEX_CODE.encode(), CODE.encode())
    encoded = [form for code in (AMEX_CODE, CODE) for form in forms(f'"cvc":"{code}"')[1:]]
    encoded += [form for code in (AMEX_CODE, CODE) for form in forms(f'"cvc": "{code}"')[1:]]
    return re.findall(alone, text) + re.findall(named, text) + [form for form in encoded if form in text]


def use(till: Till, said: list[str]) -> None:
    """Everything that cards are used for, good and bad; every answer goes to `said`."""
    till.shop.http.event_hooks["response"].append(lambda answer: said.append(answer.read().decode()))
    wallet = till.shop.wallet()
    everyone = [partial(use_one, till, wallet, number) for number in (*NUMBERS, *BAD)]
    together(everyone)
    for path in ("/v1/payments", "/v1/topups", "/v1/wallets"):
        till.shop.http.get(path)
    till.shop.http.delete(f"/v1/cards/{till.card(PLAIN)}")


def use_one(till: Till, wallet: str, number: str) -> None:
    """All that can be done with one card, or fails to be."""
    cvc = AMEX_CODE if number == AMEX else CODE
    kept = till.keep(number, cvc=cvc)
    till.keep(number, cvc=cvc, exp_year=2001)
    till.keep(number, cvc=cvc + "x")
    till.keep(number, cvc=AMEX_CODE, number_of=number)
    broken = f'{{"number": "{number}", "cvc": "{cvc}"'
    till.shop.http.post("/v1/cards", content=broken, headers=new_key())
    till.pay(f"{number}-as-a-card", number)
    till.shop.http.get(f"/v1/cards/{number}")
    till.shop.http.get("/v1/cards", params={"number": number})
    if kept.status_code == 201:
        card, last4 = kept.json()["id"], kept.json()["last4"]
        till.pay(f"a-{last4}", card)
        till.shop.refund(f"a-{last4}", 300)
        for end in ("capture", "cancel"):
            till.authorize(f"{end}-{last4}", card)
            till.shop.http.post(f"/v1/payments/{end}-{last4}/{end}")
        till.top_up(wallet, card)
        till.shop.http.get(f"/v1/cards/{card}")


def stored() -> Iterator[tuple[str, bytes]]:
    """Every item, and every message that is in a queue."""
    for table in TABLES:
        items: list[Item] = list(store.scan(table.name))
        yield table.name, json.dumps(items, default=str).encode()
    sqs = aws.client("sqs")
    urls = list(sqs.list_queues()["QueueUrls"])
    assert len(urls) == 2 * len(QUEUES) + len({stream.failures for stream in STREAMS})
    for url in urls:
        received: dict[str, Any] = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        yield url, json.dumps(received, default=str).encode()


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Place -> content, of all that a system leaves behind and of all that it said."""
    said: list[str] = []
    with running(tmp_path / "state", settings=HASTE) as system:
        for name, value in system.environment.items():
            monkeypatch.setenv(name, value)
        _reconnect()
        use_all(system, said)
        found = dict(stored())
    monkeypatch.undo()
    _reconnect()
    files = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    return {**found, **files, "answers": "\n".join(said).encode()}


def use_all(system: System, said: list[str]) -> None:
    with connect(system, system.platform_key) as operator:
        shop = onboard(system, operator, name=MARK)
        with shop.http:
            use(Till(shop), said)
            await_settled()


def test_nothing_of_a_card_is_left_anywhere(left: dict[str, bytes]) -> None:
    for number in (*NUMBERS, *BAD):
        for form in forms(number.removesuffix("x")):
            assert [place for place, content in left.items() if form in content] == [], form
    assert {place: codes_in(content) for place, content in left.items() if codes_in(content)} == {}
    # The search does find what is there: in a table, in an answer, in the engine's files.
    places = [place for place, content in left.items() if MARK.encode() in content]
    assert {"principals"} < set(places)
    assert any(os.sep in place for place in places)
    lasting = [place for place, content in left.items() if b"a-9015" in content]
    assert {"payments", "ledger", "answers"} <= set(lasting)
    assert any("book.sqlite3" in place for place in left)
    assert all(any(log in place for place in left) for log in ("http.jsonl", "queues.jsonl", "acquirer.log"))


@pytest.mark.parametrize("skip", range(3))
def test_the_search_finds_a_number_at_each_alignment(skip: int) -> None:
    text = base64.b64encode(b"x" * skip + PLAIN.encode() + b"yz")
    assert any(form in text for form in forms(PLAIN))
    assert codes_in(base64.b64encode(b"x" * skip + b'{"cvc":"7391"}'))
    assert codes_in(b'{"cvc": "739"}')
    assert codes_in(b'{\\"cvc\\": \\"739\\"}')
