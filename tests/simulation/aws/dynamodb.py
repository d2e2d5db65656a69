"""Owns DynamoDB as a model: its calls, its errors, its prices, and the changes that it tells of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chassis import config
from infra.declaration import Table
from tests.simulation.aws import reads, requests, transactions
from tests.simulation.aws.errors import VALIDATION, refusal
from tests.simulation.aws.requests import Failed, Request
from tests.simulation.aws.tables import Place, TableState, write_units
from tests.simulation.aws.transactions import CONFLICT, Succeeded
from tests.simulation.aws.values import Invalid, Item, Unfit

FIRST_SEQUENCE_NUMBER: Final = 10**20
_TRANSACTION: Final = {"TransactItems", "ClientRequestToken", "ReturnConsumedCapacity"}
_OF_THE_CALL: Final = {"ReturnConsumedCapacity", "ReturnValues"}

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One committed change of one item."""

    table: str
    """As it is declared."""
    keys: Item
    old: Item | None
    new: Item | None
    sequence_number: str
    """21 digits, greater with every change of the whole database."""
    event_name: str


class Database:
    """Tables, and a client's methods on them, which take and give what boto3's do.

    `now` gives seconds; `lag` is asked once for each write: so many seconds later it shows in indexes and in
    reads that need not be consistent. Answers share their values with what is stored, and the members of a
    transaction with a token are kept: nobody may change either. `ResponseMetadata` is left out of answers.
    """

    def __init__(
        self,
        tables: Iterable[Table],
        now: Callable[[], float],
        *,
        lag: Callable[[], float] = lambda: 0.0,
        name_of: Callable[[str], str] = config.table_name,
    ) -> None:
        states = [TableState(table, name_of(table.name), now, lag) for table in tables]
        self.tables = {state.name: state for state in states}
        """By physical name."""
        self.on_change: Callable[[StreamRecord], None] | None = None
        self.locked: set[Place] = set()
        """Items in somebody's transaction that is under way: writes of others meet a conflict."""
        self._sequence_number = FIRST_SEQUENCE_NUMBER
        self._succeeded = Succeeded(now)

    def lock(self, transact_items: Sequence[Mapping[str, Any]]) -> None:
        """Begin a transaction, to be unlocked and then executed. Raises ValueError for items of another."""
        if self.is_locked(transact_items):
            raise ValueError("an item is in another transaction; have this one cancelled by executing it")
        self.locked.update(self._places(transact_items))

    def unlock(self, transact_items: Sequence[Mapping[str, Any]]) -> None:
        """End a transaction."""
        self.locked.difference_update(self._places(transact_items))

    def is_locked(self, transact_items: Sequence[Mapping[str, Any]]) -> bool:
        """Whether any of these items is in a transaction that is under way."""
        return bool(self.locked) and not self.locked.isdisjoint(self._places(transact_items))

    def _places(self, transact_items: Sequence[Mapping[str, Any]]) -> list[Place]:
        places = []
        for member in transact_items:
            ((kind, asked),) = member.items()
            key = asked["Item" if kind == "Put" else "Key"]
            pk, sk = (
                key["pk"]["S"],
                key["sk"]["S"] if self.tables[asked["TableName"]].declared.sort_key else None,
            )
            places.append((asked["TableName"], pk, sk))
        return places

    def put_item(self, **parameters: Any) -> Answer:
        return self._write("PutItem", "Put", parameters)

    def update_item(self, **parameters: Any) -> Answer:
        return self._write("UpdateItem", "Update", parameters)

    def delete_item(self, **parameters: Any) -> Answer:
        return self._write("DeleteItem", "Delete", parameters)

    def _write(self, operation: str, kind: str, parameters: dict[str, Any]) -> Answer:
        table = self._table(operation, parameters)
        told = parameters.get("ReturnValues", "NONE")
        if told not in {"NONE", "ALL_OLD"} and (told, kind) != ("ALL_NEW", "Update"):
            raise NotImplementedError(f"ReturnValues {told} of {operation}")
        own = {name: value for name, value in parameters.items() if name not in _OF_THE_CALL}
        try:
            request = requests.read(kind, table, own)
            if self.locked and request.place in self.locked:
                raise refusal(operation, "TransactionConflictException", CONFLICT)
            request.check()
            item, size = request.outcome()
        except (Invalid, Unfit) as error:
            raise refusal(operation, VALIDATION, str(error)) from None
        except Failed as error:
            raise refusal(operation, "ConditionalCheckFailedException", str(error), **error.told()) from None
        old = table.items.get(request.key)
        spent = self._apply(request, item, size)
        shown = old if told == "ALL_OLD" else item if told == "ALL_NEW" else None
        answer: Answer = {"Attributes": dict(shown)} if shown is not None else {}
        return _with_capacity(answer, parameters, {"TableName": table.name, "CapacityUnits": spent})

    def _apply(self, request: Request, item: Item | None, size: int) -> float:
        """Store the outcome and tell of the change; returns the write units."""
        table, key = request.table, request.key
        old = table.items.get(key)
        spent = write_units(max(size, table.sizes.get(key, 0)))
        if request.kind == "ConditionCheck":
            return float(spent)
        spent += table.write(key, item, size)
        if old != item and self.on_change is not None:
            self._sequence_number += 1
            event = "REMOVE" if item is None else "INSERT" if old is None else "MODIFY"
            image = item if item is not None else old
            keys = {name: image[name] for name in table.key_names} if image is not None else {}
            record = StreamRecord(table.declared.name, keys, old, item, str(self._sequence_number), event)
            self.on_change(record)
        return float(spent)

    def transact_write_items(self, **parameters: Any) -> Answer:
        reads.require_known(parameters, _TRANSACTION, transactions.OPERATION)
        members, token = parameters["TransactItems"], parameters.get("ClientRequestToken")
        transactions.require_size(members, token)
        transaction = transactions.read(self._table, members)
        again = self._succeeded.find(token, members)
        if again is not None:
            return _with_capacity({}, parameters, _by_table(again, "ReadCapacityUnits"))
        outcomes = transactions.computed(transaction, self.locked)
        sizes = [
            transactions.larger(request, outcome)
            for request, outcome in zip(transaction, outcomes, strict=True)
        ]
        spent: dict[str, Answer] = {}
        for request, size, (item, new_size) in zip(transaction, sizes, outcomes, strict=True):
            # What is written in a transaction is paid twice; what follows from it in the indexes is not.
            units = write_units(size)
            name = request.table.name
            paid = spent.setdefault(
                name, {"TableName": name, "CapacityUnits": 0.0, "WriteCapacityUnits": 0.0}
            )
            paid["WriteCapacityUnits"] += 2 * units
            paid["CapacityUnits"] += units + self._apply(request, item, new_size)
        if token is not None:
            self._succeeded.keep(token, members, zip(transaction, sizes, strict=True))
        return _with_capacity({}, parameters, list(spent.values()))

    def get_item(self, **parameters: Any) -> Answer:
        table = self._table("GetItem", parameters)
        item, spent = _valid("GetItem", reads.get, table, parameters)
        answer: Answer = {"Item": dict(item)} if item is not None else {}
        return _with_capacity(answer, parameters, {"TableName": table.name, "CapacityUnits": spent})

    def batch_get_item(self, **parameters: Any) -> Answer:
        operation = "BatchGetItem"
        reads.require_known(parameters, {"RequestItems", "ReturnConsumedCapacity"}, operation)
        asked = parameters["RequestItems"]
        if not 1 <= sum(len(part["Keys"]) for part in asked.values()) <= reads.BATCH_KEYS:
            raise refusal(operation, VALIDATION, f"A batch has 1 to {reads.BATCH_KEYS} keys")
        responses: dict[str, list[Item]] = {}
        spent: dict[str, float] = {}
        total = 0
        for name, part in asked.items():
            table = self._table(operation, {"TableName": name})
            responses[name], size, spent[name] = _valid(operation, reads.get_many, table, part)
            total += size
        if total > reads.BATCH_BYTES:
            raise NotImplementedError("a batch that is too large for one answer")
        answer: Answer = {"Responses": responses, "UnprocessedKeys": {}}
        return _with_capacity(answer, parameters, _by_table(spent))

    def query(self, **parameters: Any) -> Answer:
        return self._page("Query", reads.query, parameters)

    def scan(self, **parameters: Any) -> Answer:
        return self._page("Scan", reads.scan, parameters)

    def _page(self, operation: str, read: Callable[..., Any], parameters: dict[str, Any]) -> Answer:
        table = self._table(operation, parameters)
        answer, spent = _valid(operation, read, table, parameters)
        return _with_capacity(answer, parameters, {"TableName": table.name, "CapacityUnits": spent})

    def _table(self, operation: str, parameters: Mapping[str, Any]) -> TableState:
        table = self.tables.get(parameters["TableName"])
        if table is None:
            raise refusal(operation, "ResourceNotFoundException", "Requested resource not found")
        return table


def _valid(operation: str, read: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return read(*arguments)
    except Invalid as error:
        raise refusal(operation, VALIDATION, str(error)) from None


def _by_table(spent: Mapping[str, float], *also: str) -> list[Answer]:
    return [
        {"TableName": name, "CapacityUnits": units, **dict.fromkeys(also, units)}
        for name, units in spent.items()
    ]


def _with_capacity(answer: Answer, parameters: Mapping[str, Any], capacity: Any) -> Answer:
    asked = parameters.get("ReturnConsumedCapacity", "NONE")
    if asked not in {"NONE", "TOTAL"}:
        raise NotImplementedError(f"ReturnConsumedCapacity {asked}")
    if asked == "TOTAL":
        answer["ConsumedCapacity"] = capacity
    return answer
