"""Makes the peer a contestant: a handler in Powertools' idempotency, over the same models."""

import datetime as dt
import json
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aws_lambda_powertools.utilities.idempotency import base
from aws_lambda_powertools.utilities.idempotency.persistence import base as records
from aws_lambda_powertools.utilities.idempotency.persistence import datarecord, dynamodb

from chassis import aws
from chassis.attributes import decode
from infra.declaration import Index, Queue, Table
from tests.benchmarks.metering import Counting
from tests.benchmarks.peer import handler as peer
from tests.simulation.aws.dynamodb import Database
from tests.simulation.aws.kms import Kms
from tests.simulation.aws.sqs import Queues
from tests.simulation.contest.ours import judge
from tests.simulation.contest.workload import SAVINGS, SHOPS, WALLETS, Order, Outcome
from tests.simulation.machines import FUNCTION_SECONDS
from tests.simulation.scheduler import Scheduler
from tests.simulation.services import Services
from tests.simulation.trace import Trace
from tests.simulation.weather import Weather
from tests.simulation.world import BEGINS_AT

TABLES = (
    Table(peer.IDEMPOTENCY, writer="peer"),
    Table(peer.WALLETS, writer="peer"),
    Table(peer.MERCHANTS, writer="peer"),
    Table(peer.PAYMENTS, writer="peer", indexes=(Index("merchant_id", "merchant_id", "created_at"),)),
    Table(peer.ENTRIES, writer="peer", sort_key=True),
)
CURRENCY = "GBP"
SDK_TRIES = 5
"""Of a call: botocore's default in legacy mode; of DynamoDB it makes ten."""
SDK_PAUSE_SECONDS = 0.05


