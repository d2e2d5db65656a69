"""Owns what the model assumes where AWS promises nothing: latencies, units, the time of a handler."""

from bisect import bisect_right
from dataclasses import dataclass, field
from random import Random
from typing import Self

PROBABILITIES = (0.0, 0.5, 0.9, 0.95, 0.99, 1.0)
"""Of the quantiles that were published: least, p50, p90, p95, p99, most."""


@dataclass(frozen=True)
class Latency:
    """How long a call takes: published quantiles in seconds, and straight lines between them."""

    quantiles: tuple[float, ...]

    @classmethod
    def of_milliseconds(cls, *quantiles: float) -> Self:
        return cls(tuple(each / 1000 for each in quantiles))

    def draw(self, chance: Random) -> float:
        """The latency of one call, in seconds."""
        share = chance.random()
        at = bisect_right(PROBABILITIES, share) - 1
        below, above = PROBABILITIES[at], PROBABILITIES[at + 1]
        return self.quantiles[at] + (self.quantiles[at + 1] - self.quantiles[at]) * (share - below) / (
            above - below
        )

    @property
    def mean(self) -> float:
        """Of many calls, in seconds."""
        return sum(
            (PROBABILITIES[at + 1] - PROBABILITIES[at]) * (self.quantiles[at] + self.quantiles[at + 1]) / 2
            for at in range(len(PROBABILITIES) - 1)
        )


# Alex DeBrie, "DynamoDB Transactions Performance Testing" (2020): 400 calls of each kind from a function in
# the table's region; the numbers are in the README of the repository alexdebrie/dynamodb-performance-testing.
PUT = Latency.of_milliseconds(5.47, 7.55, 11.3, 13.2, 16.2, 29)
BATCH_OF_25 = Latency.of_milliseconds(7.96, 10.2, 16, 18, 27.6, 76.4)
TRANSACTION_OF_5 = Latency.of_milliseconds(19.4, 25.3, 30.7, 36.4, 92.5, 218)
TRANSACTION_OF_25 = Latency.of_milliseconds(23.5, 32.1, 40.5, 47.2, 97.5, 258)


def transaction(writes: int) -> Latency:
    """A TransactWriteItems of so many writes: on the line through the two sizes that were measured."""
    share = (writes - 5) / 20
    return Latency(
        tuple(
            few + (many - few) * share
            for few, many in zip(TRANSACTION_OF_5.quantiles, TRANSACTION_OF_25.quantiles, strict=True)
        )
    )


@dataclass(frozen=True)
class Assumptions:
    """What can be argued about; every time is in seconds."""

    handler: float = 0.010
    """Our own code and the SDK's, of one payment, at 512 MB: 0.29 of a core. Not measured on AWS."""
    cold_start: float = 1.5
    """Of a new environment. Our imports take 0.36 s of a whole core; the rest is not measured on AWS."""
    window: float = 0.5
    """The share of a transaction's latency during which its items are in conflict with others'.

    It begins at the prepare phase and ends with the commit phase (Idziorek et al., "Distributed Transactions
    at Scale in Amazon DynamoDB", USENIX ATC 2023); how long these are is not published.
    """
    speed: float = 1.0
    """What the published latencies are multiplied with."""
    client_pause: float = 1.0
    """How long a client waits after 429 or 503 before its next payment."""
    burst_seconds: float = 1.0
    """How many seconds' worth of unused units a partition, or a table, has in reserve."""
    settlement_line: float = 0.0002
    """CPU of one line: measured 0.036 ms on a whole core without building the request for the SDK."""
    rollup_record: float = 0.0001
    """CPU of one change of the ledger: measured 0.014 ms on a whole core."""
    settlement_message: int = 1_200
    """Bytes of a `payment.captured` event as a message of SQS, its attributes included."""


@dataclass(frozen=True)
class Design:
    """Write units of one wallet payment by where they fall, items under 1 KB."""

    name: str
    payments: float = 2
    """The put of the payment, in a transaction."""
    index: float = 1
    """Its entry in the merchant's list, which is sharded over `paging.SHARDS` keys."""
    ledger: float = 4
    """The update of the wallet's balance and the put of the journal entry, in the same transaction."""
    merchant: float = 0
    """The update of the merchant's balance in the same transaction; 0: it is not written."""
    records: tuple[float, ...] = field(default=())
    """Lone writes around the transaction, the first before it: of an idempotency record."""

    @property
    def units(self) -> float:
        """Of the whole payment."""
        return self.payments + self.index + self.ledger + self.merchant + sum(self.records)

    @property
    def writes(self) -> int:
        """Of the transaction."""
        return 3 + (self.merchant > 0)


OURS = Design("Tael")
SYNCHRONOUS = Design("synchronous balance", merchant=2)
PEER = Design("peer", merchant=2, records=(1, 1))
"""Powertools' idempotency: its record is put, the handler runs, the record is updated."""
DESIGNS = (OURS, SYNCHRONOUS, PEER)
