"""Owns what must hold at each commit: it watches every change, and notes what that has to tell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from chassis.attributes import Item, decode
from chassis.clock import timestamp
from tests.simulation.aws.dynamodb import StreamRecord

# What may follow what, written down here once more: the code under test has a table of its own.
NEW: Final = "-"
CLOCKS_DIFFER_SECONDS = 10.0
"""Of two machines, at most."""
MAY_FOLLOW: Final[Mapping[str, frozenset[tuple[str, str]]]] = {
    "payment": frozenset(
        {
            *((NEW, "processing"), (NEW, "authorized"), (NEW, "captured"), (NEW, "failed")),
            *(("processing", "authorized"), ("processing", "captured"), ("processing", "failed")),
            *(
                ("failed", "processing"),
                ("failed", "authorized"),
                ("failed", "captured"),
                ("failed", "failed"),
            ),
            *(("authorized", "captured"), ("authorized", "canceled")),
            *(("captured", "partially_refunded"), ("captured", "refunded")),
            *(("partially_refunded", "partially_refunded"), ("partially_refunded", "refunded")),
        }
    ),
    "refund": frozenset(
        {(NEW, "pending"), (NEW, "succeeded"), ("pending", "succeeded"), ("pending", "failed")}
    ),
    "topup": frozenset({(NEW, "processing"), ("processing", "succeeded"), ("processing", "failed")}),
    "payout": frozenset(
        {
            *((NEW, "processing"), (NEW, "failed"), ("processing", "in_transit"), ("processing", "failed")),
            *(("in_transit", "paid"), ("in_transit", "returned"), ("paid", "returned")),
        }
    ),
    "settlement": frozenset({(NEW, "open"), ("open", "closed"), ("closed", "released")}),
    "account": frozenset(
        {
            *((NEW, "active"), ("active", "frozen"), ("frozen", "active")),
            *(("active", "closed"), ("frozen", "closed")),
        }
    ),
}
ONCE: Final = frozenset({"entry", "wallet", "deposit", "transfer", "line", "chunk", "event"})
"""What is written once and never changed."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event that somebody must be told of."""

    type: str
    subject: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.type} of {self.subject}, version {self.sequence}"


_TELLING: Final = {"wallets": "pk", "payouts": "pk"}
"""Where the start of the partition key tells, and not that of the sort key."""
_KINDS: Final = {
    ("payments", "PAYMENT"): "payment",
    ("payments", "REFUND"): "refund",
    ("ledger", "ACCOUNT"): "account",
    ("ledger", "ENTRY"): "entry",
    ("wallets", "wal"): "wallet",
    ("wallets", "dep"): "deposit",
    ("wallets", "trf"): "transfer",
    ("payouts", "po"): "payout",
    ("payouts", "bookmark"): "bookmark",
    ("settlements", "SETTLEMENT"): "settlement",
    ("settlements", "CHUNK"): "chunk",
    ("settlements", "CARRY"): "carry",
    ("webhooks", "ENDPOINT"): "endpoint",
    ("webhooks", "EVENT"): "event",
    ("webhooks", "DELIVERY"): "delivery",
}
_OTHERS: Final = {"settlements": "line", "topups": "topup"}


def kind_of(table: str, item: Mapping[str, Any]) -> str:
    """What an item, as it is stored or as plain values, is a record of."""
    pk, sk = (_text(item.get(name)) for name in ("pk", "sk"))
    name = _TELLING.get(table, "sk")
    told = (pk if name == "pk" else sk).partition("_" if name == "pk" else "#")[0]
    return _KINDS.get((table, told)) or _OTHERS.get(table, table)


def _text(value: Any) -> str:
    return str(value["S"] if isinstance(value, dict) else value or "")


