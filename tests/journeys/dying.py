"""Runs real handlers in processes that die at a given moment: `python -m tests.journeys.dying LOG`.

It reads one request a line, forks a child that handles it, and answers with one line: what the child would
have answered, or null where it died. The children's own log goes to LOG.
"""

import contextlib
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.client import BaseClient

from acquiring.acquirer import connector
from chassis import aws, clock
from chassis.config import settings
from chassis.outside import Outside
from functions.payments.app import resolve as resolve_payment
from functions.payouts import gateway
from functions.payouts.app import reconcile
from functions.payouts.app import resolve as resolve_payout
from functions.topups.app import resolve as resolve_topup
from runtime.schedules import scheduled_event
from tests.functions.inside import Inside

DEAD = 137
WRITES = {"PutItem", "UpdateItem", "TransactWriteItems"}
RESOLVERS = {"payments": resolve_payment, "topups": resolve_topup, "payouts": resolve_payout}
SCHEDULES = {"payouts": reconcile}

Asked = dict[str, Any]


def _die_after(calls: int, kind: str) -> None:
    """End this process, as a kill does, right after so many calls of that kind; 0: before the first one."""
    made = 0

    def mortal(call: Callable[..., Any], is_one: Callable[..., bool]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            nonlocal made
            if not is_one(*arguments):
                return call(*arguments, **named)
            if calls == 0:
                os._exit(DEAD)
            try:
                return call(*arguments, **named)
            finally:
                made += 1
                if made == calls:
                    os._exit(DEAD)

        return wrapped

    BaseClient._make_api_call = mortal(
        BaseClient._make_api_call, lambda _, name, *__: kind == "any" or (kind == "write" and name in WRITES)
    )
    exchange = mortal(Outside._exchange, lambda *_: kind in {"any", "outside"})
    Outside._exchange = exchange  # type: ignore[method-assign]


def _handle(asked: Asked) -> Any:
    os.environ["TAEL_RESOLVE_SECONDS"] = str(asked["resolve_seconds"])
    settings.cache_clear()
    ahead = timedelta(seconds=asked["seconds_ahead"])
    clock.now = lambda: datetime.now(UTC) + ahead
    if asked["dies_after"] is not None:
        _die_after(asked["dies_after"], asked["kind"])
    if asked["schedule"]:
        return SCHEDULES[asked["schedule"]](scheduled_event(), None)
    if asked["resolver"]:
        record = {"messageId": "1", "body": json.dumps(asked["body"])}
        return RESOLVERS[asked["resolver"]]({"Records": [record]}, None)
    answer = Inside(asked["key"])(asked["method"], asked["path"], asked["body"], **asked["headers"])
    return [answer.status, answer.body]


def _fork(asked: Asked) -> Any:
    """The child's answer, or None where it died before it had one."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            os.write(writable, json.dumps(_handle(asked)).encode())
            code = 0
        os._exit(code)
    os.close(writable)
    with os.fdopen(readable, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in {0, DEAD}:
        raise RuntimeError(f"the child ended with {code}")
    return json.loads(answer) if code == 0 else None


def main() -> None:
    """Serve until the end of the input."""
    protocol = os.fdopen(os.dup(1), "w")
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    # Made once for all children; nothing is connected before one of them makes its first call.
    for service in ("dynamodb", "kms", "sqs"):
        aws.client(service)
    connector()
    gateway._bank()
    for line in sys.stdin:
        protocol.write(json.dumps(_fork(json.loads(line))) + "\n")
        protocol.flush()


if __name__ == "__main__":
    main()
