"""The one declaration of what Tael needs from its cloud: capabilities, tables, queues and streams."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CAPABILITIES = (
    *("merchants", "wallets", "payments", "cards", "topups"),
    *("settlement", "payouts", "accounts", "webhooks"),
)
"""Every capability: a folder under `functions/`, an image, and a service of its own."""


@dataclass(frozen=True, slots=True)
class Index:
    """A KEYS_ONLY global secondary index; both keys are strings that never change."""

    name: str
    partition: str
    sort: str


@dataclass(frozen=True, slots=True)
class Table:
    """An on-demand DynamoDB table with the string key `pk`, and `sk` where it has a sort key.

    `writer` is the only package whose code may write it (design rule: one writer per table).
    """

    name: str
    writer: str
    sort_key: bool = False
    indexes: tuple[Index, ...] = ()
    expires: bool = False
    """Whether items are removed some time after the moment in their attribute `ttl`, in epoch seconds."""


FUNCTION_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Queue:
    """A standard SQS queue with a dead-letter queue, and the one function that consumes it.

    A message that is being handled must not be delivered again meanwhile: AWS asks for six times the
    function's timeout (Lambda Developer Guide, "Configuring a queue"), and any batching window on top.
    """

    name: str
    consumer: str
    subscribes: tuple[str, ...] = ()
    """Patterns of types of events that are sent to it, whoever tells them: `payment.captured`, `*`."""
    visibility_seconds: int = 6 * FUNCTION_TIMEOUT_SECONDS
    max_receives: int = 5

    @property
    def dead_letter(self) -> str:
        """Where a message goes after its receives."""
        return f"{self.name}-dlq"


@dataclass(frozen=True, slots=True)
class Stream:
    """The stream of a table's changes, with old and new images, and the function that is told of them."""

    table: str
    handler: str
    only: Mapping[str, Any] | None = field(default=None, hash=False)
    """What the keys of the items must be like whose changes it is told of, in the words of Lambda's filters.

    Outside Lambda it is told of all, and passes by what is nothing to it.
    """

    @property
    def failures(self) -> str:
        """The queue for changes that were given up, outside Lambda."""
        return f"{self.table}-failures"


@dataclass(frozen=True, slots=True)
class Key:
    """A symmetric KMS key with the alias `alias/tael-<stage>-<name>`, and the capabilities that may use it.

    `makers` may have it make data keys (kms:GenerateDataKey), `readers` unwrap them (kms:Decrypt).
    """

    name: str
    makers: tuple[str, ...]
    readers: tuple[str, ...]


SETTLEMENT_WINDOW_SECONDS = 2
"""How long the consumer of `settlement-lines` gathers a batch."""
LIST_INDEX = Index("list", "list_pk", "list_sk")

TABLES = (
    Table("principals", writer="functions.merchants", sort_key=True, indexes=(LIST_INDEX,)),
    Table("wallets", writer="functions.wallets", indexes=(LIST_INDEX,)),
    Table(
        "payments",
        writer="functions.payments",
        sort_key=True,
        indexes=(LIST_INDEX, Index("due", "due_pk", "due_sk")),
    ),
    Table("vault", writer="functions.cards"),
    Table("topups", writer="functions.topups", indexes=(LIST_INDEX,)),
    Table(
        "settlements",
        writer="functions.settlement",
        sort_key=True,
        indexes=(
            LIST_INDEX,
            Index("due", "due_pk", "due_sk"),
            Index("unreleased", "unreleased_pk", "unreleased_sk"),
        ),
    ),
    Table("payouts", writer="functions.payouts", indexes=(LIST_INDEX,)),
    Table("rollups", writer="functions.accounts", sort_key=True),
    Table(
        "webhooks",
        writer="functions.webhooks",
        sort_key=True,
        indexes=(LIST_INDEX, Index("due", "due_pk", "due_sk")),
        expires=True,
    ),
    Table("ledger", writer="ledger", sort_key=True),
    Table("checkpoints", writer="runtime"),
)

QUEUES = (
    Queue("payment-resolutions", consumer="functions.payments.app.resolve"),
    Queue("topup-resolutions", consumer="functions.topups.app.resolve"),
    Queue("payout-resolutions", consumer="functions.payouts.app.resolve"),
    Queue(
        "settlement-lines",
        consumer="functions.settlement.app.collect",
        subscribes=("payment.captured", "refund.succeeded"),
        visibility_seconds=6 * FUNCTION_TIMEOUT_SECONDS + SETTLEMENT_WINDOW_SECONDS,
    ),
    Queue("webhook-events", consumer="functions.webhooks.app.record", subscribes=("*",)),
    Queue("webhook-deliveries", consumer="functions.webhooks.app.deliver"),
    Queue("webhook-slow-deliveries", consumer="functions.webhooks.app.deliver_slowly"),
)

STREAMS = (
    Stream("wallets", handler="functions.wallets.app.publish"),
    Stream("payments", handler="functions.payments.app.publish"),
    Stream("topups", handler="functions.topups.app.publish"),
    Stream("settlements", handler="functions.settlement.app.publish"),
    Stream("payouts", handler="functions.payouts.app.publish"),
    Stream("ledger", handler="functions.accounts.app.roll_up"),
    # DynamoDB lets two read a stream at once, and no more.
    Stream(
        "ledger",
        handler="functions.wallets.app.publish_status",
        only={"pk": {"S": [{"prefix": "wallet:"}]}, "sk": {"S": ["ACCOUNT"]}},
    ),
)

EVENT_TYPES = (
    *("wallet.opened", "wallet.frozen", "wallet.unfrozen", "wallet.closed"),
    *("deposit.completed", "transfer.completed", "transfer.failed"),
    *("payment.processing", "payment.authorized", "payment.captured", "payment.failed", "payment.canceled"),
    *("payment.partially_refunded", "payment.refunded"),
    *("refund.pending", "refund.succeeded", "refund.failed"),
    *("topup.processing", "topup.succeeded", "topup.failed"),
    *("settlement.open", "settlement.closed", "settlement.released"),
    *("payout.processing", "payout.in_transit", "payout.paid", "payout.returned", "payout.failed"),
    "webhook_endpoint.disabled",
)
"""Every type of event that a capability tells: what every function has in TAEL_EVENT_TYPES."""


def subscriptions() -> dict[str, list[str]]:
    """Type of an event -> the queues that are told of it: what every function has in TAEL_SUBSCRIPTIONS."""
    told: dict[str, list[str]] = {}
    for queue in QUEUES:
        for kind in queue.subscribes:
            told.setdefault(kind, []).append(queue.name)
    return told


VAULT_KEY = Key("vault", makers=("cards",), readers=("cards", "payments", "topups"))
KEYS = (VAULT_KEY,)
