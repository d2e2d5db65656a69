"""The template holds what the declaration and the services say: all of it once, and nothing besides."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import yaml

from chassis import observe
from chassis.config import Secret, Settings, queue_name, settings, table_name
from infra.declaration import CAPABILITIES, FUNCTION_TIMEOUT_SECONDS, KEYS, QUEUES, STREAMS, TABLES
from infra.functions import PAGES_ROUTES, QueueFeed, Routes, ScheduleFeed, StreamFeed, functions
from infra.grants import GRANTS, granted
from infra.grants import settings as settings_of
from infra.template import render, template
from infra.template.packaging import Packaging
from infra.template.parameters import STAGE_PATTERN
from infra.template.queues import SCHEDULE_FAILURES, last_resorts
from infra.template.secrets import SECRETS
from ledger import accounts
from tests.infra.recording import SERVICES

MOST_RESOURCES, MOST_BYTES = 500, 1_000_000
MOST_NAME, MOST_ENVIRONMENT = 64, 4096
STAGE = "a" * 16
"""The longest that there is."""
REGION, ACCOUNT, API = "ap-southeast-1", "123456789012", "api"
KNOWN = {
    "Stage": STAGE,
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "Api": API,
}
Resource = dict[str, Any]

TEMPLATE = template()
RESOURCES: dict[str, Resource] = TEMPLATE["Resources"]


def of_type(kind: str) -> dict[str, Any]:
    """Logical id -> properties of the resources of that type."""
    return {name: each["Properties"] for name, each in RESOURCES.items() if each["Type"] == f"AWS::{kind}"}


def told(value: Any) -> Any:
    """A value as it is in the longest stage; what only AWS knows stays as it is referred to."""
    match value:
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\${([\w:]+)}", lambda found: KNOWN.get(found[1], found[0]), text)
        case {"Ref": name}:
            return KNOWN.get(name, value)
    return value


def referred(value: Any) -> str:
    """The logical id that a value refers to."""
    match value:
        case {"Fn::GetAtt": [str(name), _]} | {"Ref": str(name)}:
            return name
        case {"Fn::Sub": str(text)}:
            found = re.search(r"\${(\w+)[.}]", text)
            assert found
            return found[1]
    raise AssertionError(value)


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is a function of that stage."""
    for name in [name for name in os.environ if name.startswith("TAEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TAEL_STAGE", STAGE)
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_every_operation_has_exactly_one_route_and_nothing_else_has() -> None:
    routes = Counter(route["RouteKey"] for route in of_type("ApiGatewayV2::Route").values())
    own = {operation.name for service in SERVICES for operation in service.operations}
    assert routes == Counter(own | set(PAGES_ROUTES))


def test_a_route_leads_to_the_function_that_has_the_operation() -> None:
    integrations = of_type("ApiGatewayV2::Integration")
    leads = {
        route["RouteKey"]: referred(integrations[referred(route["Target"])]["IntegrationUri"])
        for route in of_type("ApiGatewayV2::Route").values()
    }
    for service in SERVICES:
        for operation in service.operations:
            expected = "Pages" if operation.name in PAGES_ROUTES else service.name.capitalize()
            assert leads[operation.name] == f"{expected}Function"


def test_the_gateway_may_invoke_a_function_for_its_own_routes_only() -> None:
    allowed = Counter(
        (referred(permission["FunctionName"]), told(permission["SourceArn"]))
        for permission in of_type("Lambda::Permission").values()
        if permission["Principal"] == "apigateway.amazonaws.com"
    )
    for function in functions():
        if isinstance(function.feed, Routes):
            for name in function.feed.names:
                method, _, path = name.partition(" ")
                path = re.sub("{[^}]+}", "*", path)
                arn = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{API}/$default/{method}{path}"
                allowed[f"{function.slug.capitalize()}Function", arn] -= 1
    assert set(allowed.values()) == {0}


def test_every_source_has_exactly_one_feed_and_nothing_else_has() -> None:
    mappings = Counter(
        referred(mapping["FunctionName"]) for mapping in of_type("Lambda::EventSourceMapping").values()
    )
    rules = Counter(
        referred(target["Arn"]) for rule in of_type("Events::Rule").values() for target in rule["Targets"]
    )
    fed, ticked = [], []
    for service in SERVICES:
        fed += [f"{service.name}.{source.name}" for source in (*service.queues, *service.streams)]
        ticked += [
            f"{service.name}.{each.name}" for each in service.schedules if each.every_minutes is not None
        ]
    assert mappings == Counter(map(function_id, fed))
    assert rules == Counter(map(function_id, ticked))


def function_id(name: str) -> str:
    return "".join(part.capitalize() for part in re.split("[._]", name)) + "Function"


def test_a_mapping_says_what_its_source_declares() -> None:
    mappings = {
        referred(mapping["FunctionName"]): mapping
        for mapping in of_type("Lambda::EventSourceMapping").values()
    }
    for service in SERVICES:
        for source in (*service.queues, *service.streams):
            mapping = mappings[function_id(f"{service.name}.{source.name}")]
            assert mapping["BatchSize"] == source.batch_size
            assert mapping["MaximumBatchingWindowInSeconds"] == source.window_seconds
            assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        for queue in service.queues:
            mapping = mappings[function_id(f"{service.name}.{queue.name}")]
            assert mapping.get("ScalingConfig", {}).get("MaximumConcurrency") == queue.concurrency
        for stream in service.streams:
            mapping = mappings[function_id(f"{service.name}.{stream.name}")]
            assert mapping["MaximumRetryAttempts"] == stream.retries
            assert mapping["ParallelizationFactor"] == 1
            assert mapping["BisectBatchOnFunctionError"]
            assert ("TumblingWindowInSeconds" in mapping) == stream.tells_shards
            lost = referred(mapping["DestinationConfig"]["OnFailure"]["Destination"])
            assert told(RESOURCES[lost]["Properties"]["QueueName"]).endswith(f"-{stream.failures}")


def test_what_a_stream_is_filtered_by_is_how_the_ledger_names_balances() -> None:
    (only,) = [stream.only for stream in STREAMS if stream.only]
    key = accounts.wallet("wal_x").key
    assert key["pk"].startswith(only["pk"]["S"][0]["prefix"])
    assert [key["sk"]] == only["sk"]["S"]


def test_every_function_has_a_role_and_a_log_of_its_own() -> None:
    made = of_type("Lambda::Function")
    assert len(made) == len(functions())
    roles = Counter(referred(each["Role"]) for each in made.values())
    logs = Counter(referred(each["LoggingConfig"]["LogGroup"]) for each in made.values())
    assert roles == Counter(list(of_type("IAM::Role")))
    assert logs == Counter(set(of_type("Logs::LogGroup")) - {"AccessLog"})
    for each in made.values():
        group = of_type("Logs::LogGroup")[referred(each["LoggingConfig"]["LogGroup"])]
        assert told(group["LogGroupName"]) == f"/aws/lambda/{told(each['FunctionName'])}"


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every role, with the role's logical id."""
    for name, role in of_type("IAM::Role").items():
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


def test_no_role_has_a_wildcard() -> None:
    for name, statement in statements():
        assert statement["Effect"] == "Allow"
        assert not [action for action in statement["Action"] if "*" in action], name
        if statement["Sid"] == "Trace":
            assert statement["Resource"] == "*"
            assert {action.partition(":")[0] for action in statement["Action"]} == {"xray"}
        else:
            assert "*" not in json.dumps(statement["Resource"]), (name, statement)


def test_nobody_else_may_use_or_be_used_with_a_wildcard() -> None:
    for key in of_type("KMS::Key").values():
        for statement in key["KeyPolicy"]["Statement"]:
            assert not [action for action in statement["Action"] if "*" in action]
            assert statement["Principal"] != "*"
    for permission in of_type("Lambda::Permission").values():
        assert permission["Principal"] in {"apigateway.amazonaws.com", "events.amazonaws.com"}
        assert permission["SourceArn"]


def test_a_role_has_its_functions_grants() -> None:
    for function in functions():
        role = of_type("IAM::Role")[function_id(function.name).removesuffix("Function") + "Role"]
        actions = {
            action
            for statement in role["Policies"][0]["PolicyDocument"]["Statement"]
            for action in statement["Action"]
        }
        for grant in granted(function.name):
            assert {f"{grant.service}:{action}" for action in grant.actions} <= actions


def test_only_the_declared_capabilities_use_a_key_and_its_policy_names_their_roles() -> None:
    for key in KEYS:
        users = {
            action: {
                name
                for name in GRANTS
                for grant in granted(name)
                if (grant.service, grant.resource) == ("kms", key.name) and action in grant.actions
            }
            for action in ("GenerateDataKey", "Decrypt")
        }
        assert users == {"GenerateDataKey": set(key.makers), "Decrypt": set(key.readers)}
        policy = of_type("KMS::Key")[f"{key.name.capitalize()}Key"]["KeyPolicy"]["Statement"]
        named = {
            statement["Action"][0]: set(map(told, statement["Condition"]["ArnEquals"]["aws:PrincipalArn"]))
            for statement in policy
            if "Condition" in statement
        }
        assert named == {
            f"kms:{action}": {f"arn:aws:iam::{ACCOUNT}:role/tael-{STAGE}-{name}-{REGION}" for name in names}
            for action, names in users.items()
        }


def test_every_queue_has_a_dead_letter_queue_and_alarms() -> None:
    made = {
        told(queue["QueueName"]).removeprefix(f"tael-{STAGE}-"): queue
        for queue in of_type("SQS::Queue").values()
    }
    watched = Counter(
        (referred(dimension["Value"]), alarm["MetricName"])
        for alarm in of_type("CloudWatch::Alarm").values()
        for dimension in alarm.get("Dimensions", ())
        if dimension["Name"] == "QueueName"
    )
    ids = {
        told(queue["QueueName"]).removeprefix(f"tael-{STAGE}-"): name
        for name, queue in of_type("SQS::Queue").items()
    }
    expected: Counter[tuple[str, str]] = Counter()
    for queue in QUEUES:
        redrive = made[queue.name]["RedrivePolicy"]
        assert referred(redrive["deadLetterTargetArn"]) == ids[queue.dead_letter]
        assert redrive["maxReceiveCount"] == queue.max_receives
        allowed = made[queue.dead_letter]["RedriveAllowPolicy"]["sourceQueueArns"]
        assert [told(arn).rpartition(":")[2] for arn in allowed] == [told(made[queue.name]["QueueName"])]
        expected[ids[queue.name], "ApproximateAgeOfOldestMessage"] += 1
    for name in last_resorts():
        assert made[name]["MessageRetentionPeriod"] == 14 * 24 * 3600
        expected[ids[name], "ApproximateNumberOfMessagesVisible"] += 1
    assert watched == expected
    assert set(made) == {*(queue.name for queue in QUEUES), *last_resorts()}
    assert all(queue["SqsManagedSseEnabled"] for queue in made.values())


def test_what_is_handled_is_not_delivered_again_meanwhile() -> None:
    for function in functions():
        if isinstance(function.feed, QueueFeed):
            window, hidden = function.feed.window_seconds, function.feed.queue.visibility_seconds
            assert hidden >= 6 * function.timeout_seconds + window
            assert function.timeout_seconds == FUNCTION_TIMEOUT_SECONDS


def test_a_tick_that_fails_is_put_by() -> None:
    made = of_type("Lambda::Function")
    for function in functions():
        dead = made[function_id(function.name)].get("DeadLetterConfig")
        assert (dead is not None) == isinstance(function.feed, ScheduleFeed)
        if dead:
            name = told(RESOURCES[referred(dead["TargetArn"])]["Properties"]["QueueName"])
            assert name.endswith(f"-{SCHEDULE_FAILURES}")


@pytest.mark.usefixtures("staged")
def test_names_are_those_that_the_functions_ask_for() -> None:
    names = {told(table["TableName"]) for table in of_type("DynamoDB::Table").values()}
    assert names == {table_name(table.name) for table in TABLES}
    names = {told(queue["QueueName"]) for queue in of_type("SQS::Queue").values()}
    assert {queue_name(queue.name) for queue in QUEUES} <= names
    assert Settings.model_fields["stage"].metadata[0].pattern == STAGE_PATTERN


def test_no_name_is_too_long() -> None:
    names = [told(each["FunctionName"]) for each in of_type("Lambda::Function").values()]
    names += [told(each["RoleName"]) for each in of_type("IAM::Role").values()]
    names += [told(each["Name"]) for each in of_type("Events::Rule").values()]
    assert max(map(len, names)) <= MOST_NAME


def test_tables_are_kept_encrypted_and_restorable() -> None:
    streamed = {stream.table for stream in STREAMS}
    made = {told(each["TableName"]): each for each in of_type("DynamoDB::Table").values()}
    for table in TABLES:
        properties = made[f"tael-{STAGE}-{table.name}"]
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert referred(properties["SSESpecification"]["KMSMasterKeyId"]) == "DataKey"
        assert properties["DeletionProtectionEnabled"] == {"Fn::If": ["IsProduction", True, False]}
        assert ("StreamSpecification" in properties) == (table.name in streamed)
        assert ("TimeToLiveSpecification" in properties) == table.expires
        indexes = [index["IndexName"] for index in properties.get("GlobalSecondaryIndexes", ())]
        assert indexes == [index.name for index in table.indexes]
    for resource in RESOURCES.values():
        keeps = resource["Type"] in {"AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::SecretsManager::Secret"}
        assert (resource.get("DeletionPolicy") == resource.get("UpdateReplacePolicy") == "Retain") == keeps


def test_a_function_is_told_what_it_needs_and_no_secret() -> None:
    for function in functions():
        variables = of_type("Lambda::Function")[function_id(function.name)]["Environment"]["Variables"]
        secret = {grant.resource for grant in granted(function.name) if grant.service == "secretsmanager"}
        named = {f"TAEL_{name.upper()}" for name in settings_of(function.name)}
        assert set(variables) == {"TAEL_STAGE", *named, *(["TAEL_SECRETS"] if secret else [])}
        if secret:
            assert set(json.loads(told(variables["TAEL_SECRETS"]))) == secret
        assert len(json.dumps(list(map(told, variables.values())))) < MOST_ENVIRONMENT
        assert set(settings_of(function.name)) <= set(Settings.model_fields)
    assert set(SECRETS) == set(get_args(Secret))


def test_what_is_logged_of_a_request_is_nothing_that_it_says() -> None:
    (stage,) = of_type("ApiGatewayV2::Stage").values()
    logged = set(json.loads(stage["AccessLogSettings"]["Format"]).values())
    assert not [each for each in logged if "path" in each or "query" in each or "header" in each.lower()]
    assert "authorizer" not in str(logged)


def test_streams_are_watched_and_so_is_every_function() -> None:
    alarms = of_type("CloudWatch::Alarm").values()
    behind = Counter(
        referred(alarm["Dimensions"][0]["Value"])
        for alarm in alarms
        if alarm.get("MetricName") == "IteratorAge"
    )
    followers = [function_id(each.name) for each in functions() if isinstance(each.feed, StreamFeed)]
    assert behind == Counter(followers)
    summed = Counter(
        (referred(metric["Dimensions"][0]["Value"]), metric["MetricName"])
        for alarm in alarms
        for query in alarm.get("Metrics", ())
        if (metric := query.get("MetricStat", {}).get("Metric", {})).get("Namespace") == "AWS/Lambda"
    )
    everyone = [function_id(each.name) for each in functions()]
    assert summed == Counter((name, metric) for name in everyone for metric in ("Errors", "Throttles"))
    assert max(len(alarm.get("Metrics", ())) for alarm in alarms) <= 11


def test_it_is_within_the_limits_and_always_the_same() -> None:
    text = render()
    assert yaml.safe_load(text) == TEMPLATE
    assert len(RESOURCES) < MOST_RESOURCES
    assert len(text.encode()) < MOST_BYTES
    command = [sys.executable, "-c", "from infra.template import render; print(render(), end='')"]
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert again.stdout == text


def test_a_zip_and_an_image_differ_in_nothing_but_the_code() -> None:
    forms = [template(packaging) for packaging in Packaging]
    code = {"Code", "PackageType", "Handler", "Runtime", "ImageConfig"}
    parameters = {"ImagePrefix", "ImageTag", "CodeBucket", "CodeKey"}
    for form in forms:
        for name in parameters:
            form["Parameters"].pop(name, None)
        for resource in form["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                for name in code:
                    resource["Properties"].pop(name, None)
    assert forms[0] == forms[1]


def test_images_are_those_of_the_capabilities() -> None:
    made = of_type("Lambda::Function")
    for function in functions():
        properties = made[function_id(function.name)]
        assert function.image in CAPABILITIES
        assert properties["Code"]["ImageUri"] == {
            "Fn::Sub": f"${{ImagePrefix}}{function.image}:${{ImageTag}}"
        }
        assert properties["ImageConfig"]["Command"] == [function.handler]
        assert properties["Architectures"] == ["arm64"]
        assert properties["TracingConfig"] == {"Mode": "Active"}


def test_the_metrics_of_the_alarms_are_what_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    record = observe.BatchRecord("req", "queue resolve", received=1)
    record.failures = [observe.Casualty("1", "StillUnknown", "")]
    with observe.reported("payments", record):
        pass
    line = json.loads(capsys.readouterr().out)
    (metrics,) = line["_aws"]["CloudWatchMetrics"]
    alarm = of_type("CloudWatch::Alarm")["PaymentsUnresolvedAlarm"]
    where = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
    assert (metrics["Namespace"], "Failed") == (alarm["Namespace"], alarm["MetricName"])
    assert "Failed" in {metric["Name"] for metric in metrics["Metrics"]}
    (names,) = metrics["Dimensions"]
    assert {name: line[name] for name in names} == where
