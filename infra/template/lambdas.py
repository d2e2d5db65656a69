"""The Lambda functions: code, environment, log and role of each."""

import json

from infra.declaration import EVENT_TYPES, subscriptions
from infra.functions import Function, ScheduleFeed, functions
from infra.grants import granted, settings
from infra.template.keys import DATA_KEY, key_id
from infra.template.packaging import Packaging
from infra.template.queues import SCHEDULE_FAILURES, queue_id
from infra.template.roles import log_id, role, role_id
from infra.template.secrets import secret_id
from infra.template.words import Resources, Value, attribute, logical, ref, resource, staged, sub

_SETTINGS: dict[str, Value] = {
    "acquirer_url": ref("AcquirerUrl"),
    "bank_url": ref("BankUrl"),
    "card_key": attribute(key_id("vault")),
    "subscriptions": json.dumps(subscriptions(), separators=(",", ":")),
    "event_types": json.dumps(EVENT_TYPES, separators=(",", ":")),
}


def function_id(function: Function) -> str:
    """A function's logical id."""
    return logical(function.slug, "Function")


def lambdas(packaging: Packaging) -> Resources:
    """Every function with its role and its log group."""
    found: Resources = {}
    for function in functions():
        found[log_id(function)] = resource(
            "Logs::LogGroup",
            {
                "LogGroupName": sub(f"/aws/lambda/tael-${{Stage}}-{function.slug}"),
                "RetentionInDays": ref("LogRetentionDays"),
                "KmsKeyId": attribute(DATA_KEY),
            },
        )
        found[role_id(function)] = role(function)
        found[function_id(function)] = resource("Lambda::Function", _properties(function, packaging))
    return found


def _properties(function: Function, packaging: Packaging) -> dict[str, Value]:
    properties: dict[str, Value] = {
        "FunctionName": staged(function.slug),
        **packaging.code(function),
        "Architectures": ["arm64"],
        "MemorySize": function.memory_mb,
        "Timeout": function.timeout_seconds,
        "Role": attribute(role_id(function)),
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": ref(log_id(function))},
        "TracingConfig": {"Mode": "Active"},
        "Environment": {"Variables": _environment(function)},
    }
    if isinstance(function.feed, ScheduleFeed):
        # A tick is invoked asynchronously: Lambda tries it three times in all, and puts it by.
        properties["DeadLetterConfig"] = {"TargetArn": attribute(queue_id(SCHEDULE_FAILURES))}
    return properties


def _environment(function: Function) -> dict[str, Value]:
    """What the function needs to know: nothing secret, only where the secrets are."""
    variables: dict[str, Value] = {"TAEL_STAGE": ref("Stage")}
    for name in settings(function.name):
        variables[f"TAEL_{name.upper()}"] = _SETTINGS[name]
    secrets = [grant.resource for grant in granted(function.name) if grant.service == "secretsmanager"]
    if secrets:
        where = ",".join(f'"{name}":"${{{secret_id(name)}.Id}}"' for name in secrets)
        variables["TAEL_SECRETS"] = sub(f"{{{where}}}")
    return variables
