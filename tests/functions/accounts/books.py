"""Made-up ledgers: what postings leave in the table, and what its stream would tell of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import strategies as st

from chassis import paging
from chassis.attributes import Item
from chassis.sources import Change
from ledger import accounts
from ledger.posting import Posting, post
from ledger.reasons import Reason

WALLETS = ["wal_" + letter * 24 for letter in "abc"]
MERCHANTS = ["mer_" + letter * 24 for letter in "ab"]
MERCHANT = MERCHANTS[0]
CURRENCIES = dict(zip(WALLETS, ("GBP", "GBP", "USD"), strict=True))
SHARDS = 2


def posting(
    number: int, reason: Reason, one: str = WALLETS[0], amount: int = 1, merchant: str = MERCHANT
) -> Posting:
    """One movement of each kind that there is, with that wallet or in its currency."""
    currency = CURRENCIES[one]
    wallet, pending = accounts.wallet(one), accounts.merchant_pending(merchant, currency)
    available, transit = accounts.merchant_available(merchant, currency), accounts.bank_in_transit(currency)
    source, target = {
        Reason.DEPOSIT: (accounts.bank(currency), wallet),
        Reason.TRANSFER: (accounts.wallet(WALLETS[0]), accounts.wallet(WALLETS[1])),
        Reason.TOPUP: (accounts.acquirer_receivable(currency), wallet),
        Reason.PAYMENT: (wallet, pending),
        Reason.REFUND: (pending, wallet),
        Reason.NET_SETTLEMENT: (pending, available),
        Reason.FEE: (pending, accounts.fees(currency)),
        Reason.PAYOUT: (available, transit),
        Reason.PAYOUT_PAID: (transit, accounts.bank(currency)),
        Reason.PAYOUT_RETURN: (transit, available),
    }[reason]
    currency = "GBP" if reason is Reason.TRANSFER else currency
    at = f"2026-11-23T09:30:00.{number:06}Z"
    return Posting(reason, source, target, amount, currency, operation=str(number), at=at, reference="")


def postings_of(most: int) -> st.SearchStrategy[list[Posting]]:
    """Up to so many movements of any kind."""
    drawn = st.tuples(
        st.sampled_from(Reason),
        st.sampled_from(WALLETS),
        st.integers(1, 10**12),
        st.sampled_from(MERCHANTS),
    )
    return st.lists(drawn, max_size=most).map(
        lambda each: [posting(number, *values) for number, values in enumerate(each)]
    )


@dataclass
class Books:
    """The table and its stream, without an engine: balances may go below zero here, for the sums' sake."""

    items: dict[tuple[str, str], Item]
    told: dict[str, list[Change]]
    """Shard -> its changes."""

    @classmethod
    def of(cls, postings: Iterable[Posting]) -> "Books":
        """The books after these postings; every other balance is held for a moment each time."""
        books = cls({}, {f"shard-{number}": [] for number in range(SHARDS)})
        for movement in postings:
            for write in post(movement):
                if write.item is not None:
                    books.put({**write.key, **write.item})
                else:
                    books.change(str(write.key["pk"]), write.add["available"], movement.currency)
        return books

    def change(self, name: str, by: int, currency: str) -> None:
        """Add to what is available of a guarded account, and hold a third of it."""
        before = self.items.get((name, "ACCOUNT"), {"available": 0, "held": 0})
        status = {"currency": currency, "status": "active", "holder": "platform"}
        after = {**status, "available": before["available"] + by, "held": before["held"]}
        self.put({"pk": name, "sk": "ACCOUNT", **after})
        held = after["available"] // 3
        kept = {"available": after["available"] - held, "held": after["held"] + held}
        self.put({"pk": name, "sk": "ACCOUNT", **after, **kept})

    def put(self, item: Item) -> None:
        """Store an item, of which the stream then tells."""
        key = (str(item["pk"]), str(item["sk"]))
        shard = self.told[f"shard-{paging.shard_of(key[0], SHARDS)}"]
        # From 7 on: as text, 11 would come before 9. Both shards use the same numbers.
        number = str(7 + 2 * len(shard))
        shard.append(Change(number, {"pk": key[0], "sk": key[1]}, self.items.get(key), item))
        self.items[key] = item

    @property
    def ledger(self) -> list[Item]:
        """Every item, entries first."""
        return sorted(self.items.values(), key=lambda item: (item["sk"] == "ACCOUNT", item["sk"]))


PAID = [posting(1, Reason.DEPOSIT, WALLETS[0], 1000), posting(2, Reason.PAYMENT, WALLETS[0], 300)]
