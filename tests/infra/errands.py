"""What every function is for, done once: the ordinary, and what it asks of AWS only when things go wrong."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from acquiring.acquirer import connector
from chassis import clock, ids, store
from chassis.auth import FeePlan, Merchant
from chassis.operations import Intent
from functions.payments import model as payments
from functions.payments import pending
from functions.payments import table as payments_table
from functions.payments.records import StoredPayment
from functions.payments.shapes import NewPayment
from functions.payouts import gateway as bank_gateway
from functions.payouts import model as payouts
from functions.payouts import table as payouts_table
from functions.payouts.shapes import NewPayout
from functions.topups import model as topups
from functions.topups import table as topups_table
from functions.topups.model import NewTopup
from functions.webhooks import model as webhooks
from functions.webhooks import table as webhooks_table
from functions.webhooks.publication import attempt_of
from functions.webhooks.shapes import EndpointChange
from ledger.accounts import bank, wallet
from local.bank.accounts import BY_NAME
from tests.functions.payouts.bank import InnerBank
from tests.infra.recording import Recording, items
from tests.network import card
from tests.receiver import Receiver, answers

GBP = {"currency": "GBP"}
BOOKMARK = "bookmark"


@dataclass
class Errands:
    """A merchant of its own, and everything that can be done with it."""

    recording: Recording
    receiver: Receiver
    bank: InnerBank
    merchant: str = ""
    key: str = ""
    made: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """All of them, each on what those before it have left."""
        for errand in (
            *(self.merchants, self.wallets, self.cards, self.payments, self.topups),
            *(self.lost_charges, self.publications, self.accounts, self.settlement),
            *(self.payouts, self.lost_orders, self.webhooks, self.deliveries, self.repetitions),
        ):
            errand()

    def platform(self, method: str, path: str, body: Any = None) -> Any:
        """The platform asks; what does not succeed is no errand."""
        return self._done(self.recording.system.platform_key, method, path, body)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The merchant asks."""
        return self._done(self.key, method, path, body, **headers)

    def _done(self, key: str, method: str, path: str, body: Any, **headers: str) -> Any:
        answer = self.recording.call(key, method, path, body, **headers)
        assert answer.status < 300, (method, path, answer)
        return answer.body

    def refused(self, method: str, path: str, body: Any = None) -> int:
        """The merchant asks for what it is not given."""
        answer = self.recording.call(self.key, method, path, body)
        assert answer.status in {402, 404, 409, 422}, answer
        return answer.status

    def merchants(self) -> None:
        fee = {"basis_points": 150, "fixed": 20}
        asked = {"name": "Shop", **GBP, "fee": fee, "settlement_delay_days": 1}
        made = self.platform("POST", "/v1/merchants", asked)
        self.merchant, self.key = made["id"], made["api_key"]["key"]
        mine = f"/v1/merchants/{self.merchant}"
        self.platform("GET", "/v1/merchants")
        self.platform("PATCH", mine, {"name": "Shop Ltd"})
        second = self.platform("POST", f"{mine}/api-keys")
        self.platform("GET", f"{mine}/api-keys")
        self.platform("DELETE", f"{mine}/api-keys/{second['id']}")
        holder = {"holder_name": "Shop Ltd", "iban": BY_NAME["pays"].iban, **GBP}
        self.made["bank_account"] = self.platform("POST", f"{mine}/bank-accounts", holder)["id"]
        self.platform("GET", f"{mine}/bank-accounts")

    def wallets(self) -> None:
        first, second = (self.ask("POST", "/v1/wallets", {"owner": "Ann", **GBP})["id"] for _ in "12")
        self.made["wallet"] = first
        money = {"amount": 100_000, **GBP, "reference": "salary"}
        self.platform("POST", f"/v1/wallets/{first}/deposits", money)
        moved = self.ask(
            "POST", "/v1/transfers", {"from_wallet": first, "to_wallet": second, "amount": 5, **GBP}
        )
        for path in ("wallets", f"wallets/{first}", f"wallets/{first}/entries", "transfers"):
            self.ask("GET", f"/v1/{path}")
        self.ask("GET", f"/v1/transfers/{moved['id']}")
        for change in ("freeze", "unfreeze"):
            self.ask("POST", f"/v1/wallets/{second}/{change}")
        too_much = {"from_wallet": second, "to_wallet": first, "amount": 500, **GBP}
        assert self.refused("POST", "/v1/transfers", too_much) == 402

    def cards(self) -> None:
        number = {"number": card().number, "exp_month": 12, "exp_year": 2040, "cvc": "123"}
        # The second is sealed with a key that must be unwrapped; of a hundred, one counts.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("random.randrange", lambda _: 0)
            first, second = (self.ask("POST", "/v1/cards", number)["id"] for _ in "12")
        self.made["card"] = first
        self.ask("GET", f"/v1/cards/{first}")
        self.ask("DELETE", f"/v1/cards/{second}")

    def payments(self) -> None:
        by_wallet: dict[str, Any] = {"source": {"wallet": self.made["wallet"]}}
        by_card: dict[str, Any] = {"source": {"card": self.made["card"]}}
        manual = {"capture": "manual"}
        for order, how in {
            "w1": by_wallet,
            "w2": by_wallet | manual,
            "w3": by_wallet | manual,
            "c1": by_card,
            "c2": by_card | manual,
            "c3": by_card | manual,
            "c4": by_card | manual,
        }.items():
            self.ask("POST", f"/v1/payments/{order}", {"amount": 10_000, **GBP, **how})
        self.ask("GET", "/v1/payments")
        self.ask("GET", "/v1/payments/w1")
        for order in ("w2", "c2"):
            self.ask("POST", f"/v1/payments/{order}/capture")
        self.ask("POST", "/v1/payments/c3/cancel")
        for order in ("w1", "c1"):
            refund = self.ask("POST", f"/v1/payments/{order}/refunds", {"amount": 100})
            self.ask("GET", f"/v1/payments/{order}/refunds/{refund['id']}")
        self.ask("GET", "/v1/payments/w1/refunds")
        with self.later(days=8):  # w3 and c4 have expired
            assert self.recording.tick("payments.expire") == 2

    def later(self, **much: float) -> Any:
        """The calendar is ahead, while the block runs."""
        return ahead(self.recording, timedelta(**much))

    def topups(self) -> None:
        asked = {"wallet": self.made["wallet"], "card": self.made["card"], "amount": 700, **GBP}
        made = self.ask("POST", "/v1/topups", asked)
        self.ask("GET", "/v1/topups")
        self.ask("GET", f"/v1/topups/{made['id']}")

    def lost_charges(self) -> None:
        """The acquirer did what it was asked, or nothing, and its answer was lost."""
        for order, is_known in (("lost1", True), ("lost2", False)):
            waiting = self._waiting_payment(order)
            question = json.dumps({"merchant_id": self.merchant, "order_id": order})
            assert self.recording.deliver("payments.resolve", question) == []  # too early
            if is_known:
                attempt = waiting.latest.attempt_id
                connector().authorize(attempt, card(), waiting.amount, "GBP", capture=True)
            with self.later(minutes=5):
                assert self.recording.deliver("payments.resolve", question) == []
            self.ask("GET", f"/v1/payments/{order}")
        for number, is_known in (("1", True), ("2", False)):
            new = NewTopup(wallet=self.made["wallet"], card="card_" + "a" * 24, amount=300, currency="GBP")
            topup = topups.new_topup(self._intent("topups", number), new, clock.now())
            store.commit(topups_table.save(topup))
            question = json.dumps({"topup_id": topup.id})
            assert self.recording.deliver("topups.resolve", question) == []
            if is_known:
                connector().authorize(topup.attempt_id, card(), 300, "GBP", capture=True)
            with self.later(minutes=5):
                assert self.recording.deliver("topups.resolve", question) == []

    def _intent(self, what: str, key: str) -> Intent:
        return Intent(self.merchant, f"POST /v1/{what}", key, "asked")

    def _waiting_payment(self, order: str) -> StoredPayment:
        merchant = Merchant(
            id=self.merchant,
            status="active",
            fees={"GBP": FeePlan(basis_points=150, fixed=20)},
            cut_off="00:00",
            settlement_delay_days=1,
        )
        new = NewPayment.model_validate({"amount": 900, **GBP, "source": {"card": "card_" + "a" * 24}})
        begun = payments.attempt(
            None, merchant, order, new, intent=self._intent("payments", order), at=clock.now()
        )
        asked = pending.to_authorize(begun, clock.now())
        store.commit(payments_table.save(asked))
        return payments_table.kept(asked)

    def publications(self) -> None:
        for capability in ("payments", "topups", "wallets"):
            # Some of what is told was told when the record was new: here all of them are.
            self.recording.tell(f"{capability}.publish", items(capability))
        self._waiting_payment("lost3")
        waiting = [item for item in items("payments") if "pending" in item]
        self.recording.tell("payments.publish", waiting)
        topup = topups.new_topup(
            self._intent("topups", "3"),
            NewTopup(wallet=self.made["wallet"], card="card_" + "a" * 24, amount=300, currency="GBP"),
            clock.now(),
        )
        store.commit(topups_table.save(topup))
        self.recording.tell("topups.publish", [store.get("topups", {"pk": topup.id}) or {}])
        balance = store.get("ledger", wallet(self.made["wallet"]).key)
        assert balance
        self.recording.tell("wallets.publish_status", [balance], was={"status": "frozen"})

    def accounts(self) -> None:
        names = (str(wallet(self.made["wallet"])), f"merchant_pending:{self.merchant}:GBP")
        for name in names:
            self.ask("GET", f"/v1/ledger/accounts/{name}")
        (first, *_) = self.ask("GET", f"/v1/ledger/accounts/{names[0]}/entries")["data"]
        self.ask("GET", f"/v1/ledger/entries/{first['id']}")
        self.platform("GET", f"/v1/ledger/accounts/{bank('GBP')}/entries")
        for source in ("", "?source=journal"):
            self.platform("GET", f"/v1/ledger/trial-balance{source}")
        told = items("ledger")
        self.recording.tell("accounts.roll_up", told[: len(told) // 2])
        assert self.recording.tick("accounts.rebuild") > 0

    def settlement(self) -> None:
        lines = self.recording.sent_to("settlement-lines")
        assert self.recording.deliver("settlement.collect", *lines, lines[0]) == []
        self.recording.tell("settlement.publish", items("settlements"))
        with self.later(days=2):
            assert self.recording.tick("settlement.settle") > 0
        with self.later(days=4):
            self.recording.tick("settlement.settle")
        (first, *_) = self.ask("GET", "/v1/settlements")["data"]
        assert first["status"] == "released"
        for path in ("balance", f"settlements/{first['id']}", f"settlements/{first['id']}/payments"):
            self.ask("GET", f"/v1/{path}")
        self.ask("GET", f"/v1/settlements/{first['id']}", accept="text/csv")

    def payouts(self) -> None:
        made = self._pay_out()
        self.ask("GET", "/v1/payouts")
        self.ask("GET", f"/v1/payouts/{made['id']}")
        withdrawal = {"source": {"wallet": self.made["wallet"]}}
        asked = {"amount": 50, **GBP, "bank_account": self.made["bank_account"], **withdrawal}
        platform = self.recording.system.platform_key
        answer = self.recording.call(platform, "POST", "/v1/payouts", asked, tael_merchant=self.merchant)
        assert answer.status == 201
        unknown = {"amount": 50, **GBP, "bank_account": "ba_" + "a" * 24}
        assert self.refused("POST", "/v1/payouts", unknown) == 422
        too_much = {"amount": 10**9, **GBP, "bank_account": self.made["bank_account"]}
        assert self.refused("POST", "/v1/payouts", too_much) == 402

    def _pay_out(self) -> Any:
        asked = {"amount": 200, **GBP, "bank_account": self.made["bank_account"]}
        return self.ask("POST", "/v1/payouts", asked)

    def lost_orders(self) -> None:
        """The bank's answers are lost, and it is asked again; then its feed is followed, and a line fails."""
        for how in ("is_mute", "is_deaf"):
            setattr(self.bank, how, True)
            made = self._pay_out()
            setattr(self.bank, how, False)
            question = json.dumps({"payout_id": made["id"]})
            assert self.recording.deliver("payouts.resolve", question) == []
            with self.later(minutes=5):
                assert self.recording.deliver("payouts.resolve", question) == []
        new = NewPayout.model_validate({"amount": 5, **GBP, "bank_account": self.made["bank_account"]})
        waiting = payouts.begun(
            payouts.new_payout(self.merchant, self._intent("payouts", "9"), new, clock.now())
        )
        store.commit(payouts_table.save(waiting.payout))
        self.recording.tell("payouts.publish", [item for item in items("payouts") if item["pk"] != BOOKMARK])
        self.bank.is_mute = True
        self._pay_out()  # of which the feed is the first to tell
        self.bank.is_mute = False
        self.bank.later()
        told = self.bank.lines

        def with_one_that_cannot_be_read(after: int) -> Any:
            return [line | ({"attempt": None} if line["line"] == 1 else {}) for line in told(after)]

        self.bank.lines = with_one_that_cannot_be_read  # type: ignore[method-assign]
        assert self.recording.tick("payouts.reconcile") > 0

    def webhooks(self) -> None:
        asked = {"url": f"{self.receiver.url}/{uuid.uuid4()}", "events": ["*"]}
        made = self.ask("POST", "/v1/webhook-endpoints", asked)
        self.made["endpoint"] = made["id"]
        mine = f"/v1/webhook-endpoints/{made['id']}"
        self.ask("POST", f"{mine}/rotate-secret")
        self.ask("PATCH", mine, {"events": ["payment.*"]})
        told = [body for body in self.recording.sent_to("webhook-events") if '"payment.' in body]
        assert self.recording.deliver("webhooks.record", *told[:2]) == []
        self._reset_endpoint(slow=True)
        assert self.recording.deliver("webhooks.record", *told[2:4]) == []
        for path in ("", f"/{made['id']}", f"/{made['id']}/deliveries"):
            self.ask("GET", f"/v1/webhook-endpoints{path}")
        event = self.ask("GET", "/v1/events")["data"][0]
        self.ask("GET", f"/v1/events/{event['id']}")
        for endpoint_is_slow in (False, True):
            self._reset_endpoint(slow=endpoint_is_slow)
            self.ask("POST", f"/v1/events/{event['id']}/redeliver", {})
        self.made["event"] = event["id"]
        gone = self.ask("POST", "/v1/webhook-endpoints", asked)
        self.ask("DELETE", f"/v1/webhook-endpoints/{gone['id']}")

    def deliveries(self) -> None:
        for lane in ("webhooks.deliver", "webhooks.deliver_slowly"):
            for endpoint_is_slow in (False, True):
                self._reset_endpoint(slow=endpoint_is_slow)
                self.recording.deliver(lane, self._attempt())
                self._reset_endpoint(slow=endpoint_is_slow)
                self.recording.deliver(lane, self._attempt(tries=1))  # too early
        for endpoint_is_slow in (False, True):
            self._reset_endpoint(slow=endpoint_is_slow)
            self._attempt(tries=1)
            with self.later(hours=1):
                assert self.recording.tick("webhooks.retry") > 0
        for lane in ("webhooks.deliver", "webhooks.deliver_slowly"):
            self._reset_endpoint(slow=lane.endswith("slowly"))
            attempt, later = self._attempt(), self._attempt()
            self.receiver.act(self._path(), answers(410))
            self.recording.deliver(lane, attempt)
            self.recording.deliver(lane, later)
            self.receiver.act(self._path(), answers(204))

    def _path(self) -> str:
        endpoint = webhooks_table.endpoint(self.merchant, self.made["endpoint"])
        assert endpoint
        return endpoint.url.removeprefix(self.receiver.url)

    def _reset_endpoint(self, *, slow: bool) -> None:
        found = webhooks_table.endpoint(self.merchant, self.made["endpoint"])
        assert found
        enabled = webhooks.changed(found, EndpointChange(status="enabled"), clock.now())
        store.commit(webhooks_table.save_endpoint(enabled.model_copy(update={"slow": slow})))

    def _attempt(self, *, tries: int = 0) -> str:
        """The message that begins the next attempt of a delivery that waits."""
        endpoint = webhooks_table.endpoint(self.merchant, self.made["endpoint"])
        event = webhooks_table.event(self.made["event"])
        assert endpoint
        assert event
        told = event.model_copy(update={"id": ids.random("evt")})
        delivery = webhooks.new_delivery(told, endpoint)
        if tries:
            put_off = webhooks.put_off(delivery, clock.now() + timedelta(minutes=2))
            delivery = put_off.model_copy(update={"tries": tries})
        store.commit(webhooks_table.create_event(told), webhooks_table.save_delivery(delivery))
        return attempt_of(webhooks_table.kept(delivery), endpoint).body.model_dump_json()

    def repetitions(self) -> None:
        for capability in ("wallets", "payments", "topups", "settlement", "payouts"):
            assert self.recording.tick(f"{capability}.republish") > 0


class ahead:  # noqa: N801 - used as a function
    """Sets the calendar of a recording ahead, while its block runs."""

    def __init__(self, recording: Recording, by: timedelta) -> None:
        self._recording, self._by = recording, by

    def __enter__(self) -> None:
        self._recording.ahead += self._by

    def __exit__(self, *_: object) -> None:
        self._recording.ahead -= self._by


def asked_bank(patch: pytest.MonkeyPatch, bank: InnerBank) -> None:
    """Have payouts ask this bank, whose address they must know all the same."""
    real: Callable[[], Any] = bank_gateway._bank
    patch.setattr(bank_gateway, "_bank", lambda: (real(), bank)[1])
