"""Holds the model of DynamoDB to what the embedded engine has not got: conflicts, time, limits, prices."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.simulation.aws.conftest import Clock
from tests.simulation.aws.dynamodb import Database, StreamRecord
from tests.simulation.aws.requested import SINGLES, TABLES


@pytest.fixture
def database(clock: Clock) -> Database:
    return Database(TABLES, clock.now, name_of=str)


def key(pk: str = "p") -> dict[str, Any]:
    return {"TableName": SINGLES.name, "Key": {"pk": {"S": pk}}}


def item(pk: str = "p", **attributes: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, **{name: {"S": value} for name, value in attributes.items()}}


def put(pk: str = "p", **attributes: str) -> dict[str, Any]:
    return {"TableName": SINGLES.name, "Item": item(pk, **attributes)}


def add(pk: str = "p", amount: str = "1") -> dict[str, Any]:
    return {
        **key(pk),
        "UpdateExpression": "ADD #n :n",
        "ExpressionAttributeNames": {"#n": "n"},
        "ExpressionAttributeValues": {":n": {"N": amount}},
    }


def found(database: Database, pk: str = "p", **how: Any) -> Any:
    return database.get_item(**key(pk), **how).get("Item")


def refused(database: Database, call: str, **parameters: Any) -> ClientError:
    with pytest.raises(ClientError) as refusal:
        getattr(database, call)(**parameters)
    return refusal.value


def scanned(database: Database, **how: Any) -> list[str]:
    """The keys of all items, in an order of our own: that of a scan means nothing."""
    items = database.scan(TableName=SINGLES.name, **how)["Items"]
    return sorted(entry["pk"]["S"] for entry in items)


def code_of(database: Database, call: str, **parameters: Any) -> str:
    return str(refused(database, call, **parameters).response["Error"]["Code"])


@pytest.mark.parametrize(
    ("call", "parameters"), [("put_item", put()), ("update_item", add()), ("delete_item", key())]
)
def test_a_write_to_an_item_in_a_transaction_meets_a_conflict(
    database: Database, call: str, parameters: dict[str, Any]
) -> None:
    members = [{"Put": put("q")}, {"Update": add()}]
    database.lock(members)
    assert database.is_locked([{"ConditionCheck": key()}])
    assert code_of(database, call, **parameters) == "TransactionConflictException"
    assert found(database) is None  # whoever reads is not hindered
    database.unlock(members)
    getattr(database, call)(**parameters)


def test_a_transaction_is_cancelled_for_conflicts_and_conditions_alike(database: Database) -> None:
    database.put_item(**put("q"))
    database.lock([{"Put": put("p")}])
    absent = {"ConditionExpression": "attribute_not_exists(#pk)", "ExpressionAttributeNames": {"#pk": "pk"}}
    members = [{"Put": put("r")}, {"Put": put("p") | absent}, {"Put": put("q") | absent}]
    error = refused(database, "transact_write_items", TransactItems=members)
    codes = [reason["Code"] for reason in error.response["CancellationReasons"]]
    assert codes == ["None", "TransactionConflict", "ConditionalCheckFailed"]
    assert found(database, "r") is None
    with pytest.raises(ValueError, match="another transaction"):
        database.lock(members)


def test_a_token_makes_a_transaction_happen_once_for_ten_minutes(database: Database, clock: Clock) -> None:
    again = {
        "TransactItems": [{"Update": add()}],
        "ClientRequestToken": "t",
        "ReturnConsumedCapacity": "TOTAL",
    }
    assert database.transact_write_items(**again)["ConsumedCapacity"][0]["WriteCapacityUnits"] == 2
    clock.seconds += 599
    assert database.transact_write_items(**again)["ConsumedCapacity"][0]["ReadCapacityUnits"] == 2
    other = {**again, "TransactItems": [{"Update": add(amount="2")}]}
    assert code_of(database, "transact_write_items", **other) == "IdempotentParameterMismatchException"
    assert found(database)["n"] == {"N": "1"}
    clock.seconds += 1
    database.transact_write_items(**again)
    assert found(database)["n"] == {"N": "2"}


def test_a_token_of_a_cancelled_transaction_is_as_good_as_new(database: Database) -> None:
    again = {"TransactItems": [{"Update": add()}], "ClientRequestToken": "t"}
    database.lock(again["TransactItems"])  # type: ignore[arg-type] # mypy sees the token's type too
    assert code_of(database, "transact_write_items", **again) == "TransactionCanceledException"
    database.unlock(again["TransactItems"])  # type: ignore[arg-type] # as above
    database.transact_write_items(**again)
    assert found(database)["n"] == {"N": "1"}


def listed(database: Database) -> list[str]:
    request = {
        "KeyConditionExpression": "#p = :p",
        "ExpressionAttributeNames": {"#p": "list_pk"},
        "ExpressionAttributeValues": {":p": {"S": "l"}},
    }
    answer = database.query(TableName=SINGLES.name, IndexName="list", **request)
    return [entry["list_sk"]["S"] for entry in answer["Items"]]


def test_a_write_shows_late_in_indexes_and_in_reads_of_a_moment_ago(clock: Clock) -> None:
    lags = iter([5.0, 1.0, 0.0])
    database = Database(TABLES, clock.now, lag=lambda: next(lags), name_of=str)
    database.put_item(**put(list_pk="l", list_sk="1"))
    assert (found(database), listed(database)) == (None, [])
    assert found(database, ConsistentRead=True)["list_sk"] == {"S": "1"}
    clock.seconds += 1
    database.put_item(**put(list_pk="l", list_sk="2"))
    clock.seconds += 3.5
    # No replica has the second write before the first.
    assert (found(database), listed(database)) == (None, [])
    clock.seconds += 0.5
    assert (found(database)["list_sk"], listed(database)) == ({"S": "2"}, ["2"])
    database.delete_item(**key())
    assert (found(database), listed(database)) == (None, [])


def test_a_scan_of_a_moment_ago_has_what_was_deleted_since(clock: Clock) -> None:
    lag = 0.0
    database = Database(TABLES, clock.now, lag=lambda: lag, name_of=str)
    database.put_item(**put("p"))
    lag = 1.0
    database.delete_item(**key("p"))
    database.put_item(**put("q"))
    assert scanned(database) == ["p"]
    assert scanned(database, ConsistentRead=True) == ["q"]
    clock.seconds += 1
    assert scanned(database) == ["q"]


def test_pages_of_a_megabyte_lead_through_everything_once(database: Database) -> None:
    for number in range(9):
        database.put_item(**put(f"p{number}", note="x" * 300_000))
    name = SINGLES.name
    pages = [database.scan(TableName=name, ReturnConsumedCapacity="TOTAL")]
    while "LastEvaluatedKey" in pages[-1]:
        pages.append(database.scan(TableName=name, ExclusiveStartKey=pages[-1]["LastEvaluatedKey"]))
    assert [len(page["Items"]) for page in pages] == [3, 3, 3]
    assert (
        pages[0]["ConsumedCapacity"]["CapacityUnits"] == 110.0
    )  # 900,018 bytes, at half a unit for each 4 KB
    assert len({entry["pk"]["S"] for page in pages for entry in page["Items"]}) == 9


def test_a_write_that_changes_nothing_is_paid_for_and_not_told(database: Database) -> None:
    told: list[StreamRecord] = []
    database.on_change = told.append
    for _ in range(2):
        answer = database.put_item(**put(note="x" * 1024), ReturnConsumedCapacity="TOTAL")
        assert answer["ConsumedCapacity"]["CapacityUnits"] == 2.0
    database.delete_item(**key("nothing"))
    database.delete_item(**key())
    assert [(change.event_name, change.table) for change in told] == [
        ("INSERT", "singles"),
        ("REMOVE", "singles"),
    ]
    assert [len(change.sequence_number) for change in told] == [21, 21]
    assert told[0].sequence_number < told[1].sequence_number


@pytest.mark.parametrize(
    "members",
    [
        [],
        [{"Put": put(f"p{number}")} for number in range(101)],
        [{"Put": put()}, {"ConditionCheck": key() | {"ConditionExpression": "attribute_exists(#a)"}}],
        [{"Put": put()}, {"Delete": key()}],
        [{"Put": put("")}],
        [{"Put": put("x" * 2049)}],
        [{"Put": put(list_pk="")}],
        [{"Put": put(note="x" * 410_000)}],
        [{"Put": put(f"p{number}", note="x" * 400_000)} for number in range(11)],
        [{"ConditionCheck": key()}],
        [{"Update": key() | {"UpdateExpression": "REMOVE #a", "ExpressionAttributeNames": {"#a": "pk"}}}],
    ],
)
def test_transactions_that_are_refused_whatever_is_stored(
    database: Database, members: list[dict[str, Any]]
) -> None:
    assert code_of(database, "transact_write_items", TransactItems=members) == "ValidationException"
    assert scanned(database) == []


def test_an_attribute_is_set_once_in_an_update(database: Database) -> None:
    twice = {**add(), "UpdateExpression": "SET #n = :n, #m = :n"}
    twice["ExpressionAttributeNames"] = {"#n": "n", "#m": "n"}
    assert code_of(database, "update_item", **twice) == "ValidationException"


def test_sums_are_exact_to_38_digits_and_not_made_beyond(database: Database) -> None:
    database.update_item(**add(amount="9" * 37))
    database.update_item(**add(amount="1" + "0" * 37))
    assert found(database)["n"] == {"N": "1" + "9" * 37}
    assert code_of(database, "update_item", **add(amount="9" * 38)) == "ValidationException"
    error = refused(database, "transact_write_items", TransactItems=[{"Update": add(amount="9" * 38)}])
    assert [reason["Code"] for reason in error.response["CancellationReasons"]] == ["ValidationError"]


@pytest.mark.parametrize(
    ("call", "parameters"),
    [
        ("put_item", put() | {"ReturnItemCollectionMetrics": "SIZE"}),
        ("update_item", add() | {"ReturnValues": "UPDATED_NEW"}),
        ("get_item", key() | {"ProjectionExpression": "#a"}),
        ("scan", {"TableName": put()["TableName"], "FilterExpression": "#a = :a"}),
        ("put_item", {"TableName": put()["TableName"], "Item": {**item(), "set": {"SS": ["a"]}}}),
    ],
)
def test_what_the_model_has_not_got_is_never_passed_by(
    database: Database, call: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(NotImplementedError):
        getattr(database, call)(**parameters)
