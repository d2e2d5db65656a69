"""What every function of the deployed system is tried with, through the protocol of Lambda's runtimes."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.functions import PAGES, PAGES_ROUTES, Function, QueueFeed, Routes, StreamFeed
from tests.containers.box import SETTINGS, Spent, running
from tests.containers.engine import Engine, Unable
from tests.containers.runtime_api import ARN, NoAnswer, Outcome, RuntimeApi, runtime_api

PLATFORM = {"authorization": f"Bearer {SETTINGS['TAEL_PLATFORM_KEY']}"}
OURS = "handler.app"
"""The image's own command, which names its capability's app."""


@dataclass
class Trial:
    """How a function did."""

    faults: list[str] = field(default_factory=list)
    first_seconds: float = 0.0
    """From `podman run` to its first answer."""
    spent: Spent = field(default_factory=Spent)
    """What its processes had taken by then."""


def tried(engine: Engine, function: Function) -> Trial:
    """Run a function and have it handle what needs no storage."""
    trial = Trial()
    # A capability's own function needs no command: its image has it.
    command = [] if function.handler == f"functions.{function.image}.app.app" else [function.handler]
    started = time.monotonic()
    with runtime_api() as api:
        address = {"AWS_LAMBDA_RUNTIME_API": api.address, "AWS_LAMBDA_FUNCTION_NAME": "tael-test"}
        with running(engine, function.image, command, address) as box:
            api.is_alive = lambda: box.process.poll() is None
            try:
                for fault in _faults(function, api):
                    if not trial.first_seconds:
                        trial.first_seconds, trial.spent = time.monotonic() - started, box.spent()
                    trial.faults += [f"{function.name}: {fault}"] if fault else []
            except (NoAnswer, OSError, Unable) as silence:
                trial.faults.append(f"{function.name}: {silence}; it said: {box.said()[-2000:]}")
    return trial


def _faults(function: Function, api: RuntimeApi) -> Iterator[str | None]:
    """One by one what is wrong with each of its answers, or that nothing is."""
    match function.feed:
        case Routes(names) if function.name == PAGES:
            for route in PAGES_ROUTES:
                yield _unless(200, api.invoke(request(route)))
            yield _unless(404, api.invoke(request("GET /v1/nowhere")))
            assert names
        case Routes(names):
            yield _unless(200, api.invoke(request("GET /health")))
            yield _unless(401, api.invoke(request(names[0])))
            # Its key is known, and what it asks is refused for what it is: nobody reads `nonsense`.
            yield _unless(
                422, api.invoke(request(names[0], "nonsense=1", {**PLATFORM, "tael-merchant": "mer_x"}))
            )
            yield _unless(404, api.invoke(request("GET /v1/nowhere")))
            yield _unless(500, api.invoke({"no": "request"}))
        case QueueFeed():
            yield _unless_it_fails("the-message", api.invoke({"Records": [MESSAGE]}))
        case StreamFeed():
            yield _unless_it_fails("100", api.invoke({"Records": [CHANGE]}))


def _unless(status: int, outcome: Outcome) -> str | None:
    if outcome.kind == "response" and outcome.payload.get("statusCode") == status:
        return None
    return f"{status} was expected, and it was {json.dumps(outcome.payload)[:400]}"


def _unless_it_fails(identifier: str, outcome: Outcome) -> str | None:
    if outcome.kind == "response" and outcome.payload.get("batchItemFailures") == [
        {"itemIdentifier": identifier}
    ]:
        return None
    return f"{identifier} was to be delivered again, and it answered {json.dumps(outcome.payload)[:400]}"


def request(route: str, query: str = "", headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A request as the gateway hands it on, payload format 2.0."""
    method, _, path = route.partition(" ")
    named = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    raw = "/".join("x" if part.startswith("{") else part for part in path.split("/"))
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": raw,
        "rawQueryString": query,
        "headers": {"host": "api.example.com", **(headers or {})},
        "pathParameters": dict.fromkeys(named, "x"),
        "requestContext": {
            "requestId": "trial",
            "http": {"method": method, "path": raw, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
        },
        "isBase64Encoded": False,
    }


MESSAGE = {
    "messageId": "the-message",
    "receiptHandle": "handle",
    "body": "no message of anybody's",
    "attributes": {"ApproximateReceiveCount": "1"},
    "messageAttributes": {},
    "md5OfBody": "",
    "eventSource": "aws:sqs",
    "eventSourceARN": ARN,
    "awsRegion": "us-east-1",
}
CHANGE = {
    "eventID": "1",
    "eventName": "MODIFY",
    "eventSource": "aws:dynamodb",
    "eventSourceARN": ARN,
    "awsRegion": "us-east-1",
    "dynamodb": {
        "Keys": {"pk": {"NONE": "of DynamoDB's types"}},
        "NewImage": {},
        "SequenceNumber": "100",
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    },
}
