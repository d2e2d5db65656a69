"""Owns what is known of a run: each call with its fault, in the order of time."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from tests.simulation.weather import Fault


class Trace:
    """A log of a run that costs next to nothing until it is read."""

    def __init__(self, now: Callable[[], float], who: Callable[[], str]) -> None:
        self._now = now
        self._who = who
        self._start = now()
        self._lines: list[tuple[float, str, tuple[Any, ...]]] = []

    def called(self, service: str, operation: str, parameters: dict[str, Any], fault: Fault) -> None:
        self._add(_call, service, operation, parameters, fault)

    def refused(self, refusal: ClientError) -> None:
        self._add(_refusal, refusal)

    def asked(self, method: str, path: str, asked: dict[str, Any], fault: Fault) -> None:
        self._add(_question, method, path, asked.get("attempt", ""), fault)

    def note(self, text: str) -> None:
        self._add(str, text)

    def _add(self, *what: Any) -> None:
        self._lines.append((self._now(), self._who(), what))

    def lines(self) -> Iterator[str]:
        """The whole run, a line each: when, who, what."""
        for when, who, (form, *rest) in self._lines:
            yield f"{when - self._start:12.4f}  {who:<34}  {form(*rest)}"

    def digest(self) -> str:
        """The same for two runs in which the same happened."""
        digest = hashlib.sha256()
        for line in self.lines():
            digest.update(line.encode())
        return digest.hexdigest()[:16]


def _call(service: str, operation: str, parameters: dict[str, Any], fault: Fault) -> str:
    return f"{service}.{operation} {' '.join(_about(parameters))}{_disturbed(fault)}"


def _disturbed(fault: Fault) -> str:
    return "" if fault is Fault.NONE else f"  *** {fault} ***"


def _about(parameters: dict[str, Any]) -> Iterator[str]:
    if "TransactItems" in parameters:
        for member in parameters["TransactItems"]:
            (request,) = member.values()
            yield from _about(request)
        return
    if "Entries" in parameters:
        yield f"{parameters['QueueUrl'].rpartition('/')[2]} x{len(parameters['Entries'])}"
    for name in ("Key", "Item"):
        if name in parameters:
            key = [parameters[name][part]["S"] for part in ("pk", "sk") if part in parameters[name]]
            yield f"{parameters['TableName']}[{' '.join(key)}]"
    if "RequestItems" in parameters:
        yield ",".join(f"{table}x{len(asked['Keys'])}" for table, asked in parameters["RequestItems"].items())
    if "KeyConditionExpression" in parameters:
        yield f"{parameters['TableName']}.{parameters.get('IndexName', '')}"


def _refusal(refusal: ClientError) -> str:
    reasons = [reason["Code"] for reason in refusal.response.get("CancellationReasons", ())]
    return f"    <- {refusal.response['Error']['Code']} {reasons or ''}"


def _question(method: str, path: str, attempt: str, fault: Fault) -> str:
    return f"outside {method} {path} {attempt}{_disturbed(fault)}"
