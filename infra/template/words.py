"""The words of CloudFormation as plain values: references, conditions, and how resources are named."""

import re
from typing import Any

Value = Any
"""What a property may be: JSON, whose objects may be intrinsic functions."""
Resource = dict[str, Any]
Resources = dict[str, Resource]

IS_PRODUCTION = "IsProduction"
HAS_EMAIL = "HasAlarmEmail"


def resource(kind: str, properties: dict[str, Value], **more: Value) -> Resource:
    """A resource of that type."""
    return {"Type": f"AWS::{kind}", **more, "Properties": properties}


def kept(kind: str, properties: dict[str, Value], **more: Value) -> Resource:
    """A resource that outlives the stack: nobody deletes money's records by deleting a stack."""
    keep = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    return resource(kind, properties, **keep, **more)


def ref(name: str) -> Value:
    """A parameter's value, or what a resource is called."""
    return {"Ref": name}


def attribute(name: str, of: str = "Arn") -> Value:
    """An attribute of a resource, usually its ARN."""
    return {"Fn::GetAtt": [name, of]}


def sub(text: str) -> Value:
    """A text with `${...}` filled in."""
    return {"Fn::Sub": text}


def when(condition: str, yes: Value, no: Value) -> Value:
    """One value or the other."""
    return {"Fn::If": [condition, yes, no]}


def logical(name: str, kind: str) -> str:
    """The id within the template: `payment-resolutions`, `Queue` is PaymentResolutionsQueue."""
    return "".join(part.capitalize() for part in re.split(r"[^a-z0-9]", name)) + kind


def staged(name: str) -> Value:
    """The physical name in this stage, as `chassis.config` makes it: `tael-prod-payments`."""
    return sub(f"tael-${{Stage}}-{name}")


def arn(service: str, rest: str) -> Value:
    """An ARN in this account and region."""
    return sub(f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}")


def role_name(slug: str) -> Value:
    """The name of a function's role; roles are the account's, in all of its regions."""
    return sub(f"tael-${{Stage}}-{slug}-${{AWS::Region}}")


def role_arn(slug: str) -> Value:
    """Its ARN by name, for what the role itself refers to."""
    return sub(
        f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/tael-${{Stage}}-{slug}-${{AWS::Region}}"
    )
