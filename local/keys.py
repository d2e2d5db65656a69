"""The KMS keys of `infra.declaration`: created where they are missing, or only looked for in the cloud."""

from collections.abc import Sequence
from typing import Any

from chassis import aws
from chassis.config import Engine, settings
from infra.declaration import Key
from local.errors import LocalError

PATIENCE_SECONDS = 30.0
"""An engine that has just started reads its modules first, on a machine that may be busy."""


def alias_of(key: Key, stage: str) -> str:
    """By which name the key is known in a stage."""
    return f"alias/tael-{stage}-{key.name}"


def provision(keys: Sequence[Key]) -> None:
    """Create the keys that are missing; in the cloud only check, for the deployed stack owns them."""
    kms = aws.client("kms", read_timeout_seconds=PATIENCE_SECONDS)
    for key in keys:
        alias = alias_of(key, settings().stage)
        if _exists(kms, alias):
            continue
        if settings().engine is Engine.AWS:
            raise LocalError(f"Deploy the stack first: {settings().region} has no KMS key {alias}.")
        created = kms.create_key(Description=f"Tael: {key.name}", KeySpec="SYMMETRIC_DEFAULT")
        try:
            kms.create_alias(AliasName=alias, TargetKeyId=created["KeyMetadata"]["KeyId"])
        except kms.exceptions.AlreadyExistsException:
            # Another system on the same LocalStack was quicker; its key serves both.
            continue


def _exists(kms: Any, alias: str) -> bool:
    try:
        kms.describe_key(KeyId=alias)
    except kms.exceptions.NotFoundException:
        return False
    return True
