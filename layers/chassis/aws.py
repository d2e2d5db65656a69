"""Owns the connections to AWS services, wherever they are: embedded, on LocalStack or in the cloud."""

import threading
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    EndpointConnectionError,
    HTTPClientError,
)

from chassis.config import Engine, Settings, settings

# A request is a few milliseconds; a slow one is retried by `store` under its own deadline, with its own
# token, so botocore's retries are off. The pool is as wide as the widest worker has threads.
CONNECT_TIMEOUT_SECONDS = 1.0
READ_TIMEOUT_SECONDS = 2.0
POOL_CONNECTIONS = 64
# Named, because botocore otherwise composes its own name for each request: a tenth of what a call takes it.
USER_AGENT = "tael"
SECRET_TRIES = 4

FAILURES: tuple[type[Exception], ...] = (ClientError, HTTPClientError, ConnectionError)
"""What a call to a service raises: it answered with an error, or it did not answer."""

TROUBLE: tuple[type[Exception], ...] = (ClientError, BotoCoreError)
"""The same, and whatever keeps a call from being made, such as credentials that are not there."""

TRANSIENT_CODES = frozenset(
    {
        "InternalServerError",
        "KmsThrottled",
        "LimitExceededException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Errors of DynamoDB, SQS and KMS, and reasons of cancelled transactions, that pass by themselves."""


def is_transient(failure: Exception) -> bool:
    """Whether the same call may well succeed when it is repeated."""
    if not isinstance(failure, ClientError):
        return isinstance(failure, FAILURES)
    status = failure.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(failure) in TRANSIENT_CODES or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def is_gone(failure: Exception) -> bool:
    """Whether nothing can be connected to where the service should be: a local one has ended."""
    return isinstance(failure, EndpointConnectionError)


def error_code(failure: Exception) -> str:
    """The code of the error that a service answered with; empty when it did not answer."""
    return str(failure.response["Error"]["Code"]) if isinstance(failure, ClientError) else ""


@lru_cache(maxsize=8)
def client(service: str, *, read_timeout_seconds: float = READ_TIMEOUT_SECONDS) -> Any:
    """The shared, thread-safe client of one service (boto3 has no types of its own, hence Any).

    Only a long poll has reason to wait longer for its answer than the others.
    """
    return _connect(
        service,
        Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=read_timeout_seconds,
            max_pool_connections=POOL_CONNECTIONS,
            retries={"total_max_attempts": 1},
            tcp_keepalive=True,
            user_agent=USER_AGENT,
        ),
        settings(),
    )


def administrator(service: str) -> Any:
    """A client for making tables and the like: with botocore's own patience, for nobody waits for it."""
    return _connect(service, Config(), settings())


def secret_value(arn: str, chosen: Settings) -> str:
    """The value of a secret, by settings that still lack it."""
    # A few more tries than elsewhere: a process that does not get it can do nothing at all.
    patient = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": SECRET_TRIES},
    )
    value: str = _connect("secretsmanager", patient, chosen).get_secret_value(SecretId=arn)["SecretString"]
    return value


# boto3's session is not thread-safe; and threads that begin with the same client would each read botocore's
# data for it at the same time, which takes them a third of a second of CPU instead of a twentieth.
_connecting = threading.Lock()


def _connect(service: str, configuration: Config, chosen: Settings) -> Any:
    with _connecting:
        return _new_client(service, configuration, chosen)


def _new_client(service: str, configuration: Config, chosen: Settings) -> Any:
    if chosen.engine is Engine.LOCALSTACK:
        from localstack_client.session import Session  # noqa: PLC0415 - the cloud's images don't carry it

        return Session(region_name=chosen.region).client(service, config=configuration)
    if chosen.engine is Engine.EMBEDDED:
        return boto3.client(
            service,
            region_name=chosen.region,
            endpoint_url=chosen.engine_url,
            # The embedded engine checks no signature; botocore insists on having something to sign with.
            aws_access_key_id="embedded",
            aws_secret_access_key="embedded",  # noqa: S106 - not a secret, see above
            config=configuration,
        )
    return boto3.client(service, region_name=chosen.region, config=configuration)