class Peer:
    """See `workload.Contestant`; for a process that is in its `time`."""

    def __init__(self, seed: int, *, transactional: bool) -> None:
        chooser = random.Random(seed)
        self.scheduler = Scheduler(BEGINS_AT)
        self.weather = Weather.of(random.Random(chooser.getrandbits(64)))
        self._draw = random.Random(chooser.getrandbits(64))
        now = self._now
        self.database = Database(TABLES, now, name_of=str)
        self.queues = Queues([Queue(peer.QUEUE, consumer="nobody")], now, self._draw, streams=(), name_of=str)
        self.services = Services(
            self.scheduler,
            self.weather,
            Trace(now, lambda: "peer"),
            database=self.database,
            queues=self.queues,
            kms=Kms(self._draw),
        )
        self._bills = {name: Counting(self.services.clients[name]) for name in ("dynamodb", "sqs")}
        self._clients = {
            name: _Sdk(bill, self.scheduler, self._draw, SDK_TRIES) for name, bill in self._bills.items()
        }
        # As ours knows where its queues are before the first request of a run: looked up without the network.
        urls = SimpleNamespace(get_queue_url=self.queues.get_queue_url, send_message=self._send)
        self._handler = peer.build(self._clients["dynamodb"], urls, transactional=transactional)
        for table, names in ((peer.WALLETS, _wallets()), (peer.MERCHANTS, _shops())):
            for name in names:
                money = SAVINGS if table == peer.WALLETS else 0
                item = {"pk": {"S": name}, "status": {"S": "active"}, "currency": {"S": CURRENCY}}
                self.database.put_item(TableName=table, Item={**item, "balance": {"N": str(money)}})

    def _now(self) -> float:
        return self.scheduler.now

    def _send(self, **parameters: str) -> object:
        return self._clients["sqs"].send_message(**parameters)

    @contextmanager
    def time(self) -> Iterator[None]:
        """Give Powertools the time and the chance of this world, while the block runs."""
        moments = SimpleNamespace(datetime=_Moments(self._now), timedelta=dt.timedelta)
        with (
            patch.object(base, "dt", moments),
            patch.object(records, "dt", moments),
            patch.object(datarecord, "dt", moments),
            patch.object(dynamodb, "dt", moments),
            patch.object(peer, "datetime", _Moments(self._now)),
            patch.object(peer, "uuid4", lambda: uuid.UUID(int=self._draw.getrandbits(128), version=4)),
        ):
            yield

    def pay(self, order: Order, patience: float) -> int | None:
        """See `workload.Contestant`."""
        body = {
            "merchant_id": _shops()[order.shop],
            "wallet_id": _wallets()[order.wallet],
            "order_id": order.key,
            "amount": order.amount,
            "currency": CURRENCY,
        }
        event = {"headers": {"Idempotency-Key": order.key}, "body": json.dumps(body)}
        ends_at = self.scheduler.now + FUNCTION_SECONDS
        context = SimpleNamespace(
            get_remaining_time_in_millis=lambda: round((ends_at - self.scheduler.now) * 1000)
        )
        task = self.scheduler.spawn(
            f"POST {order.key}",
            lambda: self._handler(event, context),
            skew=self.weather.skew(),
            lives=FUNCTION_SECONDS,
        )
        self.scheduler.wait_for(task, patience)
        if task.failure is not None:
            return 502  # the function failed, or died: that is what the gateway answers
        return None if task.result is None else int(task.result["statusCode"])

    def rest(self) -> None:
        """See `workload.Contestant`: it has no recovery of its own beside its callers' retries."""
        self.weather.rates = {}
        self.scheduler.run_for(60.0)

    def outcome(self, orders: list[Order]) -> Outcome:
        """See `workload.Contestant`."""
        payments = [decode(item) for item in self.database.tables[peer.PAYMENTS].items.values()]
        entries: defaultdict[str, int] = defaultdict(int)
        for item in self.database.tables[peer.ENTRIES].items.values():
            entries[item["pk"]["S"]] += int(item["amount"]["N"])
        told = Counter(json.loads(body)["order_id"] for body in self.queues.bodies(peer.QUEUE))
        debits = Counter(payment["order_id"] for payment in payments)
        found = Outcome(write_units=self._bills["dynamodb"].bill.write_units)
        for order in orders:
            judge(found, order, debits[order.key], told[order.key])
        total = 0
        for table in (peer.WALLETS, peer.MERCHANTS):
            for item in self.database.tables[table].items.values():
                began = SAVINGS if table == peer.WALLETS else 0
                balance = int(item["balance"]["N"])
                total += balance - began
                found.unbalanced += balance != began + entries[item["pk"]["S"]]
        found.unbalanced += total != 0
        return found


class _Sdk:
    """What boto3 does unasked: it repeats what was throttled or not answered, under one token."""

    def __init__(self, client: Any, scheduler: Scheduler, draw: random.Random, tries: int) -> None:
        self._client = client
        self._scheduler = scheduler
        self._draw = draw
        self._tries = tries

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._client, name)

        def repeated(**parameters: Any) -> Any:
            if name == "transact_write_items":
                token = uuid.UUID(int=self._draw.getrandbits(128), version=4)
                parameters.setdefault("ClientRequestToken", str(token))
            for number in range(1, self._tries + 1):
                try:
                    return call(**parameters)
                except aws.FAILURES as failure:
                    conflict = aws.error_code(failure) == "TransactionConflictException"
                    if number == self._tries or conflict or not aws.is_transient(failure):
                        raise
                self._scheduler.sleep(self._draw.random() * SDK_PAUSE_SECONDS * 2**number)
            raise AssertionError("it is answered, or it fails")

        return repeated


class _Moments:
    """In the place of the class datetime, of which only the present moment is asked."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now

    def now(self, zone: dt.tzinfo | None = None) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._now(), zone)


def _wallets() -> list[str]:
    return [f"wallet-{number}" for number in range(WALLETS)]


def _shops() -> list[str]:
    return [f"shop-{number}" for number in range(SHOPS)]
