"""What wallets tell: each status, deposit and transfer once, under ids that stay, to whom it concerns."""

import uuid
from typing import Any

import pytest

from chassis import events, ids, observe, store
from chassis.attributes import Item
from chassis.events import Message
from chassis.sources import Change, FailedAt
from functions.wallets import app, publication, table
from ledger import accounts
from tests.conftest import Shop, new_key
from tests.functions.inside import days_later
from tests.functions.told import told, types

pytestmark = pytest.mark.usefixtures("engine")


def record(identity: str) -> Item:
    """What the wallets table has under that id."""
    found = store.get(table.TABLE, {"pk": identity})
    assert found is not None
    return found


def balance(wallet: str) -> Item:
    """The item of its balance."""
    found = store.get(accounts.TABLE, accounts.wallet(wallet).key)
    assert found is not None
    return found


def news(*identities: str) -> list[Change]:
    """What the stream of the wallets table had of these records when they were new."""
    return [Change(str(at), {"pk": each}, None, record(each)) for at, each in enumerate(identities)]


def transfer(shop: Shop, source: str, target: str, amount: int = 100) -> dict[str, Any]:
    body = {"from_wallet": source, "to_wallet": target, "amount": amount, "currency": "GBP"}
    answer = shop.http.post("/v1/transfers", json=body, headers=new_key()).json()
    identity = answer.get("instance", answer.get("id")).rpartition("/")[2]
    shown: dict[str, Any] = shop.http.get(f"/v1/transfers/{identity}").json()
    return shown


def deposit(shop: Shop, wallet: str) -> dict[str, Any]:
    body = {"amount": 500, "currency": "GBP", "reference": str(uuid.uuid4())}
    shown: dict[str, Any] = shop.platform.post(f"/v1/wallets/{wallet}/deposits", json=body).json()
    return shown


def test_a_wallet_is_told_of_as_it_was_opened(shop: Shop) -> None:
    wallet = shop.wallet()
    shown = shop.http.get(f"/v1/wallets/{wallet}").json()
    shop.deposit(wallet, 500)
    shop.become(wallet, "freeze")
    (event,) = told(publication.messages(news(wallet)))
    assert (event["type"], event["sequence"]) == ("wallet.opened", 1)
    assert (event["principal"], event["created_at"]) == (shop.id, shown["created_at"])
    assert event["data"] == shown


def test_a_deposit_is_told_to_who_opened_the_wallet(shop: Shop) -> None:
    mine, shown = shop.wallet(), deposit(shop, shop.wallet())
    body = {"owner": "customer", "currency": "GBP"}
    platforms = shop.platform.post("/v1/wallets", json=body, headers=new_key()).json()["id"]
    others = [deposit(shop, wallet)["id"] for wallet in (mine, mine, platforms)]
    changes = news(shown["id"], *others)
    with observe.metered() as counted:
        found = told(publication.messages(changes))
    assert (counted.read_calls, counted.read_units) == (1, 3)
    assert [event["principal"] for event in found] == [shop.id, shop.id, shop.id, "platform"]
    assert {(event["type"], event["sequence"]) for event in found} == {("deposit.completed", 1)}
    assert (found[0]["data"], found[0]["created_at"]) == (shown, shown["created_at"])


def test_a_transfer_is_told_to_who_made_it(shop: Shop) -> None:
    source, target = shop.wallet(100), shop.wallet()
    done, refused = transfer(shop, source, target), transfer(shop, source, target)
    changes = news(done["id"], refused["id"])
    with observe.metered() as counted:
        found = told(publication.messages(changes))
    assert counted.read_calls == 0
    assert [(event["type"], event["data"]) for event in found] == [
        ("transfer.completed", done),
        ("transfer.failed", refused),
    ]
    assert {event["principal"] for event in found} == {shop.id}


def test_what_is_none_of_these_tells_nothing() -> None:
    assert publication.messages([Change("1", {}, None, {"pk": "key", "version": 1})]) == []


