"""The roles: one for each function, with its grants and what any function of its kind needs, and no more."""

from collections.abc import Iterator

from infra.functions import Function, QueueFeed, ScheduleFeed, StreamFeed
from infra.grants import Grant, granted
from infra.template.keys import DATA_KEY, key_id
from infra.template.queues import SCHEDULE_FAILURES, queue_id
from infra.template.secrets import secret_arn
from infra.template.tables import table_id
from infra.template.words import Resource, Value, attribute, logical, resource, role_name, sub

Statement = dict[str, Value]
_CONSUMING = ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
_FOLLOWING = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
_ASSUMED_BY_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def role_id(function: Function) -> str:
    """A role's logical id."""
    return logical(function.slug, "Role")


def log_id(function: Function) -> str:
    """The logical id of a function's log group."""
    return logical(function.slug, "Log")


def role(function: Function) -> Resource:
    """The role of a function."""
    statements = [*_of_any(function), *_of_feed(function), *_of_grants(function)]
    policy = {
        "PolicyName": "exactly",
        "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
    }
    return resource(
        "IAM::Role",
        {
            "RoleName": role_name(function.slug),
            "AssumeRolePolicyDocument": _ASSUMED_BY_LAMBDA,
            "Policies": [policy],
        },
    )


def _may(sid: str, actions: tuple[str, ...], on: Value, condition: Value | None = None) -> Statement:
    more = {"Condition": condition} if condition else {}
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": on, **more}


def _of_any(function: Function) -> Iterator[Statement]:
    # The ARN of a log group ends in `:*`, which stands for its streams: Lambda names those.
    yield _may("Log", ("logs:CreateLogStream", "logs:PutLogEvents"), attribute(log_id(function)))
    # X-Ray has no resources to name (Service Authorization Reference, "Actions defined by AWS X-Ray").
    yield _may("Trace", ("xray:PutTelemetryRecords", "xray:PutTraceSegments"), "*")


def _of_feed(function: Function) -> Iterator[Statement]:
    """What Lambda does in the function's name to feed it, and to put by what has failed."""
    match function.feed:
        case QueueFeed(queue=queue):
            actions = tuple(f"sqs:{name}" for name in _CONSUMING)
            yield _may("Consume", actions, attribute(queue_id(queue.name)))
        case StreamFeed(stream=stream):
            actions = tuple(f"dynamodb:{name}" for name in _FOLLOWING)
            yield _may("Follow", actions, attribute(table_id(stream.table), "StreamArn"))
            yield _may("GiveUp", ("sqs:SendMessage",), attribute(queue_id(stream.failures)))
        case ScheduleFeed():
            yield _may("GiveUp", ("sqs:SendMessage",), attribute(queue_id(SCHEDULE_FAILURES)))


def _of_grants(function: Function) -> Iterator[Statement]:
    grants = granted(function.name)
    for grant in grants:
        actions = tuple(f"{grant.service}:{action}" for action in grant.actions)
        yield _may(logical(f"{grant.service} {grant.resource}", ""), actions, _arn_of(grant))
    through = [name for name in ("dynamodb", "secretsmanager") if _is_encrypted(function, name)]
    if through:
        # Both services open their data key with the caller's own right to do so.
        services = [sub(f"{name}.${{AWS::Region}}.amazonaws.com") for name in through]
        condition = {"StringEquals": {"kms:ViaService": services}}
        yield _may("Decrypt", ("kms:Decrypt",), attribute(DATA_KEY), condition)


def _is_encrypted(function: Function, service: str) -> bool:
    """Whether the function touches what that service has encrypted with the data key."""
    follows = service == "dynamodb" and isinstance(function.feed, StreamFeed)
    return follows or any(grant.service == service for grant in granted(function.name))


def _arn_of(grant: Grant) -> Value:
    match grant.service:
        case "dynamodb":
            table, _, index = grant.resource.partition("/")
            if index:
                return sub(f"${{{table_id(table)}.Arn}}/index/{index}")
            return attribute(table_id(table))
        case "sqs":
            return attribute(queue_id(grant.resource))
        case "kms":
            return attribute(key_id(grant.resource))
        case "secretsmanager":
            return secret_arn(grant.resource)
