"""Makes requests to DynamoDB at random, over few keys, so that most of them meet what others left.

What the embedded engine (MiniStack 1.5.33) is known to do otherwise than DynamoDB is not asked for: it takes
two attributes that are missing for equal; it lets one update set an attribute twice; SET counts with texts as
if they were numbers, loses digits beyond the 28th and keeps numbers as they were written (4.50, 2.5e3); a
batch has no price; writes that change nothing show in the stream; reads of more than 4 KB cost no more.
"""

import re
from collections.abc import Callable
from random import Random
from typing import Any

from chassis import attributes, writes
from chassis.attributes import Item
from chassis.config import table_name
from chassis.writes import Write
from infra.declaration import LIST_INDEX, Index, Table

PAIRS = Table("pairs", "tests", sort_key=True, indexes=(LIST_INDEX, Index("due", "due_pk", "due_sk")))
SINGLES = Table("singles", "tests", indexes=(LIST_INDEX,))
TABLES = (PAIRS, SINGLES)

TEXTS = ("open", "closed", "ünïcode", "a", "b")
NUMBERS = ("0", "1", "7", "-12", "1250", "100000")
ODD_NUMBERS = ("1.50", "2.5e3", "9" * 38)
"""For comparisons only: the sums that the engine makes of these are not what DynamoDB gives."""
COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")
NUMERIC = ("amount", "held", "version")
TEXTUAL = ("status", "note")

Call = tuple[str, dict[str, Any]]
"""A client's method and its parameters."""


