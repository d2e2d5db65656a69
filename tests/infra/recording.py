"""Runs every function in this process as Lambda would, and keeps what each of them asked AWS for."""

import importlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from acquiring import vault
from chassis import attributes, auth, aws, clock, events, store
from chassis.attributes import Item
from chassis.config import Settings, queue_name, settings
from infra.declaration import CAPABILITIES, EVENT_TYPES, VAULT_KEY, subscriptions
from infra.grants import GRANTS, granted
from infra.grants import settings as settings_of
from local.keys import alias_of
from local.provision import provision
from local.system import System
from runtime.http import Router
from tests.functions.inside import Answer

Use = tuple[str, str, str]
"""Service, resource and action, as `infra.grants` names them; or `setting` and its name."""

SERVICES = [importlib.import_module(f"functions.{name}.app").service for name in CAPABILITIES]
HANDLERS = {
    f"{service.name}.{source.name}": source
    for service in SERVICES
    for source in (*service.queues, *service.streams, *service.schedules)
}
CONNECTED = ("TAEL_ENGINE", "TAEL_ENGINE_URL", "TAEL_WEBHOOK_ALLOW_LOOPBACK")
"""What connects a function to the embedded engine, and lets it send webhooks to this machine."""
ACTIONS = {"SendMessageBatch": "SendMessage"}
"""IAM's name of an operation, where that is another."""
MEMBERS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
NAMES = frozenset({"TableName", "QueueName", "QueueUrl", "KeyId"})
"""Of parameters that name a resource, alone or at the end of an address."""
TOLD_SETTINGS = frozenset(
    {name for function in GRANTS for name in settings_of(function)}
    | {grant.resource for name in GRANTS for grant in granted(name) if grant.service == "secretsmanager"}
)


