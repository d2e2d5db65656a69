"""Owns what is particular to transactions: their limits, the reasons of a cancellation, and the tokens."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from tests.simulation.aws import reads, requests
from tests.simulation.aws.errors import VALIDATION, refusal
from tests.simulation.aws.requests import Failed, Request
from tests.simulation.aws.tables import Place, TableState
from tests.simulation.aws.values import Invalid, Item, Unfit

OPERATION: Final = "TransactWriteItems"
CONFLICT: Final = "Transaction is ongoing for the item"
MAX_MEMBERS: Final = 100
MAX_BYTES: Final = 4 * 1024 * 1024
MAX_TOKEN_LENGTH: Final = 36
TOKEN_SECONDS: Final = 600.0

Member = Mapping[str, Any]
Reason = dict[str, Any]
Outcome = tuple[Item | None, int]
"""What is left of an item, and its bytes."""


class Succeeded:
    """The transactions that succeeded with a token, while it is remembered."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: dict[str, tuple[float, Sequence[Member], dict[str, float]]] = {}
        """Until when, the members, and the read units by table that it takes to tell of it again."""

    def find(self, token: str | None, members: Sequence[Member]) -> dict[str, float] | None:
        """What it takes to tell of such a transaction again; None if there was none.

        Raises IdempotentParameterMismatchException for another transaction with the same token.
        """
        now = self._now()
        while self._kept:
            oldest = next(iter(self._kept))
            if self._kept[oldest][0] > now:
                break
            del self._kept[oldest]
        if token is None or token not in self._kept:
            return None
        _, before, price = self._kept[token]
        if before != members:
            code = "IdempotentParameterMismatchException"
            raise refusal(OPERATION, code, "Request token already in use for another request")
        return price

    def keep(self, token: str, members: Sequence[Member], written: Iterable[tuple[Request, int]]) -> None:
        """Remember a transaction, with the bytes of each item."""
        price: dict[str, float] = {}
        for request, size in written:
            name = request.table.name
            price[name] = price.get(name, 0.0) + 2 * reads.read_units(size, as_of_now=True)
        self._kept[token] = (self._now() + TOKEN_SECONDS, members, price)


def require_size(members: Sequence[Member], token: str | None) -> None:
    """Refuse too many members, or none, and a token that is too long."""
    if not 1 <= len(members) <= MAX_MEMBERS:
        raise refusal(OPERATION, VALIDATION, f"TransactItems has 1 to {MAX_MEMBERS} members")
    if token is not None and not 1 <= len(token) <= MAX_TOKEN_LENGTH:
        raise refusal(OPERATION, VALIDATION, f"ClientRequestToken has 1 to {MAX_TOKEN_LENGTH} characters")


def computed(transaction: Sequence[Request], locked: Collection[Place]) -> list[Outcome]:
    """What each member leaves, if all of them can be executed. Raises a ClientError."""
    if len({request.place for request in transaction}) < len(transaction):
        message = "Transaction request cannot include multiple operations on one item"
        raise refusal(OPERATION, VALIDATION, message)
    reasons: list[Reason | None] = []
    outcomes: list[Outcome] = []
    for request in transaction:
        reason: Reason | None = None
        try:
            if locked and request.place in locked:
                reason = {"Code": "TransactionConflict", "Message": CONFLICT}
            else:
                request.check()
                outcomes.append(request.outcome())
        except Failed as error:
            reason = {"Code": "ConditionalCheckFailed", "Message": str(error), **error.told()}
        except Unfit as error:
            reason = {"Code": "ValidationError", "Message": str(error)}
        except Invalid as error:
            raise refusal(OPERATION, VALIDATION, str(error)) from None
        reasons.append(reason)
    if any(reasons):
        raise _cancelled(reasons)
    return outcomes


def larger(request: Request, outcome: Outcome) -> int:
    """The bytes of an item before or after, whichever is more."""
    return max(outcome[1], request.table.sizes.get(request.key, 0))


def read(table_of: Callable[[str, Member], TableState], members: Sequence[Member]) -> list[Request]:
    """The members, each of them valid by itself. Raises a ClientError."""
    transaction: list[Request] = []
    unfit: dict[int, Reason | None] = {}
    for number, member in enumerate(members):
        ((kind, asked),) = member.items()
        try:
            transaction.append(requests.read(kind, table_of(OPERATION, asked), asked))
        except Invalid as error:
            raise refusal(OPERATION, VALIDATION, str(error)) from None
        except Unfit as error:
            unfit[number] = {"Code": "ValidationError", "Message": str(error)}
    if unfit:
        raise _cancelled([unfit.get(number) for number in range(len(members))])
    if sum(request.size for request in transaction) > MAX_BYTES:
        raise refusal(OPERATION, VALIDATION, f"Transaction payload size cannot exceed {MAX_BYTES} bytes")
    return transaction


def _cancelled(reasons: Sequence[Reason | None]) -> ClientError:
    told = [reason or {"Code": "None"} for reason in reasons]
    codes = ", ".join(reason["Code"] for reason in told)
    return refusal(
        OPERATION,
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        CancellationReasons=told,
    )
