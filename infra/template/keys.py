"""The KMS keys: one for all that is stored, and those that are declared, each for its few users alone."""

from infra.declaration import KEYS, Key
from infra.functions import functions
from infra.grants import granted
from infra.template.words import Resources, Value, arn, kept, logical, ref, resource, role_arn, sub

DATA_KEY = "DataKey"
"""Encrypts tables, secrets, logs and the topic of alarms."""
_ROOT = {"AWS": sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")}
ADMINISTRATION = (
    *("kms:CancelKeyDeletion", "kms:DescribeKey", "kms:DisableKey", "kms:EnableKey"),
    *("kms:EnableKeyRotation", "kms:DisableKeyRotation", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus"),
    *("kms:ListGrants", "kms:ListKeyPolicies", "kms:ListResourceTags", "kms:PutKeyPolicy"),
    *("kms:RevokeGrant", "kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion", "kms:TagResource"),
    *("kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription"),
    *("kms:CreateAlias", "kms:DeleteAlias"),
)
"""What whoever administers the account may do with a key, which is not: use it."""
USAGE = (
    *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
    *("kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"),
)
"""What a service needs that encrypts with it."""
PENDING_DAYS = 30
ACCESS_LOG = "/tael/${Stage}/access"
"""The log group of the API's accesses."""


def key_id(name: str) -> str:
    """A declared key's logical id."""
    return logical(name, "Key")


def keys() -> Resources:
    """Every key with its alias."""
    found: Resources = {DATA_KEY: _key("Tables, secrets, logs and alarms of Tael", _data_statements())}
    found["DataKeyAlias"] = _alias("data", DATA_KEY)
    for key in KEYS:
        found[key_id(key.name)] = _key(f"Tael's key {key.name}", _declared_statements(key))
        found[f"{key_id(key.name)}Alias"] = _alias(key.name, key_id(key.name))
    return found


def _alias(name: str, target: str) -> Value:
    properties = {"AliasName": sub(f"alias/tael-${{Stage}}-{name}"), "TargetKeyId": ref(target)}
    return resource("KMS::Alias", properties)


def _key(description: str, statements: list[Value]) -> Value:
    administration = _statement("Administer", _ROOT, ADMINISTRATION)
    return kept(
        "KMS::Key",
        {
            "Description": description,
            "EnableKeyRotation": True,
            "PendingWindowInDays": PENDING_DAYS,
            "KeyPolicy": {"Version": "2012-10-17", "Statement": [administration, *statements]},
        },
    )


def _statement(
    sid: str, principal: Value, actions: tuple[str, ...], condition: Value | None = None
) -> dict[str, Value]:
    # In a key's policy "*" is the key that it belongs to.
    statement = {"Sid": sid, "Effect": "Allow", "Principal": principal}
    more = {"Condition": condition} if condition else {}
    return {**statement, "Action": list(actions), "Resource": "*", **more}


def _data_statements() -> list[Value]:
    """Through the services that encrypt with it, and never directly."""
    here = {"kms:CallerAccount": sub("${AWS::AccountId}")}
    through = [sub(f"{name}.${{AWS::Region}}.amazonaws.com") for name in ("dynamodb", "secretsmanager")]
    groups = [arn("logs", f"log-group:{name}") for name in ("/aws/lambda/tael-${Stage}-*", ACCESS_LOG)]
    logs = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}}
    mine = {"StringEquals": {"aws:SourceAccount": sub("${AWS::AccountId}")}}
    return [
        _statement(
            "UseThroughServices",
            _ROOT,
            (*USAGE, "kms:CreateGrant"),
            {"StringEquals": {**here, "kms:ViaService": through}},
        ),
        _statement(
            "EncryptLogs",
            {"Service": sub("logs.${AWS::Region}.amazonaws.com")},
            USAGE,
            logs,
        ),
        _statement(
            "SendAlarms",
            {"Service": "cloudwatch.amazonaws.com"},
            ("kms:Decrypt", "kms:GenerateDataKey"),
            mine,
        ),
    ]


def _declared_statements(key: Key) -> list[Value]:
    """Only the roles of its users, who need the same in their own policies too."""
    statements = []
    for sid, action in (("Make", "kms:GenerateDataKey"), ("Unwrap", "kms:Decrypt")):
        users = [
            role_arn(function.slug)
            for function in functions()
            for grant in granted(function.name)
            if (grant.service, grant.resource) == ("kms", key.name) and action[4:] in grant.actions
        ]
        # Named by condition, not as principals: those must exist before the key, which they refer to.
        statements.append(_statement(sid, _ROOT, (action,), {"ArnEquals": {"aws:PrincipalArn": users}}))
    return statements
