"""The ledger as callers read it: every account, every entry, and the proof that nothing is missing."""

from typing import Any

import httpx
import pytest

from chassis import aws
from chassis.config import table_name
from local.system import System
from tests.conftest import Shop, new_key
from tests.rollup import await_rolled_up

ANEW = "/v1/ledger/trial-balance?source=journal"


def read(client: httpx.Client, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def kinds(platform: httpx.Client, currency: str) -> dict[str, int]:
    total = read(platform, ANEW)
    assert total["balanced"]
    found = [part for part in total["data"] if part["currency"] == currency]
    return {part["kind"]: part["balance"] for each in found for part in each["accounts"]}


def test_the_trial_balance_follows_the_money(shop: Shop, platform: httpx.Client) -> None:
    before = kinds(platform, "GBP")
    one, other = shop.wallet(1000), shop.wallet()
    body = {"from_wallet": one, "to_wallet": other, "amount": 400, "currency": "GBP"}
    shop.http.post("/v1/transfers", json=body, headers=new_key())
    shop.pay("1", other, 300)
    shop.pay("2", other, 300)
    after = kinds(platform, "GBP")
    moved = {kind: after[kind] - before.get(kind, 0) for kind in after if after[kind] != before.get(kind)}
    assert moved == {"bank": -1000, "merchant_pending": 300, "wallet": 700}


@pytest.mark.parametrize("source", ["rollup", "journal"])
def test_the_trial_balance_says_what_it_was_added_up_from(
    shop: Shop, platform: httpx.Client, source: str
) -> None:
    paid = shop.pay("1", shop.wallet(10), 10).json()
    await_rolled_up(platform)
    total = read(platform, f"/v1/ledger/trial-balance?source={source}")
    assert total["source"] == source
    if source == "rollup":
        assert total["rolled_up_until"] >= paid["created_at"]
    else:
        assert total["rolled_up_until"] is None
    sources = {part["kind"]: part["source"] for each in total["data"] for part in each["accounts"]}
    assert (sources["wallet"], sources["bank"], sources["merchant_pending"]) == (
        "balances",
        "entries",
        "entries",
    )
    assert total["entries"] > 0


def test_the_trial_balance_is_the_platforms(shop: Shop) -> None:
    assert shop.http.get("/v1/ledger/trial-balance").status_code == 403
    assert shop.http.get(ANEW).status_code == 403


def test_the_ledger_is_added_up_in_two_ways_only(platform: httpx.Client) -> None:
    answer = platform.get("/v1/ledger/trial-balance?source=memory")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/source")


def test_a_wallet_is_an_account_of_the_ledger(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    shop.pay("1", wallet, 300)
    name = f"wallet:{wallet}"
    account = read(shop.http, f"/v1/ledger/accounts/{name}")
    assert account == {
        "account": name,
        "kind": "wallet",
        "currency": "GBP",
        "balance": 700,
        "available": 700,
        "held": 0,
        "status": "active",
        "holder": shop.id,
    }
    entries = read(shop.http, f"/v1/ledger/accounts/{name}/entries")
    assert entries == read(shop.http, f"/v1/wallets/{wallet}/entries")
    signed = [e["amount"] * (1 if e["direction"] == "credit" else -1) for e in entries["data"]]
    assert signed == [-300, 1000]


def test_what_a_merchant_has_coming_is_the_sum_of_its_captured_payments(
    shop: Shop, platform: httpx.Client
) -> None:
    wallet = shop.wallet(1000)
    for number, amount in enumerate((100, 200, 5000)):
        shop.pay(f"order-{number}", wallet, amount)
    await_rolled_up(platform)
    name = f"merchant_pending:{shop.id}:GBP"
    account = read(shop.http, f"/v1/ledger/accounts/{name}")
    assert (account["balance"], account["available"], account["status"]) == (300, None, None)
    entries = read(shop.http, f"/v1/ledger/accounts/{name}/entries")["data"]
    assert [(e["reference"], e["amount"], e["direction"]) for e in entries] == [
        ("order-1", 200, "credit"),
        ("order-0", 100, "credit"),
    ]


def test_a_payment_leads_to_its_entry(shop: Shop) -> None:
    wallet = shop.wallet(1000)
    (entry_id,) = shop.pay("1", wallet, 300).json()["entries"]
    entry = read(shop.http, f"/v1/ledger/entries/{entry_id}")
    assert (entry["id"], entry["amount"], entry["reason"], entry["reference"]) == (
        entry_id,
        300,
        "payment",
        "1",
    )
    assert entry["counterpart"] == f"merchant_pending:{shop.id}:GBP"


def test_a_refused_payment_has_no_entry(shop: Shop) -> None:
    wallet = shop.wallet()
    shop.pay("1", wallet, 300)
    assert read(shop.http, "/v1/payments/1")["entries"] == []
    assert read(shop.http, f"/v1/wallets/{wallet}/entries")["data"] == []


def test_the_bank_is_the_platforms_account(shop: Shop, platform: httpx.Client) -> None:
    # In a currency that no other test has: there are payouts in pounds, which come when the bank says so.
    shop.wallet(1000, "NOK")
    await_rolled_up(platform)
    assert (
        read(platform, "/v1/ledger/accounts/bank:NOK")["balance"] == kinds(platform, "NOK")["bank"] == -1000
    )
    newest = read(platform, "/v1/ledger/accounts/bank:NOK/entries?limit=1")["data"][0]
    assert (newest["amount"], newest["direction"], newest["reason"]) == (1000, "debit", "deposit")
    assert shop.http.get("/v1/ledger/accounts/bank:NOK").status_code == 404


@pytest.mark.parametrize(
    "path", ["accounts/wallet:wal_{0}", "accounts/wallet:wal_{0}/entries", "entries/ent_{0}"]
)
def test_what_is_not_in_the_ledger_is_not_found(platform: httpx.Client, path: str) -> None:
    assert platform.get(f"/v1/ledger/{path.format('a' * 24)}").status_code == 404


def test_a_missing_entry_is_told(shop: Shop, platform: httpx.Client, engine: System) -> None:
    wallet = shop.wallet(1000)
    client, table = aws.client("dynamodb"), table_name("ledger")
    keys = {":pk": {"S": f"wallet:{wallet}"}, ":entry": {"S": "ENTRY#"}}
    (item,) = client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :entry)",
        ExpressionAttributeValues=keys,
    )["Items"]
    client.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})
    try:
        total = read(platform, ANEW)
        assert not total["balanced"]
        assert [part["total"] for part in total["data"] if part["currency"] == "GBP"] == [1000]
    finally:
        client.put_item(TableName=table, Item=item)
    assert read(platform, ANEW)["balanced"]
