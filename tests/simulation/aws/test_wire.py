"""Holds what comes through botocore to what comes directly."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError, ReadTimeoutError

from chassis.config import table_name
from infra.declaration import Queue
from tests.simulation.aws import wire
from tests.simulation.aws.dynamodb import Database
from tests.simulation.aws.kms import Kms
from tests.simulation.aws.requested import TABLES, Requested
from tests.simulation.aws.sqs import Queues

QUEUE = Queue("captures", consumer="nobody")
STEPS = 600


def wired(service: str, model: Any) -> Any:
    """A client of that model, by way of botocore."""
    return wire.client(service, lambda _, operation, parameters: getattr(model, operation)(**parameters))


def told(call: Callable[[], Any]) -> Any:
    """An answer, or all that an error says."""
    try:
        answer = call()
    except ClientError as error:
        response = error.response
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
        beside = {name: response.get(name) for name in ("Error", "Item", "CancellationReasons")}
        return error.operation_name, beside
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_the_database_answers_alike_through_botocore() -> None:
    direct, behind = Database(TABLES, lambda: 0.0), Database(TABLES, lambda: 0.0)
    client = wired("dynamodb", behind)
    requested = Requested(1)
    for _ in range(STEPS):
        call, parameters = requested.next()
        ours = told(lambda: getattr(direct, call)(**parameters))  # noqa: B023 - called at once
        theirs = told(lambda: getattr(client, call)(**parameters))  # noqa: B023 - called at once
        assert ours == theirs
    assert [table.items for table in direct.tables.values()] == [
        table.items for table in behind.tables.values()
    ]


def seeded() -> Random:
    return Random(1)


def queues() -> Queues:
    return Queues([QUEUE], lambda: 1.0, seeded(), streams=(), name_of=str)


def test_queues_answer_alike_through_botocore() -> None:
    direct, behind = queues(), queues()
    client = wired("sqs", behind)
    url = direct.get_queue_url(QueueName=QUEUE.name)["QueueUrl"]
    entries = [
        {"Id": str(number), "MessageBody": f"{number}", "DelaySeconds": 900 * number} for number in (0, 1, 2)
    ]
    handle = direct.send_message_batch(QueueUrl=url, Entries=entries) and ""
    assert (
        client.send_message_batch(QueueUrl=url, Entries=entries)["Failed"][0]["Code"]
        == "InvalidParameterValue"
    )
    whole: dict[str, Any] = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"]}
    received = told(lambda: direct.receive_message(QueueUrl=url, **whole))
    assert received == told(lambda: client.receive_message(QueueUrl=url, **whole))
    handle = received["Messages"][0]["ReceiptHandle"]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("get_queue_url", {"QueueName": "unknown"}),
        ("send_message", {"QueueUrl": url, "MessageBody": "x", "DelaySeconds": 901}),
        ("send_message_batch", {"QueueUrl": url, "Entries": entries * 4}),
        ("receive_message", {"QueueUrl": url}),
        ("receive_message", {"QueueUrl": url, "MaxNumberOfMessages": 11}),
        ("change_message_visibility", {"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 0}),
        ("delete_message", {"QueueUrl": url, "ReceiptHandle": handle}),
        ("delete_message_batch", {"QueueUrl": url, "Entries": [{"Id": "a", "ReceiptHandle": "nobody's"}]}),
        ("get_queue_attributes", {"QueueUrl": url, "AttributeNames": ["All"]}),
        ("receive_message", {"QueueUrl": "https://elsewhere"}),
    ]
    for call, parameters in calls:
        ours = told(lambda: getattr(direct, call)(**parameters))  # noqa: B023 - called at once
        theirs = told(lambda: getattr(client, call)(**parameters))  # noqa: B023 - called at once
        assert ours == theirs, call


def test_keys_answer_alike_through_botocore() -> None:
    client = wired("kms", Kms(seeded()))
    made = client.generate_data_key(KeyId="alias/vault", KeySpec="AES_256", EncryptionContext={"card": "1"})
    same = Kms(seeded()).generate_data_key(KeyId="alias/vault", KeySpec="AES_256")
    assert (made["Plaintext"], made["CiphertextBlob"]) == (same["Plaintext"], same["CiphertextBlob"])
    wrapped = {"KeyId": "alias/vault", "CiphertextBlob": made["CiphertextBlob"]}
    assert client.decrypt(**wrapped, EncryptionContext={"card": "1"})["Plaintext"] == made["Plaintext"]
    with pytest.raises(ClientError, match="InvalidCiphertextException"):
        client.decrypt(**wrapped, EncryptionContext={"card": "2"})
    with pytest.raises(ClientError, match="IncorrectKeyException"):
        client.decrypt(**{**wrapped, "KeyId": "alias/other"}, EncryptionContext={"card": "1"})


def test_a_connection_that_fails_fails_as_it_does_in_botocore() -> None:
    def call(*_: object) -> Any:
        raise ReadTimeoutError(endpoint_url="simulated")

    with pytest.raises(ReadTimeoutError):
        wire.client("dynamodb", call).get_item(TableName="t", Key={"pk": {"S": "p"}})


class Context(LambdaContext):
    """All that Powertools wants of one."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 1000


def test_a_library_that_we_do_not_use_is_answered_too() -> None:
    """Powertools remembers in a table what a function returned: it asks in words that are not ours."""
    table = table_name(TABLES[1].name)
    database = Database(TABLES, lambda: 0.0)
    layer = DynamoDBPersistenceLayer(table, key_attr="pk", boto3_client=wired("dynamodb", database))
    config = IdempotencyConfig()
    config.register_lambda_context(Context())
    handled: list[str] = []

    def done(*, order: str) -> str:
        handled.append(order)
        if order == "broken":
            raise LookupError(order)
        return f"done {order}"

    once = idempotent_function(data_keyword_argument="order", persistence_store=layer, config=config)
    handle = once(done)
    assert [handle(order="1"), handle(order="1"), handle(order="2")] == ["done 1", "done 1", "done 2"]
    for _ in range(2):
        with pytest.raises(LookupError):
            handle(order="broken")
    assert handled == ["1", "2", "broken", "broken"]
    assert [item["status"] for item in database.tables[table].items.values()] == [{"S": "COMPLETED"}] * 2
