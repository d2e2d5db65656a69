"""The API: one route for each operation, an integration for each function that answers, and nothing else."""

import json
import re

from infra.functions import Function, Routes, functions
from infra.template.keys import ACCESS_LOG, DATA_KEY
from infra.template.lambdas import function_id
from infra.template.words import (
    IS_PRODUCTION,
    Resources,
    Value,
    arn,
    attribute,
    logical,
    ref,
    resource,
    sub,
    when,
)

API = "Api"
STAGE = "$default"
TIMEOUT_MILLISECONDS = 29_000
"""A second less than the function has, whose time includes its start."""
BURST = (2000, 200)
REQUESTS_A_SECOND = (1000, 100)
"""In production, and elsewhere; more is answered 429."""
_ACCESS = {
    "request_id": "$context.requestId",
    "time": "$context.requestTime",
    "route": "$context.routeKey",
    "status": "$context.status",
    "source_ip": "$context.identity.sourceIp",
    "protocol": "$context.protocol",
    "response_bytes": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
    "integration_latency_ms": "$context.integrationLatency",
    "integration_status": "$context.integrationStatus",
    "error": "$context.error.message",
}
"""What is logged of a request: its route, never the path, the query, a header or a body of its own."""


def gateway() -> Resources:
    """The HTTP API, its stage, and its routes."""
    found: Resources = {
        API: resource(
            "ApiGatewayV2::Api",
            {
                "Name": sub("tael-${Stage}"),
                "ProtocolType": "HTTP",
                "Description": "Tael: payments, wallets, settlement, payouts, webhooks.",
            },
        ),
        "AccessLog": resource(
            "Logs::LogGroup",
            {
                "LogGroupName": sub(ACCESS_LOG),
                "RetentionInDays": ref("LogRetentionDays"),
                "KmsKeyId": attribute(DATA_KEY),
            },
        ),
        "ApiStage": resource("ApiGatewayV2::Stage", _stage()),
    }
    for function in functions():
        if isinstance(function.feed, Routes):
            found |= _routes(function, function.feed)
    return found


def _stage() -> dict[str, Value]:
    return {
        "ApiId": ref(API),
        "StageName": STAGE,
        "AutoDeploy": True,
        "DefaultRouteSettings": {
            "DetailedMetricsEnabled": True,
            "ThrottlingBurstLimit": when(IS_PRODUCTION, *BURST),
            "ThrottlingRateLimit": when(IS_PRODUCTION, *REQUESTS_A_SECOND),
        },
        "AccessLogSettings": {"DestinationArn": attribute("AccessLog"), "Format": json.dumps(_ACCESS)},
    }


def _routes(function: Function, routes: Routes) -> Resources:
    integration = logical(function.slug, "Integration")
    found: Resources = {
        integration: resource(
            "ApiGatewayV2::Integration",
            {
                "ApiId": ref(API),
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": attribute(function_id(function)),
                "PayloadFormatVersion": "2.0",
                "TimeoutInMillis": TIMEOUT_MILLISECONDS,
            },
        )
    }
    for name in routes.names:
        method, _, path = name.partition(" ")
        here = _route_id(name)
        found[f"{here}Route"] = resource(
            "ApiGatewayV2::Route",
            {
                "ApiId": ref(API),
                "RouteKey": name,
                "AuthorizationType": "NONE",
                "Target": sub(f"integrations/${{{integration}}}"),
            },
        )
        anything = re.sub(r"{\w+}", "*", path)
        found[f"{here}Permission"] = resource(
            "Lambda::Permission",
            {
                "Action": "lambda:InvokeFunction",
                "FunctionName": ref(function_id(function)),
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": arn("execute-api", f"${{{API}}}/{STAGE}/{method}{anything}"),
            },
        )
    return found


def _route_id(name: str) -> str:
    """`POST /v1/payments/{order_id}/capture` -> PostV1PaymentsOrderIdCapture."""
    return logical(name.lower(), "")
