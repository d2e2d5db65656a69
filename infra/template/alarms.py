"""The alarms: what is for people to look at, each with the reason that its mail says."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from infra.declaration import QUEUES, TABLES, Queue
from infra.functions import Function, QueueFeed, StreamFeed, functions
from infra.template.gateway import API, STAGE
from infra.template.keys import DATA_KEY
from infra.template.lambdas import function_id
from infra.template.queues import last_resorts, queue_id
from infra.template.tables import table_id
from infra.template.words import HAS_EMAIL, Resource, Resources, Value, attribute, logical, ref, resource, sub

TOPIC = "AlarmTopic"
PERIOD_SECONDS = 300
MAX_DELAY_SECONDS = 900
"""The longest that a message may be delayed."""
SERVER_ERRORS = 5
FUNCTION_ERRORS = 5
CONTENDED = 100
UNRESOLVED = 5
"""All within a period."""
BEHIND_SECONDS = 600
"""So far a stream's consumer may be behind; the stream forgets after a day."""

Metric = tuple[str, str, dict[str, Value]]
"""Namespace, name and dimensions."""


def alarms() -> Resources:
    """The topic, who is told of it, and every alarm."""
    return {
        TOPIC: resource(
            "SNS::Topic", {"TopicName": sub("tael-${Stage}-alarms"), "KmsMasterKeyId": ref(DATA_KEY)}
        ),
        "AlarmMail": resource(
            "SNS::Subscription",
            {"TopicArn": ref(TOPIC), "Protocol": "email", "Endpoint": ref("AlarmEmail")},
            Condition=HAS_EMAIL,
        ),
        "AlarmTopicPolicy": resource("SNS::TopicPolicy", _topic_policy()),
        **dict(_api()),
        **dict(_queues()),
        **dict(_streams()),
        **dict(_functions()),
        **dict(_tables()),
        **dict(_resolvers()),
    }


def _topic_policy() -> dict[str, Value]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": ref(TOPIC),
        "Condition": {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}},
    }
    return {"Topics": [ref(TOPIC)], "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}


def _api() -> Iterator[tuple[str, Resource]]:
    metric = ("AWS/ApiGateway", "5xx", {"ApiId": ref(API), "Stage": STAGE})
    why = f"The API answered {SERVER_ERRORS} requests or more with 5xx."
    yield "ApiErrorsAlarm", _alarm("api-errors", why, SERVER_ERRORS, metric)


def _queues() -> Iterator[tuple[str, Resource]]:
    for name in last_resorts():
        metric = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": _queue_name(name)})
        why = "Something was given up: see docs/operations.md for how to look at it and redrive it."
        yield logical(name, "Alarm"), _alarm(name, why, 1, metric, statistic="Maximum")
    for queue in QUEUES:
        metric = ("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": _queue_name(queue.name)})
        why = "A message waits longer than its delay and all of its receives can take."
        age = _old_after_seconds(queue)
        yield (
            logical(queue.name, "AgeAlarm"),
            _alarm(f"{queue.name}-age", why, age, metric, statistic="Maximum"),
        )


def _queue_name(name: str) -> Value:
    return attribute(queue_id(name), "QueueName")


def _old_after_seconds(queue: Queue) -> int:
    return MAX_DELAY_SECONDS + queue.max_receives * queue.visibility_seconds


def _streams() -> Iterator[tuple[str, Resource]]:
    for function in functions():
        if isinstance(function.feed, StreamFeed):
            metric = ("AWS/Lambda", "IteratorAge", {"FunctionName": ref(function_id(function))})
            why = f"{function.name} is behind its stream, which forgets after a day."
            name = f"{function.slug}-behind"
            yield (
                logical(function.slug, "BehindAlarm"),
                _alarm(name, why, BEHIND_SECONDS * 1000, metric, statistic="Maximum"),
            )


def _functions() -> Iterator[tuple[str, Resource]]:
    """Per capability: ten metrics, the most of an alarm, are enough for the functions of one."""
    for capability, group in groupby(functions(), lambda function: function.name.partition(".")[0]):
        some = list(group)
        for name, threshold in (("Errors", FUNCTION_ERRORS), ("Throttles", 1)):
            why = f"Functions of {capability} had {threshold} or more {name.lower()}."
            metrics = [_lambda_metric(function, name) for function in some]
            slug = f"{capability}-{name.lower()}"
            yield logical(slug, "Alarm"), _sum_alarm(slug, why, threshold, metrics)


def _lambda_metric(function: Function, name: str) -> Metric:
    return "AWS/Lambda", name, {"FunctionName": ref(function_id(function))}


def _tables() -> Iterator[tuple[str, Resource]]:
    names = ("TransactionConflict", "WriteThrottleEvents", "ReadThrottleEvents")
    for table in TABLES:
        where = {"TableName": ref(table_id(table.name))}
        metrics: list[Metric] = [("AWS/DynamoDB", name, where) for name in names]
        why = "Transactions met each other, or were throttled, unusually often: something is hot."
        name = f"{table.name}-contention"
        yield logical(name, "Alarm"), _sum_alarm(name, why, CONTENDED, metrics)


def _resolvers() -> Iterator[tuple[str, Resource]]:
    """By what `chassis.observe` leaves in the log: a batch with failures has the outcome `partial`."""
    for function in functions():
        service, _, handler = function.name.partition(".")
        if isinstance(function.feed, QueueFeed) and handler == "resolve":
            where = {"service": service, "operation": f"queue {handler}", "outcome": "partial"}
            why = f"{service} cannot find out how questions to the outside ended whose answers were lost."
            name = f"{service}-unresolved"
            yield logical(name, "Alarm"), _alarm(name, why, UNRESOLVED, ("Tael", "Failed", where))


def _alarm(slug: str, why: str, threshold: int, metric: Metric, statistic: str = "Sum") -> Resource:
    namespace, name, where = metric
    return _any(
        slug,
        why,
        threshold,
        Namespace=namespace,
        MetricName=name,
        Dimensions=_dimensions(where),
        Statistic=statistic,
        Period=PERIOD_SECONDS,
    )


def _sum_alarm(slug: str, why: str, threshold: int, metrics: list[Metric]) -> Resource:
    queries: list[Value] = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {"Namespace": namespace, "MetricName": name, "Dimensions": _dimensions(where)},
                "Stat": "Sum",
                "Period": PERIOD_SECONDS,
            },
            "ReturnData": False,
        }
        for number, (namespace, name, where) in enumerate(metrics)
    ]
    total = {"Id": "total", "Expression": "SUM(METRICS())", "ReturnData": True}
    return _any(slug, why, threshold, Metrics=[*queries, total])


def _dimensions(where: dict[str, Value]) -> list[Value]:
    return [{"Name": name, "Value": value} for name, value in where.items()]


def _any(slug: str, why: str, threshold: int, **measured: Any) -> Resource:
    return resource(
        "CloudWatch::Alarm",
        {
            "AlarmName": sub(f"tael-${{Stage}}-{slug}"),
            "AlarmDescription": why,
            **measured,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": threshold,
            "EvaluationPeriods": 1,
            "TreatMissingData": "notBreaching",
            "AlarmActions": [ref(TOPIC)],
            "OKActions": [ref(TOPIC)],
        },
    )
