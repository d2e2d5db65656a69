"""Owns the peer: a wallet payment as Powertools' documentation teaches it, in single writes or a transaction.

`@idempotent` stands around the Lambda handler, its key is the header Idempotency-Key, the body is validated
against the first one's, a missing key is refused, records expire, and a refusal is a response, so that it is
answered again. A payment is named by a new uuid4, as in the samples. The samples:
https://docs.aws.amazon.com/powertools/python/latest/utilities/idempotency/ (sections "Idempotent decorator",
"Payload validation", "Making idempotency key required", "Handling exceptions"; the code that it shows is in
https://github.com/aws-powertools/powertools-lambda-python/tree/develop/examples/idempotency/src, of which
`working_with_payload_subset.py` and `working_with_validation_payload.py` are the nearest).
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyKeyError,
    IdempotencyValidationError,
)
from botocore.exceptions import ClientError

IDEMPOTENCY = "peer-idempotency"
WALLETS = "peer-wallets"
MERCHANTS = "peer-merchants"
PAYMENTS = "peer-payments"
ENTRIES = "peer-entries"
QUEUE = "peer-settlement"
EXPIRES_AFTER_SECONDS = 24 * 3600


def _table(name: str, *keys: str, index: str = "") -> dict[str, Any]:
    listed = [
        {"AttributeName": index, "KeyType": "HASH"},
        {"AttributeName": "created_at", "KeyType": "RANGE"},
    ]
    described: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [
            {"AttributeName": key, "KeyType": kind}
            for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        "AttributeDefinitions": [
            {"AttributeName": key, "AttributeType": "S"}
            for key in (*keys, *((index, "created_at") if index else ()))
        ],
    }
    if index:
        described["GlobalSecondaryIndexes"] = [
            {"IndexName": index, "KeySchema": listed, "Projection": {"ProjectionType": "KEYS_ONLY"}}
        ]
    return described


TABLES: tuple[dict[str, Any], ...] = (
    _table(IDEMPOTENCY, "pk"),
    _table(WALLETS, "pk"),
    _table(MERCHANTS, "pk"),
    _table(PAYMENTS, "pk", index="merchant_id"),
    _table(ENTRIES, "pk", "sk"),
)
"""Parameters of CreateTable; a merchant's payments can be listed, as ours can."""

Event = dict[str, Any]
Response = dict[str, Any]
Handler = Callable[[Event, Any], Response]


def build(dynamodb: Any, sqs: Any, *, transactional: bool) -> Handler:
    """The Lambda handler over these two boto3 clients; its queue is looked up here, once.

    The event is a proxy event: `headers` with Idempotency-Key, `body` a JSON text of {merchant_id, wallet_id,
    order_id, amount, currency}, the amount in minor units. Its context has `get_remaining_time_in_millis()`.
    It answers 201, 400, 402, 404, 409 or 422. What else DynamoDB or SQS raises passes through: for Lambda
    that is a failed invocation, and `@idempotent` has deleted its record.
    """
    queue_url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    write = _write_in_a_transaction if transactional else _write_one_by_one
    config = IdempotencyConfig(
        event_key_jmespath='headers."Idempotency-Key"',
        payload_validation_jmespath="powertools_json(body)",
        raise_on_no_idempotency_key=True,
        expires_after_seconds=EXPIRES_AFTER_SECONDS,
    )
    records = DynamoDBPersistenceLayer(table_name=IDEMPOTENCY, key_attr="pk", boto3_client=dynamodb)

    @idempotent(config=config, persistence_store=records)
    def pay(event: Event, context: Any) -> Response:
        order = json.loads(event["body"])
        answer = _refusal(dynamodb, order) or _charged(dynamodb, order, write)
        if answer["statusCode"] == HTTPStatus.CREATED:
            sqs.send_message(QueueUrl=queue_url, MessageBody=answer["body"])
        return answer

    def handler(event: Event, context: Any) -> Response:
        try:
            answer: Response = pay(event, context)
        except IdempotencyKeyError:
            return _answer(400, {"message": "Idempotency-Key is required"})
        except IdempotencyValidationError:
            return _answer(422, {"message": "this Idempotency-Key was used for another request"})
        except IdempotencyAlreadyInProgressError:
            return _answer(409, {"message": "this request is being worked on"})
        return answer

    return handler


