"""The peer does what its documentation promises, so that it may stand beside us."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from chassis import aws
from tests.benchmarks.peer import handler as peer

BALANCE = 1000


class Context:
    """What the decorator wants of Lambda."""

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


class Till:
    """A wallet and a merchant of a test's own, and the handler between them."""

    def __init__(self, *, transactional: bool) -> None:
        self.dynamodb = aws.client("dynamodb")
        self.sqs = aws.client("sqs")
        self.wallet, self.merchant = f"wal_{uuid.uuid4()}", f"mer_{uuid.uuid4()}"
        for table, name, balance in (
            (peer.WALLETS, self.wallet, BALANCE),
            (peer.MERCHANTS, self.merchant, 0),
        ):
            item = {"balance": {"N": str(balance)}, "status": {"S": "active"}, "currency": {"S": "GBP"}}
            self.dynamodb.put_item(TableName=table, Item={"pk": {"S": name}, **item})
        self.queue_url = self.sqs.get_queue_url(QueueName=peer.QUEUE)["QueueUrl"]
        self.sqs.purge_queue(QueueUrl=self.queue_url)
        self.handler = peer.build(self.dynamodb, self.sqs, transactional=transactional)

    def pay(self, amount: int, key: str | None) -> tuple[int, dict[str, Any]]:
        order = {"merchant_id": self.merchant, "wallet_id": self.wallet, "order_id": "1"}
        headers = {} if key is None else {"Idempotency-Key": f"{self.wallet}#{key}"}
        body = json.dumps({**order, "amount": amount, "currency": "GBP"})
        answer = self.handler({"headers": headers, "body": body}, Context())
        return answer["statusCode"], json.loads(answer["body"])

    def balances(self) -> tuple[int, int]:
        found = (
            self.dynamodb.get_item(TableName=table, Key={"pk": {"S": name}}, ConsistentRead=True)["Item"]
            for table, name in (
                (peer.WALLETS, self.wallet),
                (peer.MERCHANTS, self.merchant),
            )
        )
        wallet, merchant = (int(item["balance"]["N"]) for item in found)
        return wallet, merchant

    def entries(self) -> list[int]:
        """The amounts of both accounts' entries, the wallet's first."""
        return [
            int(item["amount"]["N"])
            for account in (self.wallet, self.merchant)
            for item in self.dynamodb.query(
                TableName=peer.ENTRIES,
                KeyConditionExpression="pk = :account",
                ExpressionAttributeValues={":account": {"S": account}},
            )["Items"]
        ]

    def told(self) -> int:
        """How many messages wait in the queue, which this till has emptied."""
        found = self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0
        ).get("Messages", ())
        assert all(self.wallet in message["Body"] for message in found)
        return len(found)


@pytest.fixture(scope="module")
def created(engine: object) -> None:
    """The peer's tables and queue beside our own."""
    for table in peer.TABLES:
        aws.client("dynamodb").create_table(**table)
    aws.client("sqs").create_queue(QueueName=peer.QUEUE)


@pytest.fixture(params=[False, True], ids=["plain", "transactional"])
def till(created: None, request: pytest.FixtureRequest) -> Till:
    return Till(transactional=request.param)


def emptied(till: Till) -> Callable[..., Any]:
    """The client's read of an item, after which the wallet is empty: another payment was faster."""
    read: Callable[..., Any] = till.dynamodb.get_item

    def get_item(**parameters: Any) -> Any:
        found = read(**parameters)
        till.dynamodb.update_item(
            TableName=peer.WALLETS,
            Key={"pk": {"S": till.wallet}},
            UpdateExpression="SET balance = :none",
            ExpressionAttributeValues={":none": {"N": "0"}},
        )
        return found

    return get_item


def test_a_payment_moves_the_money_and_tells_of_it(till: Till) -> None:
    status, paid = till.pay(400, "key")
    assert (status, paid["status"], paid["amount"]) == (201, "captured", 400)
    assert till.balances() == (600, 400)
    assert till.entries() == [-400, 400]
    assert till.told() == 1


def test_a_repeated_request_is_answered_and_not_done_again(till: Till) -> None:
    first = till.pay(400, "key")
    assert till.pay(400, "key") == first
    assert till.balances() == (600, 400)


def test_another_body_under_the_same_key_is_refused(till: Till) -> None:
    till.pay(400, "key")
    assert till.pay(500, "key")[0] == 422
    assert till.balances() == (600, 400)


def test_a_request_without_a_key_is_refused(till: Till) -> None:
    assert till.pay(400, None)[0] == 400
    assert till.balances() == (BALANCE, 0)


def test_a_refusal_for_lack_of_money_is_answered_again(till: Till) -> None:
    assert till.pay(1001, "key")[0] == 402
    assert till.pay(1001, "key")[0] == 402
    assert (till.balances(), till.entries(), till.told()) == ((BALANCE, 0), [], 0)


def test_a_wallet_that_was_emptied_after_it_was_read_pays_nothing(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(till.dynamodb, "get_item", emptied(till))
    assert till.pay(400, "key")[0] == 402
    monkeypatch.undo()
    assert (till.balances(), till.entries()) == ((0, 0), [])
