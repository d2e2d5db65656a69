"""Owns this process's place in a simulated world: its clock, its chance, its connections and its settings."""

import gc
import json
import os
import random
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from acquiring import vault
from chassis import auth, aws, clock, events, observe
from chassis.config import settings
from chassis.outside import Answer as HttpAnswer
from chassis.outside import Outside
from functions.webhooks import gateway
from infra.declaration import EVENT_TYPES, subscriptions
from tests.simulation.town import PLATFORM_KEY
from tests.simulation.world import World

ENVIRONMENT = {
    "TAEL_ENGINE": "aws",
    "TAEL_STAGE": "simulated",
    "TAEL_PLATFORM_KEY": PLATFORM_KEY,
    "TAEL_PEPPERS": "1:" + "5a" * 16,
    "TAEL_FINGERPRINT_KEY": "a5" * 32,
    "TAEL_WEBHOOK_KEY": "c3" * 32,
    "TAEL_CARD_KEY": "alias/simulated-vault",
    "TAEL_ACQUIRER_URL": "http://acquirer",
    "TAEL_BANK_URL": "http://bank",
    "TAEL_SUBSCRIPTIONS": json.dumps(subscriptions()),
    "TAEL_EVENT_TYPES": json.dumps(EVENT_TYPES),
}


@contextmanager
def settled() -> Iterator[None]:
    """Settings of a process whose services are all simulated, while the block runs.

    Nothing is collected in the middle of a run, which takes a third of its time: `simulate` does after it.
    """
    others = [name for name in os.environ if name.startswith("TAEL_") and name not in ENVIRONMENT]
    with patch.dict(os.environ, ENVIRONMENT):
        for name in others:
            del os.environ[name]
        settings.cache_clear()
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            yield
        finally:
            gc.enable()
            gc.unfreeze()
            settings.cache_clear()


@contextmanager
def living_in(world: World) -> Iterator[None]:
    """Let what `chassis` asks of the machine be answered by that world, while the block runs."""
    before = random.getstate()
    chance = random.Random(world.seed)
    random.seed(world.seed)
    scheduler = world.scheduler
    world.machines.on_death = forget_everything

    def now() -> datetime:
        skew = scheduler.current.skew if scheduler.current else 0.0
        return datetime.fromtimestamp(scheduler.now + skew, UTC)

    def client(service: str, **_: Any) -> Any:
        return world.services.clients[service]

    def asked(
        outside: Outside, method: str, path: str, body: bytes | None, seconds: float
    ) -> HttpAnswer | None:
        stranger, decline = (
            (world.bank.answer, "account_closed")
            if urlsplit(outside._url).hostname == "bank"
            else (world.acquirer.answer, "do_not_honor")
        )
        request = method, path, json.loads(body) if body else {}
        reply = world.services.ask_stranger(stranger, request, decline, seconds)
        return None if reply is None else (reply[0], json.dumps(reply[1]).encode())

    with ExitStack() as stack:
        for target, name, replacement in (
            (clock, "now", now),
            (clock, "monotonic", lambda: scheduler.now),
            (clock, "sleep", scheduler.sleep),
            (aws, "client", client),
            (Outside, "_try", asked),
            (gateway, "post_all", world.receivers.post_all),
            (secrets, "token_bytes", chance.randbytes),
            (secrets, "token_hex", lambda count: chance.randbytes(count).hex()),
            (observe, "_logger", lambda service: _Log(world.logs)),
        ):
            stack.enter_context(patch.object(target, name, replacement))
        forget_everything()
        yield
    forget_everything()
    random.setstate(before)


def forget_everything() -> None:
    """What a process remembers from one event to the next is gone with it."""
    auth._found.clear()
    vault.forget_keys()
    events._url.cache_clear()


class _Log:
    """In the place of the logger: keeps the lines as they are."""

    def __init__(self, lines: list[tuple[str, dict[str, Any]]]) -> None:
        self._lines = lines

    def info(self, message: str, extra: dict[str, Any]) -> None:
        self._lines.append((message, extra))

    warning = error = info
