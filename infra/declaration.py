"""The one declaration of what Tael needs from its cloud: capabilities, tables and who writes them."""

from dataclasses import dataclass

CAPABILITIES = ("merchants", "wallets", "payments", "accounts")
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
    Table("ledger", writer="ledger", sort_key=True),
)
