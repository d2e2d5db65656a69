"""What every function may do and needs to know: the only source of its role and its environment."""

from dataclasses import dataclass
from typing import Literal

Service = Literal["dynamodb", "sqs", "kms", "secretsmanager"]


@dataclass(frozen=True, slots=True)
class Grant:
    """Exactly these actions on exactly this resource, by its declared name."""

    service: Service
    resource: str
    """A table, an index as `payments/list`, a queue, a key, or the setting whose value is a secret."""
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that is no secret, as `chassis.config` names it."""

    name: str


Needs = tuple[Grant | Setting, ...]


def table(name: str, *actions: str) -> Grant:
    """On the table itself. A transaction takes what its members take: IAM has no action for it."""
    return Grant("dynamodb", name, actions)


def index(of: str, name: str, *actions: str) -> Grant:
    """On an index of a table, which gives keys only."""
    return Grant("dynamodb", f"{of}/{name}", actions)


def send(*queues: str) -> Needs:
    """Sending to queues, whose addresses are asked for first."""
    return tuple(Grant("sqs", queue, ("GetQueueUrl", "SendMessage")) for queue in queues)


def vault_key(*actions: str) -> Needs:
    """The key that wraps the data keys of card numbers."""
    return (Grant("kms", "vault", actions), Setting("card_key"))


def secret(setting: str) -> Grant:
    """The value of a setting that is a secret."""
    return Grant("secretsmanager", setting, ("GetSecretValue",))


CALLER: Needs = (table("principals", "BatchGetItem"), secret("platform_key"), secret("peppers"))
"""To find out who calls: every function that answers HTTP."""
TELLING: Needs = (Setting("subscriptions"), *send("webhook-events"))
"""To tell events of which only webhooks want to know."""
LANES: Needs = send("webhook-deliveries", "webhook-slow-deliveries")
ACQUIRER = Setting("acquirer_url")
BANK = Setting("bank_url")

_PAYMENT_MESSAGES: Needs = (*TELLING, *send("payment-resolutions", "settlement-lines"))
_TOPUP_MESSAGES: Needs = (*TELLING, *send("topup-resolutions"))
_PAYOUT_MESSAGES: Needs = (*TELLING, *send("payout-resolutions"))
_PAYOUT_ENDS: Needs = (
    table("payouts", "GetItem", "PutItem"),
    table("ledger", "PutItem", "UpdateItem"),
    *send("payout-resolutions"),
    BANK,
)
_DELIVERY: Needs = (
    table("webhooks", "BatchGetItem", "GetItem", "PutItem"),
    *LANES,
    *TELLING,
    secret("webhook_key"),
)

GRANTS: dict[str, Needs] = {
    "pages": (),
    "merchants": (
        *CALLER,
        table("principals", "GetItem", "PutItem", "UpdateItem"),
        index("principals", "list", "Query"),
    ),
    "wallets": (
        *CALLER,
        table("wallets", "BatchGetItem", "GetItem", "PutItem"),
        index("wallets", "list", "Query"),
        table("ledger", "BatchGetItem", "PutItem", "Query", "UpdateItem"),
    ),
    "wallets.publish": (table("ledger", "BatchGetItem"), *TELLING),
    "wallets.publish_status": (table("wallets", "BatchGetItem"), *TELLING),
    "wallets.republish": (table("wallets", "Scan"), table("ledger", "BatchGetItem"), *TELLING),
    "payments": (
        *CALLER,
        table("payments", "BatchGetItem", "GetItem", "PutItem", "Query"),
        index("payments", "list", "Query"),
        table("ledger", "PutItem", "UpdateItem"),
        table("vault", "GetItem"),
        *vault_key("Decrypt"),
        ACQUIRER,
    ),
    "payments.resolve": (
        table("payments", "GetItem", "PutItem"),
        table("ledger", "PutItem"),
        *send("payment-resolutions"),
        ACQUIRER,
    ),
    "payments.publish": _PAYMENT_MESSAGES,
    "payments.expire": (
        index("payments", "due", "Query"),
        table("payments", "BatchGetItem", "PutItem"),
        table("ledger", "UpdateItem"),
        ACQUIRER,
    ),
    "payments.republish": (table("payments", "Scan"), *_PAYMENT_MESSAGES),
    "cards": (
        *CALLER,
        table("vault", "BatchGetItem", "GetItem", "PutItem", "UpdateItem"),
        *vault_key("Decrypt", "GenerateDataKey"),
        secret("fingerprint_key"),
        ACQUIRER,
    ),
    "topups": (
        *CALLER,
        table("topups", "BatchGetItem", "GetItem", "PutItem"),
        index("topups", "list", "Query"),
        table("ledger", "BatchGetItem", "PutItem", "UpdateItem"),
        table("vault", "GetItem"),
        *vault_key("Decrypt"),
        ACQUIRER,
    ),
    "topups.resolve": (
        table("topups", "GetItem", "PutItem"),
        table("ledger", "PutItem", "UpdateItem"),
        *send("topup-resolutions"),
        ACQUIRER,
    ),
    "topups.publish": _TOPUP_MESSAGES,
    "topups.republish": (table("topups", "Scan"), *_TOPUP_MESSAGES),
    "settlement": (
        *CALLER,
        table("settlements", "BatchGetItem", "Query"),
        index("settlements", "list", "Query"),
        index("settlements", "unreleased", "Query"),
        table("ledger", "BatchGetItem"),
    ),
    "settlement.collect": (table("settlements", "BatchGetItem", "PutItem", "UpdateItem"),),
    "settlement.publish": TELLING,
    "settlement.settle": (
        index("settlements", "due", "Query"),
        table("settlements", "BatchGetItem", "GetItem", "PutItem"),
        table("ledger", "PutItem", "UpdateItem"),
    ),
    "settlement.republish": (
        index("settlements", "list", "Scan"),
        table("settlements", "BatchGetItem"),
        *TELLING,
    ),
    "payouts": (
        *CALLER,
        table("payouts", "BatchGetItem", "GetItem", "PutItem"),
        index("payouts", "list", "Query"),
        table("ledger", "PutItem", "UpdateItem"),
        BANK,
    ),
    "payouts.resolve": _PAYOUT_ENDS,
    "payouts.publish": _PAYOUT_MESSAGES,
    "payouts.reconcile": _PAYOUT_ENDS,
    "payouts.republish": (table("payouts", "Scan"), *_PAYOUT_MESSAGES),
    "accounts": (*CALLER, table("ledger", "GetItem", "Query", "Scan"), table("rollups", "Query")),
    "accounts.roll_up": (table("rollups", "GetItem", "PutItem", "UpdateItem"),),
    "accounts.rebuild": (table("ledger", "Scan"), table("rollups", "Scan", "UpdateItem")),
    "webhooks": (
        *CALLER,
        table("webhooks", "BatchGetItem", "GetItem", "PutItem", "Query"),
        index("webhooks", "list", "Query"),
        *LANES,
        secret("webhook_key"),
        Setting("event_types"),
    ),
    "webhooks.record": (table("webhooks", "BatchGetItem", "PutItem", "Query"), *LANES),
    "webhooks.deliver": _DELIVERY,
    "webhooks.deliver_slowly": _DELIVERY,
    "webhooks.retry": (
        index("webhooks", "due", "Query"),
        table("webhooks", "BatchGetItem"),
        *LANES,
    ),
}
"""Function -> its needs, beside what any function of its kind has: its log, its traces, its feed."""


def granted(function: str) -> tuple[Grant, ...]:
    """What a function may do, each resource once."""
    merged: dict[tuple[Service, str], dict[str, None]] = {}
    for need in GRANTS[function]:
        if isinstance(need, Grant):
            merged.setdefault((need.service, need.resource), {}).update(dict.fromkeys(need.actions))
    return tuple(
        Grant(service, resource, tuple(sorted(actions)))
        for (service, resource), actions in sorted(merged.items())
    )


def settings(function: str) -> tuple[str, ...]:
    """What a function has in its environment, beside its secrets."""
    return tuple(dict.fromkeys(need.name for need in GRANTS[function] if isinstance(need, Setting)))