@dataclass
class Recording:
    """A stage of its own on the shared engine, that no worker knows, and what functions asked of it."""

    system: System
    patch: pytest.MonkeyPatch
    stage: str = field(default_factory=lambda: f"g{uuid.uuid4().hex[:10]}")
    used: dict[str, set[Use]] = field(default_factory=dict)
    ahead: timedelta = timedelta()
    _running: str | None = None

    def begin(self) -> None:
        """Make the stage, and listen."""
        self._environment(("platform_key", "peppers", "fingerprint_key", "webhook_key"), ())
        provision()
        for service in ("dynamodb", "sqs", "kms"):
            aws.client(service).meta.events.register("provide-client-params.*.*", self._heard)
        self.patch.setattr(clock, "now", lambda: datetime.now(UTC) + self.ahead)
        self.patch.setattr(clock, "sleep", lambda _: None)
        read = Settings.__getattribute__
        self.patch.setattr(Settings, "__getattribute__", lambda chosen, name: self._read(read, chosen, name))

    def end(self) -> None:
        """Listen no more."""
        for service in ("dynamodb", "sqs", "kms"):
            aws.client(service).meta.events.unregister("provide-client-params.*.*", self._heard)

    @contextmanager
    def running(self, function: str) -> Iterator[None]:
        """What the block asks for is this function's, which has just begun and knows its own settings."""
        secrets = [grant.resource for grant in granted(function) if grant.service == "secretsmanager"]
        self._environment(secrets, settings_of(function))
        auth._found.clear()
        events._url.cache_clear()
        vault.forget_keys()
        self._running = function
        self.used.setdefault(function, set())
        try:
            yield
        finally:
            self._running = None
            self._environment(("platform_key", "peppers", "fingerprint_key", "webhook_key"), TOLD_SETTINGS)

    def _environment(self, secrets: Iterable[str], names: Iterable[str]) -> None:
        for name in [name for name in os.environ if name.startswith("TAEL_")]:
            self.patch.delenv(name)
        whole = {
            **self.system.environment,
            "TAEL_CARD_KEY": alias_of(VAULT_KEY, self.stage),
            "TAEL_SUBSCRIPTIONS": json.dumps(subscriptions()),
            "TAEL_EVENT_TYPES": json.dumps(EVENT_TYPES),
        }
        for variable in (*CONNECTED, *(f"TAEL_{name.upper()}" for name in (*secrets, *names))):
            self.patch.setenv(variable, whole[variable])
        self.patch.setenv("TAEL_STAGE", self.stage)
        settings.cache_clear()

    def _heard(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        if self._running is None:
            return
        service, action = model.service_model.service_name, ACTIONS.get(model.name, model.name)
        found = {(service, resource, what) for resource, what in self._resources(params, action)}
        assert found, f"{model.name} names no resource"
        self.used[self._running] |= found

    def _resources(self, params: Mapping[str, Any], action: str) -> Iterator[tuple[str, str]]:
        """What a call is about, and what it does there."""
        for member in params.get("TransactItems", ()):
            for kind, said in member.items():
                yield self._declared(said["TableName"]), MEMBERS[kind]
        for table in params.get("RequestItems", ()):
            yield self._declared(table), action
        for name in NAMES & params.keys():
            index = f"/{params['IndexName']}" if "IndexName" in params else ""
            yield self._declared(params[name].rpartition("/")[2]) + index, action

    def _declared(self, physical: str) -> str:
        prefix = f"tael-{self.stage}-"
        assert physical.startswith(prefix), physical
        return physical.removeprefix(prefix)

    def _read(self, read: Any, chosen: Settings, name: str) -> Any:
        if self._running is not None and name in TOLD_SETTINGS:
            self.used[self._running].add(("setting", name, ""))
        return read(chosen, name)

    def call(self, key: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """A request of the API, to the function that answers it."""
        path, _, query = path.partition("?")
        service, operation, values = Router(SERVICES).match(method, path)
        key_given = {} if operation.key_rule == "none" else {"idempotency-key": uuid.uuid4().hex}
        event = {
            "version": "2.0",
            "routeKey": operation.name,
            "rawPath": path,
            "rawQueryString": query,
            "headers": {
                "authorization": f"Bearer {key}",
                "content-type": "application/json",
                **key_given,
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
            "pathParameters": values or None,
            "requestContext": {"http": {"method": method}, "requestId": "r"},
            "body": None if body is None else json.dumps(body),
        }
        with self.running(service.name):
            response = service.app(event, None)
        assert response["statusCode"] < 500, response
        csv = "csv" in response["headers"]["Content-Type"]
        return Answer(
            response["statusCode"], response["headers"], {} if csv else json.loads(response["body"])
        )

    def deliver(self, function: str, *bodies: str) -> list[int]:
        """A batch of messages; returns which of them have failed."""
        records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
        with self.running(function):
            answer = HANDLERS[function].invoke({"Records": records}, None)
        return [int(failed["itemIdentifier"]) for failed in answer["batchItemFailures"]]

    def tell(self, function: str, items: Iterable[Item], *, was: Item | None = None) -> None:
        """A batch of changes: these items are new, or were like `was` in some respects before."""
        keys = ("pk", "sk")
        records = [
            {
                "dynamodb": {
                    "SequenceNumber": f"{number:030}",
                    "Keys": attributes.encode({key: item[key] for key in keys if key in item}),
                    "NewImage": attributes.encode(item),
                    **({"OldImage": attributes.encode({**item, **was})} if was else {}),
                }
            }
            for number, item in enumerate(items)
        ]
        with self.running(function):
            answer = HANDLERS[function].invoke({"Records": records, "shardId": "shard"}, None)
        assert answer["batchItemFailures"] == []

    def tick(self, function: str) -> int:
        """A schedule's run."""
        event = {
            "version": "0",
            "id": "tick",
            "source": "aws.events",
            "time": "",
            "detail": {},
            "resources": [],
        }
        more = {"detail-type": "Scheduled Event", "account": "", "region": "us-east-1"}
        with self.running(function):
            return cast(int, HANDLERS[function].invoke({**event, **more}, None)["done"])

    def sent_to(self, queue: str) -> list[str]:
        """What waits in a queue, which is empty then."""
        sqs = aws.client("sqs")
        url = sqs.get_queue_url(QueueName=queue_name(queue))["QueueUrl"]
        found: list[str] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found


def items(table: str) -> Sequence[Item]:
    """All that is stored in a table."""
    return list(store.scan(table))
