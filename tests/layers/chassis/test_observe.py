"""What a request leaves behind: a meter of storage calls, and one line that is log and metric."""

import json
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from chassis import observe, store
from chassis.auth import Access
from chassis.config import ConfigurationError
from chassis.errors import Conflict
from chassis.observe import Meter, RequestRecord, metered, report
from chassis.paging import listed
from chassis.service import Service
from chassis.shapes import Input, Resource
from chassis.writes import ABSENT, Exists, Key, Write, put, update
from local.system import System

pytestmark = pytest.mark.usefixtures("engine")
TABLE = "wallets"
KILOBYTE = "x" * 1024


def new_key() -> Key:
    return {"pk": f"test_observe#{uuid.uuid4()}"}


def create(key: Key, **item: Any) -> Write:
    return put(TABLE, key, item, ABSENT, refused=Exists)


def measured(work: Callable[[], object]) -> Meter:
    with metered() as meter, suppress(Exists):
        work()
    return meter


def test_a_single_write_costs_its_size_and_one_for_its_list_index() -> None:
    key = new_key()
    assert measured(lambda: store.commit(create(key))) == Meter(write_calls=1, write_units=1.0)
    entry = listed("test_observe", "2026", key["pk"])
    assert measured(lambda: store.commit(create(new_key(), **entry))) == Meter(write_calls=1, write_units=2.0)
    assert measured(lambda: store.commit(create(new_key(), x=KILOBYTE))).write_units == 2.0
    change = update(TABLE, key, refused=Exists, assign={"x": "y"})
    assert measured(lambda: store.commit(change)) == Meter(write_calls=1, write_units=1.0)
    # Doing this twice would differ from doing it once, so it is a transaction.
    addition = update(TABLE, key, refused=Exists, add={"n": 1})
    assert measured(lambda: store.commit(addition)) == Meter(write_calls=1, write_units=2.0)


def test_a_transactional_write_counts_twice() -> None:
    keys = [new_key(), new_key()]
    assert measured(lambda: store.commit(*map(create, keys))) == Meter(write_calls=1, write_units=4.0)


def test_a_refused_write_counts_in_full() -> None:
    key = new_key()
    store.commit(create(key))
    assert measured(lambda: store.commit(create(key))) == Meter(write_calls=1, write_units=1.0)
    assert measured(lambda: store.commit(create(key, x=KILOBYTE))).write_units == 2.0


def test_a_cancelled_transaction_counts_twice_in_full() -> None:
    key = new_key()
    store.commit(create(key))
    refused = measured(lambda: store.commit(create(new_key(), x=KILOBYTE), create(key)))
    assert refused == Meter(write_calls=1, write_units=6.0)


def test_reads_are_counted_by_call_and_unit() -> None:
    key = new_key()
    store.commit(create(key))
    assert measured(lambda: store.get(TABLE, key)) == Meter(read_calls=1, read_units=1.0)
    assert measured(lambda: store.get(TABLE, new_key())).read_calls == 1
    assert measured(lambda: store.get_many([(TABLE, key), ("ledger", {**key, "sk": "x"})])).read_calls == 1
    assert measured(lambda: store.get_many([])) == Meter()
    query = measured(
        lambda: store.query(TABLE, ("list_pk", "nobody"), ("list_sk", "0", ":"), limit=5, index="list")
    )
    assert query.read_calls == 1


def test_meters_do_not_mix() -> None:
    with metered() as outer:
        store.get(TABLE, new_key())
        with metered() as inner:
            store.get(TABLE, new_key())
        thread = threading.Thread(target=store.get, args=(TABLE, new_key()))
        thread.start()
        thread.join()
    observe.meter().read_calls += 1
    assert (outer.read_calls, inner.read_calls) == (1, 1)


SECRET = "4242424242424242"


class Order(Input):
    number: str


class Made(Resource):
    id: str


@pytest.fixture
def service() -> Service:
    service = Service(f"orders-{uuid.uuid4()}", "Orders, for a while.")

    @service.operation("POST /v1/orders/{order_id}", access=Access.PLATFORM, status=201)
    def make_order(order_id: str, body: Order) -> Made:
        if order_id == "taken":
            raise Conflict(f"no {body.number}")
        if order_id == "broken":
            raise RuntimeError(f"broken by {body.number}")
        store.commit(create(new_key()), create(new_key()))
        store.get(TABLE, new_key())
        return Made(id=body.number)

    return service


