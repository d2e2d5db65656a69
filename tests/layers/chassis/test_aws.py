"""Connections go to the engine that the settings name, and never retry on their own."""

import os
from collections.abc import Iterator

import pytest

from chassis import aws
from chassis.config import settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in [name for name in os.environ if name.startswith(("TAEL_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TAEL_PLATFORM_KEY", "k" * 32)
    monkeypatch.setenv("TAEL_PEPPERS", "1:" + "00" * 16)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    settings.cache_clear()
    aws.client.cache_clear()
    yield monkeypatch
    settings.cache_clear()
    aws.client.cache_clear()


@pytest.mark.parametrize(
    ("engine", "url", "endpoint"),
    [
        ("embedded", "http://127.0.0.1:7", "http://127.0.0.1:7"),
        ("localstack", None, "http://localhost.localstack.cloud:4566"),
        ("aws", None, "https://dynamodb.eu-west-1.amazonaws.com"),
    ],
)
def test_a_client_speaks_to_the_chosen_engine_once_for_each_request(
    environment: pytest.MonkeyPatch, engine: str, url: str | None, endpoint: str
) -> None:
    environment.setenv("TAEL_ENGINE", engine)
    if url:
        environment.setenv("TAEL_ENGINE_URL", url)
    client = aws.client("dynamodb")
    assert client.meta.endpoint_url.replace("localhost:", "localhost.localstack.cloud:") == endpoint
    assert client.meta.region_name == "eu-west-1"
    configuration = client.meta.config
    assert configuration.retries["total_max_attempts"] == 1
    # A try that starts at the deadline has to end before a gateway gives up on the request.
    assert configuration.connect_timeout + configuration.read_timeout <= 3
    assert configuration.max_pool_connections >= 32


def test_a_client_is_shared(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAEL_ENGINE", "embedded")
    environment.setenv("TAEL_ENGINE_URL", "http://127.0.0.1:7")
    assert aws.client("dynamodb") is aws.client("dynamodb")
    assert aws.client("sqs") is not aws.client("dynamodb")
