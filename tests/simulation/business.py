"""Owns what callers want: each verb of the API with plausible, foolish and hostile arguments."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from tests.simulation.callers import Ask, Caller, Counter
from tests.simulation.machines import Answer
from tests.simulation.town import CURRENCY, LATER_CARD, PLATFORM, SAVINGS, URL, Shop, Town

REPLAYS, TWINS = 0.2, 0.15
"""The share of requests that are sent again later, and of those that are sent twice at once."""
THINK_SECONDS = 6.0
SOON = 0.4
"""The share of requests that follow at once."""
HELD_OF = 200
"""So many of the latest requests are searched for what can be captured or canceled."""
COMMON_KEYS = 0.15
"""The share of keys that are no secret of whoever takes them."""


class Business:
    """One caller's business, drawn from the seed: some requests, one after the other."""

    def __init__(self, town: Town, shop: Shop, counter: Counter, chooser: random.Random) -> None:
        self._town = town
        self._shop = shop
        self._counter = counter
        self._chooser = chooser

    def run(self, requests: int) -> None:
        """Make that many requests; replays and twins come on top."""
        scheduler = self._counter.scheduler
        for _ in range(requests):
            if self._chooser.random() > SOON:
                scheduler.sleep(self._chooser.expovariate(1 / THINK_SECONDS))
            ask = self._next()
            if self._chooser.random() < TWINS:
                scheduler.spawn("twin", partial(self._counter.make, ask))
            answer = self._counter.make(ask)
            self._learn(ask, answer)
            if self._chooser.random() < REPLAYS:
                self._counter.make(self._chooser.choice(self._counter.asked))

    def _next(self) -> Ask:
        (verb,) = self._chooser.choices(_VERBS, _WEIGHTS)
        return verb(self)

    def _learn(self, ask: Ask, answer: Answer | None) -> None:
        """What was made by a request can be used by later ones."""
        if answer is None or answer.status not in {201, 202}:
            return
        if ask.kind == "pay":
            self._shop.orders.append(ask.path.rpartition("/")[2])
        if ask.kind == "open":
            self._shop.wallets.append(answer.body["id"])
        if ask.kind == "keep card":
            self._shop.cards.append(answer.body["id"])
        if ask.kind in {"refund", "top up", "pay out"}:
            self._shop.foreign.append((f"{ask.path}/{answer.body['id']}", answer.body["id"]))

    # What all of them are made of

    def _key(self) -> str:
        """One of its own, or one that others take too, and this caller for other things."""
        if self._chooser.random() < COMMON_KEYS:
            return f"key-{self._chooser.randint(1, 3)}"
        return f"key-{self._chooser.getrandbits(40):x}"

    def _amount(self, most: int = SAVINGS // 2) -> int:
        return self._chooser.choice((1, 7, 100, 300, self._chooser.randint(1, most), most))

    def _wallet(self, caller: Caller) -> str:
        """One that this caller may use, nearly always."""
        wallets = list(self._shop.wallets)
        if caller is not self._shop.caller or self._chooser.random() < 0.05:
            wallets += self._town.wallets
        return self._chooser.choice(wallets)

    def _order(self) -> str:
        """Most often one that was begun before."""
        orders = self._shop.orders
        return self._chooser.choice(orders[-8:]) if orders else f"{self._shop.caller.name}-none"

    def _held(self) -> str:
        """Most often one of which something is held, by what its payer was told."""
        mine = (self._shop.caller, self._shop.on_behalf)
        held = [
            ask.path.rpartition("/")[2]
            for ask in self._counter.asked[-HELD_OF:]
            if ask.kind == "pay" and ask.caller in mine and "capture" in ask.body and ask.is_known
        ]
        return self._chooser.choice(held) if held and self._chooser.random() < 0.8 else self._order()

    def _caller(self) -> Caller:
        return self._shop.caller if self._chooser.random() < 0.6 else self._shop.on_behalf

    def _post(
        self, kind: str, path: str, body: Any, *, keyed: bool = True, caller: Caller | None = None
    ) -> Ask:
        return Ask(kind, caller or self._caller(), "POST", path, body, self._key() if keyed else None)

    # The verbs

    def pay(self) -> Ask:
        order = self._order() if self._chooser.random() < 0.15 else f"order-{self._chooser.getrandbits(32):x}"
        caller = self._caller()
        source = {"wallet": self._wallet(caller)}
        if self._chooser.random() < 0.5:
            source = {"card": self._chooser.choice(self._shop.cards)}
        body = {"amount": self._amount(), "currency": CURRENCY, "source": source}
        if self._chooser.random() < 0.4:
            body["capture"] = "manual"
        keyed = self._chooser.random() < 0.6
        return self._post("pay", f"/v1/payments/{order}", body, keyed=keyed, caller=caller)

    def capture(self) -> Ask:
        body = {"amount": self._amount()} if self._chooser.random() < 0.3 else {}
        return self._post("capture", f"/v1/payments/{self._held()}/capture", body, keyed=False)

    def cancel(self) -> Ask:
        return self._post("cancel", f"/v1/payments/{self._held()}/cancel", None, keyed=False)

    def refund(self) -> Ask:
        body = {"amount": self._amount(SAVINGS // 8)} if self._chooser.random() < 0.7 else {}
        return self._post("refund", f"/v1/payments/{self._order()}/refunds", body)

    def transfer(self) -> Ask:
        caller = self._caller()
        source = self._wallet(caller)
        others = [wallet for wallet in (*self._shop.wallets, *self._town.wallets) if wallet != source]
        sides = {"from_wallet": source, "to_wallet": self._chooser.choice((*others, self._wallet(caller)))}
        amount = SAVINGS if self._chooser.random() < 0.1 else self._amount()
        money = {"amount": amount, "currency": CURRENCY}
        return self._post("transfer", "/v1/transfers", {**sides, **money}, caller=caller)

    def deposit(self) -> Ask:
        reference = f"line {self._chooser.randint(1, 6)}"
        body = {"amount": self._chooser.choice((500, 800)), "currency": CURRENCY, "reference": reference}
        path = f"/v1/wallets/{self._wallet(PLATFORM)}/deposits"
        return self._post("deposit", path, body, keyed=False, caller=PLATFORM)

    def top_up(self) -> Ask:
        caller = self._caller()
        body = {"wallet": self._wallet(caller), "card": self._chooser.choice(self._shop.cards)}
        money = {"amount": self._amount(), "currency": CURRENCY}
        return self._post("top up", "/v1/topups", {**body, **money}, caller=caller)

    def pay_out(self) -> Ask:
        body: dict[str, Any] = {"amount": self._amount(SAVINGS // 4), "currency": CURRENCY}
        body["bank_account"] = self._shop.bank_account
        caller = self._shop.caller
        if self._chooser.random() < 0.5:
            caller = self._shop.on_behalf
            body["source"] = {"wallet": self._wallet(caller)}
        return self._post("pay out", "/v1/payouts", body, caller=caller)

    def open(self) -> Ask:
        return self._post("open", "/v1/wallets", {"owner": "somebody", "currency": CURRENCY})

    def change_wallet(self) -> Ask:
        verb, caller = self._chooser.choice(("freeze", "unfreeze", "unfreeze", "close")), self._caller()
        return self._post(
            verb, f"/v1/wallets/{self._wallet(caller)}/{verb}", None, keyed=False, caller=caller
        )

    def change_endpoint(self) -> Ask:
        path = f"/v1/webhook-endpoints/{self._shop.endpoint}"
        if self._chooser.random() < 0.3:
            return self._post("rotate", f"{path}/rotate-secret", None)
        wishes = {"events": ["*"]}, {"events": ["payment.*"]}, {"status": "enabled"}, {"status": "disabled"}
        return Ask("change endpoint", self._caller(), "PATCH", path, self._chooser.choice(wishes))

    def keep_card(self) -> Ask:
        number, cvc = LATER_CARD
        card = {"number": number, "exp_month": 1, "exp_year": 2041, "cvc": cvc}
        return self._post("keep card", "/v1/cards", card)

    def delete_card(self) -> Ask:
        """One that was kept lately: there are always some to pay by."""
        card = self._chooser.choice(self._shop.cards)
        kept = card in self._shop.cards[self._shop.founded_cards :]
        method = "DELETE" if kept else "GET"
        return Ask(
            "look" if method == "GET" else "delete card", self._shop.caller, method, f"/v1/cards/{card}"
        )

    def look(self) -> Ask:
        path = self._chooser.choice(
            (
                *(
                    "/v1/balance",
                    "/v1/payments",
                    "/v1/settlements",
                    "/v1/wallets",
                    "/v1/payouts",
                    "/v1/events",
                ),
                *(f"/v1/payments/{self._order()}", f"/v1/wallets/{self._wallet(self._shop.caller)}/entries"),
            )
        )
        return Ask("look", self._shop.caller, "GET", path)

    def intrude(self) -> Ask:
        """Reach for what is another merchant's, with this one's own key."""
        (other,) = (shop for shop in self._town.shops if shop is not self._shop)
        wallet, card = self._chooser.choice(other.wallets), self._chooser.choice(other.cards)
        mine = self._chooser.choice(self._shop.wallets)
        money = {"amount": 5, "currency": CURRENCY}
        paths = [path for path, _ in other.foreign] or [f"/v1/wallets/{wallet}"]
        attempts: tuple[tuple[str, str, Any], ...] = (
            ("GET", f"/v1/wallets/{wallet}", None),
            ("GET", f"/v1/wallets/{wallet}/entries", None),
            ("GET", self._chooser.choice(paths), None),
            ("GET", f"/v1/cards/{card}", None),
            ("POST", f"/v1/wallets/{wallet}/freeze", None),
            ("POST", "/v1/transfers", {"from_wallet": wallet, "to_wallet": mine, **money}),
            ("POST", "/v1/topups", {"wallet": mine, "card": card, **money}),
            ("POST", "/v1/payments/stolen", {"source": {"wallet": wallet}, **money}),
            ("POST", "/v1/payments/stolen", {"source": {"card": card}, **money}),
            ("POST", "/v1/payouts", {"bank_account": other.bank_account, **money}),
            ("GET", f"/v1/webhook-endpoints/{other.endpoint}", None),
            (
                "POST",
                "/v1/payouts",
                {"bank_account": self._shop.bank_account, "source": {"wallet": mine}, **money},
            ),
        )
        method, path, body = self._chooser.choice(attempts)
        key = self._key() if body is not None else None
        return Ask("intrude", self._shop.caller, method, path, body, key)

    def blunder(self) -> Ask:
        """Ask for what nobody can have, of which nothing may be written."""
        money = {"amount": 5, "currency": CURRENCY}
        attempts: tuple[tuple[str, Any], ...] = (
            ("/v1/transfers", {**money, "amount": -5}),
            ("/v1/payments/blunder", {**money, "amount": 1.5, "source": {"wallet": self._shop.wallets[0]}}),
            (
                "/v1/payments/blunder",
                {**money, "currency": "XXX", "source": {"wallet": self._shop.wallets[0]}},
            ),
            ("/v1/topups", {**money, "wallet": "wal_nobody", "card": self._shop.cards[0]}),
            ("/v1/wallets", {"owner": "", "currency": CURRENCY}),
            ("/v1/webhook-endpoints", {"url": URL.replace("https", "ftp"), "events": ["*"]}),
        )
        path, body = self._chooser.choice(attempts)
        return self._post("blunder", path, body)


_TABLE: Final[tuple[tuple[Callable[[Business], Ask], int], ...]] = (
    (Business.pay, 26),
    (Business.capture, 9),
    (Business.cancel, 5),
    (Business.refund, 10),
    (Business.transfer, 8),
    (Business.top_up, 8),
    (Business.pay_out, 8),
    (Business.deposit, 3),
    (Business.open, 2),
    (Business.change_wallet, 5),
    (Business.change_endpoint, 2),
    (Business.keep_card, 2),
    (Business.delete_card, 2),
    (Business.look, 5),
    (Business.intrude, 4),
    (Business.blunder, 3),
)
_VERBS = [verb for verb, _ in _TABLE]
_WEIGHTS = [weight for _, weight in _TABLE]


def poison() -> Iterator[str]:
    """Messages that no consumer can read."""
    while True:
        yield from ("not JSON", '{"unknown": 1}', "[]", '{"id": 7, "type": "payment.captured"}')
