"""Owns a CloudFormation stack: it changes by change sets alone, and what failed is said in words."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from chassis import aws
from local.errors import LocalError

KEPT = frozenset({"AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::SecretsManager::Secret"})
"""What holds money, or keys that cannot be made again: no deployment removes or replaces these."""
STUCK = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"})
"""The ends of a stack that was never created, or not wholly deleted: it can only be deleted."""
DONE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
WITHOUT_CHANGES = ("didn't contain changes", "No updates are to be performed")
CANCELLED = "cancelled"
POLL_SECONDS = 2.0

Say = Callable[[str], None]
Resource = dict[str, Any]


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn what AWS, or the lack of it, answers into one sentence."""
    try:
        yield
    except aws.TROUBLE as error:
        raise LocalError(f"{doing}: {str(error).rstrip('.')}.") from None


class Stack:
    """A stack by its name, wherever this process is connected to; `say` is told how it goes."""

    def __init__(self, name: str, say: Say, poll_seconds: float = POLL_SECONDS) -> None:
        self.name = name
        self._say = say
        self._poll_seconds = poll_seconds
        self._client = aws.administrator("cloudformation")

    def apply(self, template: Mapping[str, Any], parameters: Mapping[str, str], url: str) -> bool:
        """Create the stack, or change it into this template, which is found at `url`.

        Parameters that are not given stay as they are. Returns whether there was anything to change.
        """
        with explained(f"The stack {self.name} could not be deployed"):
            found = self._changeable()
            change_set = self._propose(template, parameters, url, found)
            if change_set is None:
                return False
            told = {event["EventId"] for event in self._events(set())}
            self._client.execute_change_set(ChangeSetName=change_set)
            self._follow(told)
            return True

    def outputs(self) -> dict[str, str]:
        """What the stack tells about itself."""
        with explained(f"The stack {self.name} cannot be read"):
            found = self._find()
        if found is None:
            raise LocalError(f"There is no stack {self.name}.")
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", ())}

    def _find(self) -> Resource | None:
        try:
            stack: Resource = self._client.describe_stacks(StackName=self.name)["Stacks"][0]
        except self._client.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return stack

    def _changeable(self) -> Resource | None:
        """The stack as it is; None where it is to be created."""
        found = self._find()
        status = found["StackStatus"] if found else "REVIEW_IN_PROGRESS"
        if status == "REVIEW_IN_PROGRESS":
            return None
        if status.endswith("_IN_PROGRESS"):
            raise LocalError(f"The stack {self.name} is being changed ({status}): wait until that is done.")
        if status in STUCK:
            raise LocalError(
                f"The stack {self.name} is left in {status}: look at its events, then delete it "
                f"(`aws cloudformation delete-stack --stack-name {self.name}`) and deploy again."
            )
        return found

    def _propose(
        self, template: Mapping[str, Any], parameters: Mapping[str, str], url: str, found: Resource | None
    ) -> str | None:
        """Make a change set and say what it would do; None where it would do nothing."""
        made = self._client.create_change_set(
            StackName=self.name,
            ChangeSetName=f"tael-{uuid4().hex}",
            ChangeSetType="UPDATE" if found else "CREATE",
            TemplateURL=url,
            Parameters=_parameters(template, parameters, found),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        change_set = str(made["Id"])
        proposed = self._await_change_set(change_set)
        if proposed["Status"] == "FAILED":
            self._client.delete_change_set(ChangeSetName=change_set)
            reason = proposed.get("StatusReason", "")
            if found and any(sentence in reason for sentence in WITHOUT_CHANGES):
                return None
            raise LocalError(f"The stack {self.name} was left as it is: {reason}")
        changes = [each["ResourceChange"] for each in self._changes(change_set, proposed)]
        lost = [change for change in changes if _loses(change)]
        if lost:
            self._client.delete_change_set(ChangeSetName=change_set)
            names = ", ".join(f"{change['LogicalResourceId']} ({change['ResourceType']})" for change in lost)
            raise LocalError(
                f"The stack {self.name} was left as it is: this would remove or replace {names}."
            )
        counts = Counter(change["Action"] for change in changes)
        self._say(", ".join(f"{action.lower()} {count}" for action, count in sorted(counts.items())))
        return change_set

    def _await_change_set(self, change_set: str) -> Resource:
        while True:
            found: Resource = self._client.describe_change_set(ChangeSetName=change_set)
            if found["Status"] in {"CREATE_COMPLETE", "FAILED"}:
                return found
            time.sleep(self._poll_seconds)

    def _changes(self, change_set: str, page: Resource) -> Iterator[Resource]:
        yield from page["Changes"]
        while token := page.get("NextToken"):
            page = self._client.describe_change_set(ChangeSetName=change_set, NextToken=token)
            yield from page["Changes"]

    def _follow(self, told: set[str]) -> None:
        """Say what is done until all of it is; raises with what failed."""
        failures: list[str] = []
        done, said = 0, ""
        while True:
            # The status first: of what it says to be over, no event is missed then.
            found = self._find()
            status = found["StackStatus"] if found else "DELETE_COMPLETE"
            for event in reversed(list(self._events(told))):
                told.add(event["EventId"])
                failures += _failure(event)
                done += event["ResourceStatus"] in DONE and event["LogicalResourceId"] != self.name
            if said != (said := f"{status}: {done} resources are done"):
                self._say(said)
            if not status.endswith("_IN_PROGRESS"):
                break
            time.sleep(self._poll_seconds)
        if status not in DONE:
            raise LocalError("\n  ".join([f"The stack {self.name} ended in {status}:", *failures]))

    def _events(self, told: set[str]) -> Iterator[Resource]:
        """What happened since, newest first."""
        for page in self._client.get_paginator("describe_stack_events").paginate(StackName=self.name):
            for event in page["StackEvents"]:
                if event["EventId"] in told:
                    return
                yield event


def _parameters(
    template: Mapping[str, Any], given: Mapping[str, str], found: Resource | None
) -> list[dict[str, Any]]:
    declared = template.get("Parameters", {})
    unknown = ", ".join(sorted(given.keys() - declared.keys()))
    if unknown:
        raise LocalError(f"The template has no parameter {unknown}; it has {', '.join(sorted(declared))}.")
    known = {each["ParameterKey"] for each in found.get("Parameters", ())} if found else set()
    valued = given.keys() | known
    missing = [name for name in declared if name not in valued and "Default" not in declared[name]]
    if missing:
        raise LocalError(f"These parameters have no value yet: {', '.join(missing)}.")
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()] + [
        {"ParameterKey": name, "UsePreviousValue": True}
        for name in sorted(known & declared.keys() - given.keys())
    ]


def _loses(change: Resource) -> bool:
    gone = change["Action"] == "Remove" or change.get("Replacement") == "True"
    return gone and change["ResourceType"] in KEPT


def _failure(event: Resource) -> list[str]:
    """What failed by itself; what was cancelled, or ended, only because of that is left out."""
    reason = event.get("ResourceStatusReason", "")
    is_cause = event["ResourceType"] != "AWS::CloudFormation::Stack" and CANCELLED not in reason
    if not (is_cause and event["ResourceStatus"].endswith("_FAILED")):
        return []
    return [f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"]
