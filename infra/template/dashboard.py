"""The dashboard: what comes in, what waits, what fails, and what it costs, on one page."""

import json
from typing import Any

from infra.declaration import QUEUES, TABLES
from infra.functions import StreamFeed, functions
from infra.template.gateway import API, STAGE
from infra.template.queues import last_resorts
from infra.template.words import Resources, resource, sub

WIDTH, HEIGHT = 12, 6
COLUMNS = 24 // WIDTH

Series = list[Any]
"""A metric as a dashboard has it: namespace, name, dimensions in turn, and how it is shown."""


def dashboard() -> Resources:
    """The one dashboard."""
    widgets = [
        {
            "type": "metric",
            "x": WIDTH * (number % COLUMNS),
            "y": HEIGHT * (number // COLUMNS),
            "width": WIDTH,
            "height": HEIGHT,
            "properties": {
                "title": title,
                "region": "${AWS::Region}",
                "view": "timeSeries",
                "period": 300,
                "stat": statistic,
                "metrics": series,
            },
        }
        for number, (title, statistic, series) in enumerate(_graphs())
    ]
    body = json.dumps({"widgets": widgets}, separators=(",", ":"))
    properties = {"DashboardName": sub("tael-${Stage}"), "DashboardBody": sub(body)}
    return {"Dashboard": resource("CloudWatch::Dashboard", properties)}


def _graphs() -> list[tuple[str, str, list[Series]]]:
    return [
        ("Requests", "Sum", [_api(name) for name in ("Count", "4xx", "5xx")]),
        ("Latency of the API, ms, 99th percentile", "p99", [_api("Latency"), _api("IntegrationLatency")]),
        ("Errors of functions", "Sum", [_lambda("Errors", each.slug) for each in functions()]),
        (
            "Duration of functions, ms, 99th percentile",
            "p99",
            [_lambda("Duration", f.slug) for f in functions()],
        ),
        ("Oldest message, s", "Maximum", [_queue("AgeOfOldestMessage", queue.name) for queue in QUEUES]),
        ("Given up", "Maximum", [_queue("NumberOfMessagesVisible", name) for name in last_resorts()]),
        (
            "Behind the streams, ms",
            "Maximum",
            [_lambda("IteratorAge", f.slug) for f in functions() if isinstance(f.feed, StreamFeed)],
        ),
        ("Transactions that met each other", "Sum", [_table("TransactionConflict", t.name) for t in TABLES]),
        ("Write units", "Sum", [_table("ConsumedWriteCapacityUnits", table.name) for table in TABLES]),
        ("Read units", "Sum", [_table("ConsumedReadCapacityUnits", table.name) for table in TABLES]),
    ]


def _api(metric: str) -> Series:
    return ["AWS/ApiGateway", metric, "ApiId", f"${{{API}}}", "Stage", STAGE]


def _lambda(metric: str, slug: str) -> Series:
    return ["AWS/Lambda", metric, "FunctionName", f"tael-${{Stage}}-{slug}", {"label": slug}]


def _queue(metric: str, name: str) -> Series:
    return ["AWS/SQS", f"Approximate{metric}", "QueueName", f"tael-${{Stage}}-{name}", {"label": name}]


def _table(metric: str, name: str) -> Series:
    return ["AWS/DynamoDB", metric, "TableName", f"tael-${{Stage}}-{name}", {"label": name}]