def test_what_cannot_be_told_waits_alone(shop: Shop) -> None:
    done = transfer(shop, shop.wallet(100), shop.wallet())
    lost = {**record(deposit(shop, shop.wallet())["id"]), "wallet": ids.random("wal")}
    changes = [Change("1", {}, None, record(done["id"])), Change("2", {}, None, lost)]
    with pytest.raises(FailedAt) as failed:
        publication.messages(changes)
    assert failed.value.change is changes[1]
    assert types(failed.value.messages) == [("transfer.completed", 1)]


def test_a_wallet_s_statuses_are_told_and_nothing_else_of_the_ledger_is(shop: Shop) -> None:
    wallet = shop.wallet()
    images, shown = [balance(wallet)], []
    for change in ("freeze", "unfreeze", "deposit", "freeze", "empty", "unfreeze", "close"):
        match change:
            case "deposit":
                shop.deposit(wallet, 500)
            case "empty":
                shop.become(wallet, "unfreeze")
                images.append(balance(wallet))
                transfer(shop, wallet, shop.wallet(), 500)
                images.append(balance(wallet))
                shop.become(wallet, "freeze")
            case _:
                shown.append(shop.become(wallet, change).json())
        images.append(balance(wallet))
    changes = [
        Change(str(at), accounts.wallet(wallet).key, old, new)  # type: ignore[arg-type]
        for at, (old, new) in enumerate(zip([None, *images], images, strict=False))
    ]
    entries = store.query(accounts.TABLE, ("pk", f"wallet:{wallet}"), ("sk", "ENTRY#", "ENTRY$"), limit=10)
    changes += [Change("9", {}, None, entry) for entry in entries]
    assert len(entries) == 2
    with observe.metered() as counted:
        found = told(publication.status_messages(changes))
    assert (counted.read_calls, counted.read_units) == (1, 1)
    kinds = [(event["type"].removeprefix("wallet."), event["sequence"]) for event in found]
    assert kinds == [
        ("frozen", 2),
        ("unfrozen", 3),
        ("frozen", 5),
        ("unfrozen", 6),
        ("frozen", 8),
        ("unfrozen", 9),
        ("closed", 10),
    ]
    assert [event["data"] for event in found if event["sequence"] not in {6, 8}] == shown
    assert {event["principal"] for event in found} == {shop.id}
    moments = [event["created_at"] for event in found]
    assert moments == sorted(moments)
    assert moments[-1] > shown[0]["created_at"]


def test_what_moves_money_is_passed_by_without_a_read(shop: Shop) -> None:
    wallet = shop.wallet()
    before = balance(wallet)
    shop.deposit(wallet, 500)
    merchants = {**before, **accounts.merchant_available(shop.id, "GBP").key}
    changes = [
        Change("1", {}, before, balance(wallet)),
        Change("2", {}, None, merchants),
        Change("3", {}, merchants, {**merchants, "status": "frozen"}),
        Change("4", {}, None, before),
        Change("5", {}, before, None),
    ]
    with observe.metered() as counted:
        assert publication.status_messages(changes) == []
    assert counted.read_calls == 0


def test_an_account_that_no_wallet_has_is_nobody_s_to_tell_of() -> None:
    account = accounts.wallet(ids.random("wal"))
    store.commit(accounts.open_account(account, "GBP", "platform"))
    before = store.get(accounts.TABLE, account.key)
    store.commit(accounts.freeze(account, None))
    frozen = store.get(accounts.TABLE, account.key)
    assert publication.status_messages([Change("1", {}, before, frozen)]) == []


def test_what_is_of_late_is_told_again_word_for_word(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Message] = []
    monkeypatch.setattr(events, "send", sent.extend)
    source, target = shop.wallet(), shop.wallet()
    identities = [source, target, deposit(shop, source)["id"], transfer(shop, source, target)["id"]]
    first = publication.messages(news(*identities))

    def again(days: int) -> dict[str, Any]:
        sent.clear()
        days_later(monkeypatch, days)
        publication.repeat()
        return {event["id"]: event for event in told(sent) if event["principal"] == shop.id}

    assert again(1) == {event["id"]: event for event in told(first)}
    assert again(3) == {}


def test_the_handlers_do_what_they_are_called() -> None:
    assert {source.name: source.table for source in app.service.streams} == {
        "publish": table.TABLE,
        "publish_status": accounts.TABLE,
    }
    assert [(each.name, each.every_minutes) for each in app.service.schedules] == [("republish", 1440)]
