"""What feeds the functions besides the API: queues, streams and the clock."""

import json

from infra.functions import Function, QueueFeed, ScheduleFeed, StreamFeed, functions
from infra.template.lambdas import function_id
from infra.template.queues import queue_id
from infra.template.tables import table_id
from infra.template.words import Resources, Value, attribute, logical, ref, resource, staged

TUMBLING_SECONDS = 60
"""Lambda names the shard of a batch only where its batches belong to a window, however long that is."""
LEAST_CONCURRENCY = 2
"""The smallest MaximumConcurrency that there is."""
PARTIAL = ["ReportBatchItemFailures"]


def feed_id(function: Function) -> str:
    """The logical id of what feeds a function."""
    return logical(function.slug, "Feed")


def feeds() -> Resources:
    """Every event source mapping and every rule."""
    found: Resources = {}
    for function in functions():
        match function.feed:
            case QueueFeed() as feed:
                mapping = _queue_mapping(function, feed)
                found[feed_id(function)] = resource("Lambda::EventSourceMapping", mapping)
            case StreamFeed() as feed:
                mapping = _stream_mapping(function, feed)
                found[feed_id(function)] = resource("Lambda::EventSourceMapping", mapping)
            case ScheduleFeed(every_minutes=int(minutes)):
                found |= _rule(function, minutes)
    return found


def _queue_mapping(function: Function, feed: QueueFeed) -> dict[str, Value]:
    mapping: dict[str, Value] = {
        "FunctionName": ref(function_id(function)),
        "EventSourceArn": attribute(queue_id(feed.queue.name)),
        "BatchSize": feed.batch_size,
        "MaximumBatchingWindowInSeconds": feed.window_seconds,
        "FunctionResponseTypes": PARTIAL,
    }
    if feed.concurrency is not None:
        most = max(LEAST_CONCURRENCY, feed.concurrency)
        mapping["ScalingConfig"] = {"MaximumConcurrency": most}
    return mapping


def _stream_mapping(function: Function, feed: StreamFeed) -> dict[str, Value]:
    mapping: dict[str, Value] = {
        "FunctionName": ref(function_id(function)),
        "EventSourceArn": attribute(table_id(feed.stream.table), "StreamArn"),
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": feed.batch_size,
        "MaximumBatchingWindowInSeconds": feed.window_seconds,
        "ParallelizationFactor": 1,
        "MaximumRetryAttempts": feed.retries,
        "BisectBatchOnFunctionError": True,
        "FunctionResponseTypes": PARTIAL,
        "DestinationConfig": {"OnFailure": {"Destination": attribute(queue_id(feed.stream.failures))}},
    }
    if feed.tells_shards:
        mapping["TumblingWindowInSeconds"] = TUMBLING_SECONDS
    if feed.stream.only is not None:
        pattern = json.dumps({"dynamodb": {"Keys": feed.stream.only}}, separators=(",", ":"))
        mapping["FilterCriteria"] = {"Filters": [{"Pattern": pattern}]}
    return mapping


def _rule(function: Function, minutes: int) -> Resources:
    rule = feed_id(function)
    unit = "minute" if minutes == 1 else "minutes"
    return {
        rule: resource(
            "Events::Rule",
            {
                "Name": staged(function.slug),
                "ScheduleExpression": f"rate({minutes} {unit})",
                "State": "ENABLED",
                "Targets": [{"Id": "function", "Arn": attribute(function_id(function))}],
            },
        ),
        logical(function.slug, "FeedPermission"): resource(
            "Lambda::Permission",
            {
                "Action": "lambda:InvokeFunction",
                "FunctionName": ref(function_id(function)),
                "Principal": "events.amazonaws.com",
                "SourceArn": attribute(rule),
            },
        ),
    }