class Observer:
    """Is told of every committed change; `violations` is what it found wrong."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.violations: list[str] = []
        self.expected: dict[Told, str] = {}
        """Each event with the number of the change that it is about."""
        self._endpoints: dict[str, list[tuple[str, Item]]] = {}
        """Of each webhook endpoint all versions, and when they were written."""
        self._number = ""
        self.changes = 0
        self._now = now

    def changed(self, record: StreamRecord) -> None:
        """Hold one change against the rules."""
        self.changes += 1
        self._number = record.sequence_number
        image = record.new or record.old or {}
        if record.table == "webhooks" and record.new is not None and "events" in record.new:
            endpoint = decode(record.new)
            at = timestamp(datetime.fromtimestamp(self._now() + CLOCKS_DIFFER_SECONDS, UTC))
            self._endpoints.setdefault(endpoint["id"], []).append((at, endpoint))
        kind = kind_of(record.table, {**record.keys, **image})
        if kind in ONCE:
            if record.old is not None:
                self._violated(f"{kind} {record.keys} was changed after it was written")
            if record.new is not None and kind in {"wallet", "deposit", "transfer"}:
                self._expect_made(kind, decode(record.new))
            return
        if kind not in MAY_FOLLOW or record.new is None:
            if kind in MAY_FOLLOW:
                self._violated(f"{kind} {record.keys} was deleted")
            return
        old = decode(record.old) if record.old is not None else None
        self._moved(kind, old, decode(record.new))

    def always_wanted(self, endpoint_id: str, kind: str, since: str) -> bool:
        """Whether an endpoint has asked for such events from that moment on, whenever they were told."""
        versions = self._endpoints.get(endpoint_id, [])
        before = [each for at, each in versions if at < since][-1:]
        after = [each for at, each in versions if at >= since]
        return bool(before) and all(
            each.get("status", "enabled") == "enabled"
            and any(fnmatchcase(kind, pattern) for pattern in each["events"])
            and each.get("told_from", "") <= since
            for each in (*before, *after)
        )

    def _violated(self, what: str) -> None:
        self.violations.append(f"at {self._now():.3f}: {what}")

    def _moved(self, kind: str, old: Item | None, new: Item) -> None:
        before = str(old["status"]) if old else NEW
        after = str(new["status"])
        name = f"{kind} {new['pk']}"
        version = old["version"] if old else 0
        if new["version"] != version + 1:
            self._violated(f"{name} went from version {version} to {new['version']}")
        is_step = before != after or _progress(kind, old) != _progress(kind, new)
        if is_step and (before, after) not in MAY_FOLLOW[kind]:
            self._violated(f"{name} went from {before} to {after}")
        for rule in (_within_bounds, _never_changed, _as_status_allows):
            if broken := rule(kind, old, new):
                self._violated(f"{name}: {broken}")
        if is_step:
            self._expect_step(kind, old, new)

    def _expect_made(self, kind: str, new: Item) -> None:
        verb = {"wallet": "opened", "deposit": "completed"}.get(kind) or new["status"]
        self._expect(Told(f"{kind}.{verb}", new["pk"], new["version"]))

    def _expect_step(self, kind: str, old: Item | None, new: Item) -> None:
        if kind == "account":
            if old is None or not new["pk"].startswith("wallet:"):
                return
            verb = {"active": "unfrozen"}.get(new["status"], new["status"])
            self._expect(Told(f"wallet.{verb}", new["pk"].partition(":")[2], new["version"]))
            return
        subject = new["id"] if kind != "payment" else new["pk"]
        self._expect(Told(f"{kind}.{new['status']}", subject, new["version"]))

    def _expect(self, told: Told) -> None:
        if told in self.expected:
            self._violated(f"{told}: it happened twice")
        self.expected[told] = self._number


def _progress(kind: str, item: Item | None) -> Any:
    """What tells two steps with the same status apart: attempts, and refunds."""
    if item is None or kind != "payment":
        return None
    return item.get("refunded", 0), len(item["attempts"])


def _within_bounds(kind: str, old: Item | None, new: Item) -> str | None:
    if kind == "account" and min(new["available"], new["held"]) < 0:
        return f"{new['available']} available, {new['held']} held"
    if kind == "payment" and not 0 <= new.get("refunded", 0) <= new.get("captured", 0) <= new["amount"]:
        return f"refunded {new.get('refunded')}, captured {new.get('captured')} of {new['amount']}"
    return None


def _as_status_allows(kind: str, old: Item | None, new: Item) -> str | None:
    """What a status keeps from happening that is no transition."""
    if old is None:
        return None
    if kind == "account":
        if old["status"] == "frozen" and new["available"] < old["available"]:
            return f"spent {old['available'] - new['available']} while it was frozen"
        if new["status"] == "closed" != old["status"] and (new["available"] or new["held"]):
            return f"was closed with {new['available']} available and {new['held']} held"
    if kind == "payment" and old["status"] == "authorized" and not old.get("pending"):
        asked = (new.get("pending") or {}).get("kind") == "capture"
        if (asked or new["status"] == "captured") and new["updated_at"] >= old["expires_at"]:
            return f"was captured at {new['updated_at']}, and expired at {old['expires_at']}"
    return None


_FIXED: Final[Mapping[str, tuple[str, ...]]] = {
    "payment": ("amount", "currency", "capture", "merchant_id", "order_id", "fee_plan", "created_at"),
    "refund": ("amount", "currency", "fingerprint", "created_at"),
    "topup": ("amount", "currency", "wallet", "fingerprint", "created_at"),
    "payout": ("amount", "currency", "bank_account", "attempt_id", "fingerprint", "created_at"),
    "settlement": ("merchant_id", "currency", "window"),
    "account": ("currency", "holder"),
}


def _never_changed(kind: str, old: Item | None, new: Item) -> str | None:
    if old is None:
        return None
    for name in _FIXED[kind]:
        if old.get(name) != new.get(name):
            return f"{name} changed from {old.get(name)} to {new.get(name)}"
    if kind == "payment" and old.get("captured") and old["captured"] != new.get("captured"):
        return f"captured changed from {old['captured']} to {new.get('captured')}"
    if kind == "settlement" and old["status"] != "open":
        sums = ("payments", "captured", "refunds", "refunded", "fees")
        if any(old.get(name) != new.get(name) for name in sums):
            return f"was counted for after it was {old['status']}"
    return None
