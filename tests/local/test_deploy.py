"""`tael deploy`, as far as it goes without an account: against the embedded engine's CloudFormation."""

import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from chassis import aws
from infra.functions import functions
from infra.template import template
from infra.template.packaging import Packaging
from local import deploy, state
from local.adapted import adapted
from local.connection import connected
from local.engine import Engine
from local.errors import LocalError
from local.main import app
from local.package import archive
from local.stack import Stack
from local.uploads import Bucket

REGION = "eu-west-1"
IMAGES = ["--images", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tael-", "--tag", "1.0.0"]
OUTSIDE = ["-p", "AcquirerUrl=https://acquirer.example", "-p", "BankUrl=https://bank.example"]
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    },
}
SMALL = {
    "Parameters": {"A": {"Type": "String"}, "B": {"Type": "String", "Default": "b"}},
    "Resources": {
        "Money": TABLE,
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "of-${A}-${B}"}}},
    },
    "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}},
}
HEADING = "account 000000000000, region eu-west-1, stage trial\n"
UNMAKEABLE = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"ComparisonOperator": "GreaterThanThreshold"}}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What is in the environment of somebody who has an account: that of an engine."""
    with state.opened(tmp_path_factory.mktemp("account")) as opened, pytest.MonkeyPatch.context() as patched:
        patched.setattr("boto3.DEFAULT_SESSION", None)  # it remembers credentials
        engine = Engine.start(opened, functions=opened.path)
        keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "embedded")
        local = dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1")
        yield {"AWS_ENDPOINT_URL": engine.url, "AWS_REGION": REGION, **keys, **local}
        engine.stop()


@pytest.fixture(scope="module")
def here(account: dict[str, str]) -> Iterator[Bucket]:
    """This process, connected to that account, and a bucket in it."""
    with connected({**account, "TAEL_ENGINE": "aws"}):
        bucket = Bucket("tael-templates")
        bucket.make()
        bucket.make()
        yield bucket


@pytest.fixture
def apply(here: Bucket) -> Callable[..., tuple[bool, dict[str, str], list[str]]]:
    def applied(name: str, whole: Any, **parameters: str) -> tuple[bool, dict[str, str], list[str]]:
        said: list[str] = []
        stack = Stack(name, said.append, poll_seconds=0.05)
        url = here.url(here.put("small", ".json", json.dumps(whole).encode()))
        return stack.apply(whole, parameters, url), stack.outputs(), said

    return applied


def run(account: dict[str, str], *options: str) -> tuple[int, str]:
    ran = CliRunner(env={**account, "COLUMNS": "200"}).invoke(app, ["deploy", *options])
    return ran.exit_code, ran.output


def test_the_whole_system_is_deployed_to_an_account_and_then_its_images_alone(
    account: dict[str, str], here: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The engine knows no alarms that calculate; everything else is what AWS would be given.
    monkeypatch.setattr(deploy, "template", lambda packaging: adapted(template(packaging)))
    monkeypatch.setattr("local.stack.POLL_SECONDS", 0.05)
    options = ["--engine", "aws", "--stage", "trial", "--bucket", here.name]
    code, said = run(account, *options, *IMAGES)
    assert (code, said) == (1, HEADING + "tael: These parameters have no value yet: AcquirerUrl, BankUrl.\n")
    code, said = run(account, *options, *IMAGES, *OUTSIDE)
    assert code == 0, said
    assert said.startswith(f"{HEADING}add ")
    assert "CREATE_COMPLETE" in said
    assert "aws secretsmanager get-secret-value" in said
    assert run(account, *options)[1].count("There is nothing to change.") == 1
    code, said = run(account, *options, "--tag", "1.1.0")
    assert code == 0, said
    assert "modify " in said
    found = aws.administrator("lambda").get_function(FunctionName="tael-trial-payments-resolve")
    assert found["Code"]["ImageUri"] == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tael-payments:1.1.0"
    variables = found["Configuration"]["Environment"]["Variables"]
    assert variables["TAEL_ACQUIRER_URL"] == "https://acquirer.example"


def test_what_is_not_given_stays_as_it_was(apply: Callable[..., Any]) -> None:
    changed, told, said = apply("stays", SMALL, A="1")
    assert (changed, told, said[0]) == (True, {"Name": "of-1-b"}, "add 2")
    assert said[-1] == "CREATE_COMPLETE: 2 resources are done"
    assert apply("stays", SMALL)[0] is False
    assert apply("stays", SMALL, B="2")[:2] == (True, {"Name": "of-1-2"})
    assert apply("stays", SMALL, A="3")[1] == {"Name": "of-3-2"}


def test_parameters_are_asked_for_by_name(apply: Callable[..., Any]) -> None:
    with pytest.raises(LocalError, match="no value yet: A"):
        apply("asks", SMALL)
    with pytest.raises(LocalError, match="no parameter C; it has A, B"):
        apply("asks", SMALL, A="1", C="2")


def test_what_holds_money_is_neither_removed_nor_replaced(apply: Callable[..., Any]) -> None:
    apply("money", SMALL, A="money")
    without, renamed = copy.deepcopy(SMALL), copy.deepcopy(SMALL)
    del without["Resources"]["Money"]  # type: ignore[attr-defined]
    renamed["Resources"]["Money"]["Properties"]["TableName"] = "other"  # type: ignore[index]
    for changed in (without, renamed):
        with pytest.raises(LocalError, match="left as it is: this would remove or replace Money"):
            apply("money", changed)
    assert apply("money", SMALL)[0] is False


def test_what_failed_is_said_and_why(apply: Callable[..., Any]) -> None:
    broken = {"Resources": {"Money": TABLE, "Alarm": UNMAKEABLE}}
    with pytest.raises(
        LocalError, match=r"ROLLBACK_COMPLETE:\n  Alarm \(AWS::CloudWatch::Alarm\): .*required"
    ):
        apply("fails", broken)
    with pytest.raises(LocalError, match=r"left in ROLLBACK_COMPLETE.*delete-stack --stack-name fails"):
        apply("fails", broken)
    with pytest.raises(LocalError, match="could not be deployed"):
        apply("refused", {"Resources": {"Money": TABLE | {"Type": "AWS::Nothing::Known"}}})


def test_a_localstack_without_http_apis_is_refused(
    account: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a token it passes over what it does not know: there would be a stack, and no API."""

    class Without:
        def get_caller_identity(self) -> dict[str, str]:
            return {"Account": "000000000000"}

        def get_apis(self) -> None:
            raise aws.TROUBLE[0]({"Error": {"Code": "InternalFailure", "Message": "not included"}}, "GetApis")

    monkeypatch.setattr(aws, "administrator", lambda _: Without())
    code, said = run(account, "--engine", "localstack", *IMAGES, *OUTSIDE)
    assert code == 1
    assert "no HTTP APIs, which need a token: see docs/localstack.md" in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--tag", "1.0.0"], "for the other engines"),
        (["--engine", "aws", "--bucket", "mine"], "Set AWS_REGION"),
        (["--engine", "aws"], "--bucket"),
        (["--engine", "aws", "-p", "AcquirerUrl"], "NAME=VALUE"),
        (["--engine", "localstack", "--stage", "No!"], "TAEL_STAGE"),
    ],
)
def test_what_cannot_be_is_said_at_once(options: list[str], sentence: str) -> None:
    code, said = run({"AWS_REGION": ""}, *options)
    assert code == 1
    assert sentence in said