def _refusal(dynamodb: Any, order: dict[str, Any]) -> Response | None:
    """What speaks against the payment, as far as reading can tell."""
    wallet = dynamodb.get_item(TableName=WALLETS, Key={"pk": {"S": order["wallet_id"]}}).get("Item")
    merchant = dynamodb.get_item(TableName=MERCHANTS, Key={"pk": {"S": order["merchant_id"]}})
    if wallet is None or "Item" not in merchant:
        return _answer(404, {"message": "no such wallet or merchant"})
    found = (wallet, merchant["Item"])
    if any(each["status"]["S"] != "active" or each["currency"]["S"] != order["currency"] for each in found):
        return _answer(409, {"message": "the wallet or the merchant cannot be used for this"})
    if int(wallet["balance"]["N"]) < order["amount"]:
        return _answer(402, {"message": "insufficient funds"})
    return None


def _charged(dynamodb: Any, order: dict[str, Any], write: Callable[[Any, dict[str, Any]], None]) -> Response:
    payment = {
        **{name: order[name] for name in ("order_id", "merchant_id", "wallet_id", "amount", "currency")},
        "payment_id": str(uuid4()),
        "status": "captured",
        "created_at": datetime.now(UTC).isoformat(),
    }
    try:
        write(dynamodb, payment)
    except ClientError as error:
        if _is_refused_debit(error):
            return _answer(402, {"message": "insufficient funds"})
        raise
    return _answer(201, payment)


def _write_one_by_one(dynamodb: Any, payment: dict[str, Any]) -> None:
    dynamodb.update_item(**_debit(payment))
    dynamodb.update_item(**_credit(payment))
    dynamodb.put_item(**_record(payment))
    for entry in _entries(payment):
        dynamodb.put_item(**entry)


def _write_in_a_transaction(dynamodb: Any, payment: dict[str, Any]) -> None:
    dynamodb.transact_write_items(
        TransactItems=[
            {"Update": _debit(payment)},
            {"Update": _credit(payment)},
            {"Put": _record(payment)},
            *({"Put": entry} for entry in _entries(payment)),
        ]
    )


def _debit(payment: dict[str, Any]) -> dict[str, Any]:
    return {
        "TableName": WALLETS,
        "Key": {"pk": {"S": payment["wallet_id"]}},
        "UpdateExpression": "SET #balance = #balance - :amount",
        "ConditionExpression": "#balance >= :amount AND #status = :active",
        "ExpressionAttributeNames": {"#balance": "balance", "#status": "status"},
        "ExpressionAttributeValues": {":amount": {"N": str(payment["amount"])}, ":active": {"S": "active"}},
    }


def _credit(payment: dict[str, Any]) -> dict[str, Any]:
    return {
        "TableName": MERCHANTS,
        "Key": {"pk": {"S": payment["merchant_id"]}},
        "UpdateExpression": "SET #balance = #balance + :amount",
        "ConditionExpression": "attribute_exists(#pk)",
        "ExpressionAttributeNames": {"#balance": "balance", "#pk": "pk"},
        "ExpressionAttributeValues": {":amount": {"N": str(payment["amount"])}},
    }


def _record(payment: dict[str, Any]) -> dict[str, Any]:
    return {
        "TableName": PAYMENTS,
        "Item": _encoded({"pk": payment["payment_id"], **payment}),
        "ConditionExpression": "attribute_not_exists(#pk)",
        "ExpressionAttributeNames": {"#pk": "pk"},
    }


def _entries(payment: dict[str, Any]) -> list[dict[str, Any]]:
    sides = ((payment["wallet_id"], -payment["amount"]), (payment["merchant_id"], payment["amount"]))
    return [
        {
            "TableName": ENTRIES,
            "Item": _encoded(
                {
                    "pk": account,
                    "sk": f"{payment['created_at']}#{payment['payment_id']}",
                    "amount": amount,
                    "currency": payment["currency"],
                    "payment_id": payment["payment_id"],
                }
            ),
            "ConditionExpression": "attribute_not_exists(#pk)",
            "ExpressionAttributeNames": {"#pk": "pk"},
        }
        for account, amount in sides
    ]


def _encoded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in values.items()
    }


def _is_refused_debit(error: ClientError) -> bool:
    """Whether the wallet was emptied between reading and writing: it is the first that is written."""
    code = error.response["Error"]["Code"]
    if code == "TransactionCanceledException":
        reasons = error.response.get("CancellationReasons") or [{}]
        return bool(reasons[0].get("Code") == "ConditionalCheckFailed")
    return bool(code == "ConditionalCheckFailedException")


def _answer(status: int, body: dict[str, Any]) -> Response:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(body),
    }
