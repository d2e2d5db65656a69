"""`tael deploy`: the whole system as one stack, on AWS, on LocalStack or on the embedded engine."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chassis import aws
from chassis.config import Engine, settings
from infra.template import template
from infra.template.packaging import Packaging
from local import announce, process
from local.command import INTERRUPTED, STATE, ending
from local.connection import connected
from local.deployed import BUCKET, Deployed, deployed
from local.errors import LocalError
from local.stack import Say, Stack, explained
from local.uploads import Bucket

DEPLOYED_STATE = STATE / "deployed"
"""Beside what `tael up` keeps, which may run at the same time."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is deployed to AWS or LocalStack, whose functions are images."""

    engine: Engine
    stage: str
    bucket: str | None
    parameters: Mapping[str, str]


ImagesOption = Annotated[
    str | None, typer.Option(metavar="PREFIX", help="Of the images' names, up to that of the capability.")
]
BucketOption = Annotated[
    str | None, typer.Option(help="S3 bucket of yours, from which CloudFormation reads the template.")
]
ParametersOption = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Of the template; may be repeated."),
]


def deploy(
    *,
    engine: Annotated[
        Engine, typer.Option(help="Where to: a child process, LocalStack, or your AWS account.")
    ] = Engine.EMBEDDED,
    stage: Annotated[
        str, typer.Option(help="Part of every name; prod has protected tables and larger limits.")
    ] = "dev",
    images: ImagesOption = None,
    tag: Annotated[str | None, typer.Option(help="Of the images.")] = None,
    bucket: BucketOption = None,
    parameters: ParametersOption = None,
    state: Annotated[Path, typer.Option(help="State folder of the embedded engine.")] = DEPLOYED_STATE,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the embedded engine; 0 takes a free one.")
    ] = 0,
) -> None:
    """Create the stack tael-STAGE from the rendered template, or change it: on AWS, LocalStack, or here.

    Here, on the embedded engine, functions are processes, beside a sandbox acquirer and bank, until Ctrl-C.

    On AWS and LocalStack they are images, and what is not given stays as it was at the time before.

    Example: `tael deploy --engine aws --stage prod --bucket mine --tag 1.4.0` changes the images alone.

    The account is that of the usual AWS variables, the region that of AWS_REGION.

    No table, key or secret is ever removed or replaced.
    """
    given = {"ImagePrefix": images, "ImageTag": tag}
    is_here = engine is Engine.EMBEDDED
    with ending(when_stopped=0 if is_here else INTERRUPTED):
        chosen = {name: value for name, value in given.items() if value} | _pairs(parameters or [])
        if is_here:
            _serve(Console(), state, stage, port, is_plain=not (chosen or bucket))
        else:
            _to_cloud(Console(), Wanted(engine, stage, bucket, chosen))


def _serve(console: Console, folder: Path, stage: str, port: int, *, is_plain: bool) -> None:
    """Deploy here, and serve until a signal or a failure ends it."""
    if not is_plain:
        raise LocalError(
            "On the embedded engine the functions are zips and the parameters are its own: "
            "--images, --tag, --bucket and --parameter are for the other engines."
        )
    with deployed(folder, stage, port, console.print) as running:
        _announce(console, running)
        process.supervise(running.children)


def _to_cloud(console: Console, wanted: Wanted) -> None:
    """Deploy images, and say where the API is."""
    if wanted.engine is Engine.AWS and not (os.environ.get("AWS_REGION") and wanted.bucket):
        raise LocalError("Set AWS_REGION, and name a bucket of yours in that region with --bucket.")
    with connected({"TAEL_ENGINE": wanted.engine.value, "TAEL_STAGE": wanted.stage}):
        _require_account(wanted.engine, console.print)
        bucket = Bucket(wanted.bucket or BUCKET)
        whole = template(Packaging.IMAGE)
        with explained(f"The template could not be put into the bucket {bucket.name}"):
            if not wanted.bucket:
                bucket.make()
            key = bucket.put(f"tael/{wanted.stage}", ".json", json.dumps(whole).encode())
        stack = Stack(f"tael-{wanted.stage}", console.print)
        if not stack.apply(whole, {"Stage": wanted.stage, **wanted.parameters}, bucket.url(key)):
            console.print("There is nothing to change.")
        outputs = stack.outputs()
    command = "awslocal" if wanted.engine is Engine.LOCALSTACK else "aws"
    secret = f"{command} secretsmanager get-secret-value --query SecretString --output text --secret-id"
    announce.show(
        console,
        {"API": outputs["ApiUrl"], "Operator key": f"{secret} {outputs['PlatformKeySecretArn']}"},
    )


def _require_account(engine: Engine, say: Say) -> None:
    with explained("No AWS account can be reached"):
        account = aws.administrator("sts").get_caller_identity()["Account"]
    say(f"account {account}, region {settings().region}, stage {settings().stage}")
    if engine is Engine.LOCALSTACK:
        # Without a token it passes over what it does not know, and the stack would have no API.
        with explained("This LocalStack has no HTTP APIs, which need a token: see docs/localstack.md"):
            aws.administrator("apigatewayv2").get_apis()


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise LocalError(f"--parameter takes NAME=VALUE, not {name!r}.")
    return {name: value for name, _, value in pairs}


def _announce(console: Console, running: Deployed) -> None:
    announce.show(
        console,
        {
            "API": running.url,
            "Engine": running.engine_url,
            "State": str(running.state.path),
            "Operator key": running.platform_key,
            "Acquirer": f"{running.acquirer_url}  (what it charged: {running.acquirer_url}/statement)",
            "Bank": f"{running.bank_url}  (what it paid: {running.bank_url}/statement)",
        },
    )
    console.print("\nTry it, in another terminal with bash:\n")
    announce.verbatim(console, announce.commands(running.url, running.platform_key, None))
    announce.verbatim(console, f"ready {running.url}")
    console.file.flush()