def test_no_account_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    nothing = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": REGION}
    files = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), "/nowhere")
    code, said = run({**nothing, **files}, "--engine", "aws", "--bucket", "mine")
    assert (code, said) == (1, "tael: No AWS account can be reached: Unable to locate credentials.\n")


def test_the_zip_has_every_handler_compiled_and_is_always_the_same() -> None:
    made = archive({"openapi.json": "{}"})
    assert made == archive({"openapi.json": "{}"})
    names = set(zipfile.ZipFile(io.BytesIO(made)).namelist())
    assert "openapi.json" in names
    sources = {name for name in names if name.endswith(".py")}
    modules = {function.handler.rpartition(".")[0].replace(".", "/") for function in functions()}
    assert sources >= {f"{module}.py" for module in modules}
    assert len({name for name in names if name.endswith(".pyc")}) == len(sources)


def test_the_engine_gets_the_template_but_for_what_is_known() -> None:
    whole = template(Packaging.ZIP)
    before, after = copy.deepcopy(whole), adapted(whole)
    assert whole == before
    assert {name: whole[name] for name in whole if name != "Resources"} == {
        name: after[name] for name in after if name != "Resources"
    }
    lost = whole["Resources"].keys() - after["Resources"].keys()
    assert {whole["Resources"][name]["Type"] for name in lost} == {"AWS::CloudWatch::Alarm"}
    changed = {name for name, made in after["Resources"].items() if made != whole["Resources"][name]}
    assert {whole["Resources"][name]["Type"].removeprefix("AWS::") for name in changed} == {
        "IAM::Role",
        "KMS::Key",
        "Lambda::EventSourceMapping",
        "Lambda::Function",
    }
    made = after["Resources"]
    assert [name for name in made if made[name]["Properties"].get("Enabled") is False] == [
        "AccountsRollUpFeed"
    ]