class Requested:
    """Requests in the order in which they are asked for; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = Random(seed)
        self._made = 0

    def next(self) -> Call:
        """Any request."""
        makers: list[Callable[[], Call]] = [
            *([self._single] * 6),
            *([self._transaction] * 4),
            *(self._get, self._batch, self._query, self._query, self._query_index, self._query_index),
        ]
        return self._random.choice(makers)()

    def _table(self) -> Table:
        return self._random.choice(TABLES)

    def _key(self, table: Table) -> dict[str, str]:
        key = {"pk": f"p{self._random.randrange(3)}"}
        return {**key, "sk": f"s{self._random.randrange(4)}"} if table.sort_key else key

    def _single(self) -> Call:
        kind, member = self._member()
        if kind == "ConditionCheck":
            return self._single()
        member["ReturnConsumedCapacity"] = "TOTAL"
        if self._random.random() < 0.3:
            member["ReturnValues"] = "ALL_OLD"
        return {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[kind], member

    def _transaction(self) -> Call:
        members = [dict([self._member()]) for _ in range(self._random.choice((1, 2, 2, 3, 5)))]
        self._made += 1
        # Now and then the token of an earlier transaction, which had other members.
        number = self._made if self._random.random() < 0.6 else self._random.randrange(self._made)
        return "transact_write_items", {
            "TransactItems": members,
            "ClientRequestToken": f"{self._seed}-{number}",
            "ReturnConsumedCapacity": "TOTAL",
        }

    def _member(self) -> tuple[str, dict[str, Any]]:
        if self._random.random() < 0.5:
            write = self._write()
            return "Put" if write.item is not None else "Update", write.request()
        return self._raw()

    def _write(self) -> Write:
        """What the ledger and the capabilities would write."""
        table = self._table()
        key = self._key(table)
        conditions = self._random.sample(self._conditions(), k=self._random.randrange(3))
        match self._random.randrange(4):
            case 0:
                made = writes.put(table.name, key, self._item(), writes.ABSENT, refused=_refused)
            case 1:
                version = self._random.randrange(1, 4)
                made = writes.replace_version(table.name, key, self._item(), version, refused=_refused)
            case 2:
                made = writes.update(
                    table.name, key, *conditions, refused=_refused, add={"amount": -5}, assign={"note": "u"}
                )
            case _:
                made = writes.upsert(
                    table.name,
                    key,
                    *(writes.absent_or(condition) for condition in conditions),
                    refused=_refused,
                    initial={"status": "open", "list_pk": "l0", "list_sk": "initial"},
                    assign={"note": "x" * self._random.choice((1, 10, 1200))},
                    add={"held": 3},
                )
        return made.stamped(f"op{self._random.randrange(5)}") if self._random.random() < 0.3 else made

    def _conditions(self) -> list[writes.Condition]:
        return [
            writes.equals("status", self._random.choice(TEXTS)),
            writes.at_least("amount", self._random.randrange(-20, 20)),
            writes.at_most("note", self._random.choice(TEXTS)),
            writes.one_of("status", TEXTS[:2]),
            writes.ABSENT,
        ]

    def _item(self) -> Item:
        item: Item = {"status": self._random.choice(TEXTS), "amount": self._random.randrange(-50, 5000)}
        if self._random.random() < 0.5:
            item |= {"list_pk": f"l{self._random.randrange(2)}", "list_sk": self._random.choice(TEXTS)}
        if self._random.random() < 0.4:
            item |= {"due_pk": "d", "due_sk": f"{self._random.randrange(9)}"}
        if self._random.random() < 0.3:
            item["nested"] = {"list": ["x", 2, True, {"deep": "y" * self._random.choice((1, 1100))}]}
        return item

    def _raw(self) -> tuple[str, dict[str, Any]]:
        """What else the language can say."""
        table = self._table()
        kind = self._random.choice(("Put", "Update", "Update", "Delete", "ConditionCheck"))
        values: dict[str, Any] = {}
        request: dict[str, Any] = {"TableName": table_name(table.name)}
        key = attributes.encode(self._key(table))
        request |= {"Item": {**key, **attributes.encode(self._item())}} if kind == "Put" else {"Key": key}
        texts = {}
        if kind == "Update":
            texts["UpdateExpression"] = self._update(values)
        if kind == "ConditionCheck" or self._random.random() < 0.6:
            texts["ConditionExpression"] = self._condition(values, depth=2)
        if self._random.random() < 0.7:
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        words = " ".join(texts.values())
        names = {f"#{name}": name for name in re.findall(r"#(\w+)", words)}
        used = {value: values[value] for value in re.findall(r":\w+", words)}
        request |= {"ExpressionAttributeNames": names} if names else {}
        return kind, request | texts | ({"ExpressionAttributeValues": used} if used else {})

    def _value(self, values: dict[str, Any], kind: str = "") -> str:
        placeholder = f":v{len(values)}"
        text = {"S": self._random.choice(TEXTS)}
        number = {"N": self._random.choice(NUMBERS if kind else NUMBERS + ODD_NUMBERS)}
        values[placeholder] = {"S": text, "N": number}.get(kind) or self._random.choice((text, number))
        return placeholder

    def _update(self, values: dict[str, Any]) -> str:
        one, other, third = (f"#{name}" for name in self._random.sample(NUMERIC, k=3))
        text, copied = (f"#{name}" for name in self._random.sample(TEXTUAL, k=2))
        value = self._value(values, "N")
        return self._random.choice(
            (
                f"SET {one} = {other} + {value}",
                f"SET {one} = if_not_exists({other}, {value}) - {third}",
                f"SET {one} = if_not_exists({other}, {value}), {text} = {copied}",
                f"ADD {one} {value} SET {text} = {copied}",
                f"REMOVE {one}, {text} ADD {third} {value}",
                f"ADD {text} {value}",
                f"SET #nested = {copied}, {one} = {value}",
                f"set {one} = {value} remove {text}",
            )
        )

    def _condition(self, values: dict[str, Any], depth: int) -> str:
        if depth and self._random.random() < 0.5:
            one, other = (self._condition(values, depth - 1) for _ in range(2))
            texts = (f"{one} AND {other}", f"{one} OR {other}", f"NOT {one}  AND ( {other} OR {one} )")
            return self._random.choice(texts)
        name, text = (
            f"#{self._random.choice(names)}" for names in ((*NUMERIC, "note"), ("status", "absent"))
        )
        bounds = self._value(values, "N"), self._value(values, "N")
        comparator = self._random.choice(COMPARATORS)
        # Two attributes that are missing are equal to the engine, which to DynamoDB they are not.
        both = comparator not in {"=", "<>"} and self._random.random() < 0.4
        right = "#amount" if both else self._value(values)
        return self._random.choice(
            (
                f"attribute_exists({text})",
                f"attribute_not_exists({name})",
                f"begins_with(#op, {self._value(values, 'S')})",
                f"contains({name}, {self._value(values, 'S')})",
                f"{text} IN ({self._value(values)}, {self._value(values)})",
                f"{name} BETWEEN {bounds[0]} AND {bounds[1]}",
                *[f"{name} {comparator} {right}"] * 4,
            )
        )

    def _get(self) -> Call:
        table = self._table()
        return "get_item", {
            "TableName": table_name(table.name),
            "Key": attributes.encode(self._key(table)),
            "ConsistentRead": self._random.random() < 0.5,
            "ReturnConsumedCapacity": "TOTAL",
        }

    def _batch(self) -> Call:
        keys: dict[str, Any] = {}
        for table in TABLES:
            distinct = {tuple(key.items()) for key in (self._key(table) for _ in range(3))}
            encoded = [attributes.encode(dict(key)) for key in sorted(distinct)]
            keys[table_name(table.name)] = {"Keys": encoded, "ConsistentRead": True}
        return "batch_get_item", {"RequestItems": keys}

    def _query(self) -> Call:
        return "query", {
            **self._page(PAIRS, "pk", f"p{self._random.randrange(4)}", "sk", ("s0", "s2", "s9")),
            "ConsistentRead": True,
        }

    def _query_index(self) -> Call:
        table = self._table()
        return "query", {
            **self._page(table, "list_pk", f"l{self._random.randrange(2)}", "list_sk", ("a", "c", "z")),
            "IndexName": "list",
        }

    def _page(
        self, table: Table, partition: str, value: str, sort: str, bounds: tuple[str, ...]
    ) -> dict[str, Any]:
        low, high = sorted(self._random.sample(bounds, 2))
        condition, values = self._random.choice(
            (
                ("#p = :p", {}),
                ("#p = :p AND #s BETWEEN :low AND :high", {":low": low, ":high": high}),
                ("#p = :p AND #s >= :low", {":low": low}),
                ("#p = :p AND #s > :low", {":low": low}),
                ("#p = :p AND #s < :high", {":high": high}),
                ("#p = :p AND #s <= :high", {":high": high}),
                ("#p = :p AND begins_with(#s, :low)", {":low": low[0]}),
            )
        )
        return {
            "TableName": table_name(table.name),
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {"#p": partition, **({"#s": sort} if values else {})},
            "ExpressionAttributeValues": attributes.encode({":p": value, **values}),
            "ScanIndexForward": self._random.random() < 0.5,
            "Limit": self._random.choice((1, 2, 3, 50)),
            "ReturnConsumedCapacity": "TOTAL",
        }


def _refused(_: Item | None) -> Exception:
    return AssertionError("nobody commits these")