def ask(service: Service, system: System, order_id: str) -> None:
    event = {
        "headers": {
            "Authorization": f"Bearer {system.platform_key}",
            "Content-Type": "application/json",
            "Idempotency-Key": SECRET,
        },
        "pathParameters": {"order_id": order_id},
        "body": json.dumps({"number": SECRET}),
        "requestContext": {
            "resourcePath": "/v1/orders/{order_id}",
            "httpMethod": "POST",
            "requestId": "req-1",
        },
    }
    service.app(event, None)


def only_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    output = capsys.readouterr()
    assert output.err == ""
    assert output.out.count("\n") == 1
    line: dict[str, Any] = json.loads(output.out)
    return line


@pytest.mark.parametrize(
    ("order_id", "status", "outcome", "units"),
    [("new", 201, "ok", 4.0), ("taken", 409, "conflict", 0.0), ("broken", 500, "internal_error", 0.0)],
)
def test_a_request_leaves_one_line_that_tells_how_it_went(
    engine: System,
    service: Service,
    capsys: pytest.CaptureFixture[str],
    *,
    order_id: str,
    status: int,
    outcome: str,
    units: float,
) -> None:
    ask(service, engine, order_id)
    line = only_line(capsys)
    expected = {
        "service": service.name,
        "request_id": "req-1",
        "principal": "platform",
        "operation": "POST /v1/orders/{order_id}",
        "status": status,
        "outcome": outcome,
        "replayed": False,
        "write_units": units,
        "write_calls": 1 if units else 0,
        "read_calls": 1 if units else 0,
        "retries": 0,
    }
    assert line.items() >= expected.items()
    assert 0 <= line["duration_ms"] < 30_000
    assert line["timestamp"].endswith(("Z", "+00:00"))


@pytest.mark.parametrize("order_id", ["new", "taken", "broken"])
def test_a_line_has_no_body_key_or_secret(
    engine: System, service: Service, capsys: pytest.CaptureFixture[str], order_id: str
) -> None:
    ask(service, engine, order_id)
    line = json.dumps(only_line(capsys))
    assert SECRET not in line
    assert engine.platform_key not in line


def test_a_defect_leaves_its_places_and_type_without_its_message(
    engine: System, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(service, engine, "broken")
    line = only_line(capsys)
    assert line["level"] == "ERROR"
    assert "RuntimeError" in str(line["exception"])
    assert "make_order" in str(line["exception"])
    assert "broken by" not in str(line)


def test_what_is_wrong_with_the_configuration_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    record = observe.RequestRecord("req")
    with pytest.raises(ConfigurationError), observe.reported("orders", record):
        raise ConfigurationError("TAEL_STAGE: must be set")
    assert only_line(capsys)["exception"][-1] == "ConfigurationError: TAEL_STAGE: must be set"


def test_a_line_is_a_metric_in_the_embedded_format(
    engine: System, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(service, engine, "new")
    line = only_line(capsys)
    assert isinstance(line["_aws"]["Timestamp"], int)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Tael"
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        "Duration": "Milliseconds",
        "WriteUnits": "Count",
        "Retries": "Count",
    }
    for name in ("Duration", "WriteUnits", "Retries"):
        values = line[name] if isinstance(line[name], list) else [line[name]]
        assert all(isinstance(value, int | float) for value in values)
    assert line["WriteUnits"] in (4.0, [4.0])
    (dimensions,) = directive["Dimensions"]
    assert set(dimensions) == {"service", "operation", "outcome"}
    assert all(isinstance(line[name], str) and line[name] for name in dimensions)


def test_a_request_that_no_operation_took_has_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    service = f"nobody-{uuid.uuid4()}"
    report(service, RequestRecord("req-1", status=404, outcome="not_found"), Meter())
    line = only_line(capsys)
    assert (line["operation"], line["principal"], line["service"]) == ("unknown", "anonymous", service)
