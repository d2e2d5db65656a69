"""What the embedded engine needs otherwise in the template; all the rest is deployed as it was rendered.

It is stricter than AWS in two places, and cannot do two things. docs/localstack.md lists these.
"""

import json
from collections.abc import Callable
from typing import Any

from infra.functions import StreamFeed, functions
from infra.template.feeds import feed_id

Properties = dict[str, Any]


def adapted(whole: dict[str, Any]) -> dict[str, Any]:
    """A copy of the template for the embedded engine."""
    resources: dict[str, Any] = json.loads(json.dumps(whole["Resources"]))
    for name, resource in list(resources.items()):
        change = _CHANGES.get(resource["Type"])
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]:
            # It knows no alarms that calculate.
            del resources[name]
        elif change:
            change(resource["Properties"])
    for function in functions():
        if isinstance(function.feed, StreamFeed) and function.feed.tells_shards:
            # It tells no shards: `deployed` has a worker follow this stream instead.
            resources[feed_id(function)]["Properties"]["Enabled"] = False
    return whole | {"Resources": resources}


def _allow_loopback(function: Properties) -> None:
    """Webhooks may go to receivers on this machine, as under `tael up`."""
    function["Environment"]["Variables"]["TAEL_WEBHOOK_ALLOW_LOOPBACK"] = "true"


def _allow_batches(role: Properties) -> None:
    """It asks for a permission to send a batch, where AWS asks for that to send a message."""
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            if "sqs:SendMessage" in statement["Action"]:
                statement["Action"].append("sqs:SendMessageBatch")


def _name_sessions(key: Properties) -> None:
    """It compares aws:PrincipalArn with the ARN of a role's session, where AWS has that of the role."""
    for statement in key["KeyPolicy"]["Statement"]:
        for role in statement.get("Condition", {}).get("ArnEquals", {}).get("aws:PrincipalArn", []):
            session = role["Fn::Sub"].replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
            role["Fn::Sub"] = f"{session}/*"


def _take_turns(mapping: Properties) -> None:
    """A burst of messages would start a process for each of their batches, up to five for each queue."""
    if "StartingPosition" not in mapping:
        mapping["ScalingConfig"] = {"MaximumConcurrency": 1}


_CHANGES: dict[str, Callable[[Properties], None]] = {
    "AWS::IAM::Role": _allow_batches,
    "AWS::KMS::Key": _name_sessions,
    "AWS::Lambda::EventSourceMapping": _take_turns,
    "AWS::Lambda::Function": _allow_loopback,
}
