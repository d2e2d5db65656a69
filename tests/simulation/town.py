"""Owns what a run begins with: two shops and the platform, with wallets, cards and accounts."""

from dataclasses import dataclass, field
from typing import Any

from tests.simulation.callers import Ask, Caller, Counter

PLATFORM_KEY = "simulated-platform-key-0123456789abcdef"
CURRENCY = "GBP"
CARDS = (("4242424242424242", "123"), ("5555555555554444", "471"))
"""Numbers and security codes, which must turn up nowhere."""
LATER_CARD = ("4000056655665556", "909")
"""What callers keep later on, in whatever weather."""
IBAN = "GB33BUKB20201555555555"
SAVINGS = 4_000
"""In each wallet at first, in pence."""
FIRST_REFERENCE = "savings"
URL = "https://hooks.example.com/"
PLATFORM = Caller("platform", (("authorization", f"Bearer {PLATFORM_KEY}"),))


@dataclass(slots=True)
class Shop:
    """A merchant, and what it knows of."""

    id: str
    caller: Caller
    on_behalf: Caller
    """The platform, in its name."""
    bank_account: str
    endpoint: str
    wallets: list[str] = field(default_factory=list)
    cards: list[str] = field(default_factory=list)
    founded_cards: int = 0
    """Of the cards, the first: they stay."""
    orders: list[str] = field(default_factory=list)
    foreign: list[tuple[str, str]] = field(default_factory=list)
    """Paths of what is not its own, with the ids in them."""


@dataclass(slots=True)
class Town:
    """Everybody who takes part."""

    shops: list[Shop]
    wallets: list[str]
    """Of the platform: any shop's customers may pay from them, when the platform asks."""


def founded(counter: Counter) -> Town:
    """Everything made through the API; for a task in fair weather."""
    number = iter(range(1000))

    def ask(caller: Caller, path: str, body: Any, *, keyed: bool = True) -> dict[str, Any]:
        key = f"founding-{next(number)}" if keyed else None
        answer = counter.make(Ask("founding", caller, "POST", path, body, key))
        if answer is None or answer.status != 201:
            raise RuntimeError(f"POST {path}: {answer}")
        return answer.body

    def wallet(caller: Caller, owner: str) -> str:
        wallet_id: str = ask(caller, "/v1/wallets", {"owner": owner, "currency": CURRENCY})["id"]
        deposit = {"amount": SAVINGS, "currency": CURRENCY, "reference": FIRST_REFERENCE}
        ask(PLATFORM, f"/v1/wallets/{wallet_id}/deposits", deposit, keyed=False)
        return wallet_id

    shops = [
        _shop(ask, wallet, "flowers", {"basis_points": 150, "fixed": 20}, days=1, cut_off="00:00"),
        _shop(ask, wallet, "books", {"basis_points": 0, "fixed": 35}, days=0, cut_off="17:30"),
    ]
    return Town(shops, [wallet(PLATFORM, f"customer-{name}") for name in "ab"])


def _shop(ask: Any, wallet: Any, name: str, fee: dict[str, int], *, days: int, cut_off: str) -> Shop:
    plan = {"name": name, "currency": CURRENCY, "fee": fee}
    made = ask(PLATFORM, "/v1/merchants", {**plan, "settlement_delay_days": days, "cut_off": cut_off})
    merchant, secret = made["id"], made["api_key"]["key"]
    caller = Caller(name, (("authorization", f"Bearer {secret}"),))
    account = {"holder_name": name, "iban": IBAN, "currency": CURRENCY}
    bank_account = ask(PLATFORM, f"/v1/merchants/{merchant}/bank-accounts", account)["id"]
    endpoint = ask(caller, "/v1/webhook-endpoints", {"url": URL + name, "events": ["*"]})["id"]
    on_behalf = Caller(f"platform for {name}", (*PLATFORM.headers, ("tael-merchant", merchant)))
    shop = Shop(merchant, caller, on_behalf, bank_account, endpoint)
    shop.wallets = [wallet(caller, f"{name}-{number}") for number in range(2)]
    for card, cvc in CARDS[: 1 + days]:
        asked = {"number": card, "exp_month": 12, "exp_year": 2040, "cvc": cvc}
        shop.cards.append(ask(caller, "/v1/cards", asked)["id"])
    shop.founded_cards = len(shop.cards)
    return shop
