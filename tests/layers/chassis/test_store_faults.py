"""Faults below the store: a commit still has exactly one effect, or says that it is unavailable."""

import random
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)

from chassis import aws, clock, store
from chassis.attributes import Item
from chassis.errors import Conflict, Unavailable
from chassis.observe import metered
from chassis.writes import ABSENT, Exists, Key, Write, at_least, put, update

pytestmark = pytest.mark.usefixtures("engine", "time")
TABLE = "wallets"
Send = Callable[[], Any]
Fault = Callable[[Send], Any]


class Faulty:
    """The real client, the first calls of which meet these faults; it keeps what it was asked."""

    def __init__(self, real: Any, faults: list[Fault]) -> None:
        self.real = real
        self.faults = faults
        self.requests: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self.requests.append(request)
            fault = self.faults.pop(0) if self.faults else lambda send: send()
            return fault(lambda: getattr(self.real, name)(**request))

        return call


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    moved = Time()
    monkeypatch.setattr(clock, "monotonic", lambda: moved.now)
    monkeypatch.setattr(clock, "sleep", moved.sleep)
    return moved


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Faulty]:
    def planted(*faults: Fault) -> Faulty:
        faulty = Faulty(aws.client("dynamodb"), list(faults))
        monkeypatch.setattr(aws, "client", lambda _: faulty)
        return faulty

    return planted


def failing(error: Exception) -> Fault:
    """The request never arrives, or is refused."""

    def fault(_: Send) -> Any:
        raise error

    return fault


def answer_lost(send: Send) -> Any:
    """The request has its effect, or is refused, and nobody hears of it."""
    with suppress(ClientError):
        send()
    raise ReadTimeoutError(endpoint_url="http://engine")


def client_error(code: str, status: int = 400, **more: Any) -> ClientError:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(response, "Any")


def cancelled(*codes: str) -> ClientError:
    reasons = [{"Code": code} for code in codes]
    return client_error("TransactionCanceledException", CancellationReasons=reasons)


TRANSIENT: dict[str, Exception] = {
    "throttled": client_error("ThrottlingException"),
    "unreachable": EndpointConnectionError(endpoint_url="http://engine"),
    "connect_timeout": ConnectTimeoutError(endpoint_url="http://engine"),
    "reset": HTTPClientError(error="reset"),
    "internal": client_error("InternalServerError", 500),
    "over_capacity": client_error("ProvisionedThroughputExceededException"),
    "unheard_of": client_error("SomethingNew", 503),
    "conflict": client_error("TransactionConflictException"),
    "cancelled": cancelled("None", "TransactionConflict"),
}
FAULTS: dict[str, Fault] = {name: failing(error) for name, error in TRANSIENT.items()}
FAULTS["answer_lost"] = answer_lost


def new_key() -> Key:
    return {"pk": f"test_store#{uuid.uuid4()}"}


def create(key: Key, **item: Any) -> Write:
    return put(TABLE, key, item, ABSENT, refused=Exists)


def add(key: Key, amount: int = 1, least: int = 0) -> Write:
    """Its condition still holds after it was applied: only its operation id stops a second time."""
    return update(TABLE, key, at_least("n", least), refused=lambda _: Conflict("n"), add={"n": amount})


def read(key: Key) -> Item:
    item = store.get(TABLE, key)
    assert item is not None
    return item


def test_a_conflict_before_a_failed_condition_is_retried(plant: Callable[..., Faulty]) -> None:
    keys = [new_key(), new_key()]
    client = plant(failing(cancelled("TransactionConflict", "ConditionalCheckFailed")))
    store.commit(*map(create, keys))
    assert len(client.requests) == 2
    assert all(store.get(TABLE, key) for key in keys)


def test_a_failed_condition_before_a_conflict_is_refused(plant: Callable[..., Faulty], time: Time) -> None:
    client = plant(failing(cancelled("None", "ConditionalCheckFailed", "TransactionConflict")))
    refusing = put(TABLE, new_key(), {}, ABSENT, refused=lambda found: Conflict(str(found)))
    with pytest.raises(Conflict, match="None"):
        store.commit(create(new_key()), refusing, create(new_key()))
    assert len(client.requests) == 1
    assert time.pauses == []


def commits(keys: list[Key]) -> dict[str, list[Write]]:
    """After any of them, `n` of the first key is 1 (and of the second, where there is one)."""
    return {
        "put": [create(keys[0], n=1)],
        "update": [add(keys[1])],
        "transaction": [create(keys[0], n=1), add(keys[1])],
    }


@pytest.mark.parametrize("kind", ["put", "update", "transaction"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_below_ends_in_success_and_one_effect(
    plant: Callable[..., Faulty], kind: str, fault: str
) -> None:
    keys = [new_key(), new_key()]
    store.commit(create(keys[1], n=0))
    client = plant(FAULTS[fault], FAULTS[fault])
    with metered() as meter:
        store.commit(*commits(keys)[kind])
    assert len(client.requests) == 3
    assert (meter.write_calls, meter.retries) == (3, 2)
    written = keys if kind == "transaction" else [keys[0] if kind == "put" else keys[1]]
    assert [read(key)["n"] for key in written] == [1] * len(written)


def test_a_lost_update_whose_condition_no_longer_holds_is_recognised(plant: Callable[..., Faulty]) -> None:
    key = new_key()
    store.commit(create(key, n=10))
    plant(answer_lost)
    store.commit(add(key, -10, least=10))
    assert read(key)["n"] == 0


def test_a_transaction_keeps_its_token_and_no_other_has_it(plant: Callable[..., Faulty]) -> None:
    client = plant(FAULTS["cancelled"], FAULTS["throttled"])
    store.commit(create(new_key()), create(new_key()))
    store.commit(create(new_key()), create(new_key()))
    tokens = [request["ClientRequestToken"] for request in client.requests]
    assert len(tokens) == 4
    assert tokens[0] == tokens[1] == tokens[2] != tokens[3]
    assert all(1 <= len(token) <= 36 for token in tokens)


@pytest.mark.parametrize("error", TRANSIENT)
def test_past_the_deadline_it_is_unavailable_and_nothing_is_written(
    plant: Callable[..., Faulty], time: Time, error: str
) -> None:
    started, keys = time.now, [new_key(), new_key()]
    client = plant(*[FAULTS[error]] * 10_000)
    with pytest.raises(Unavailable):
        store.commit(*map(create, keys))
    assert 2.0 <= time.now - started <= 5.0
    client.faults.clear()
    assert [store.get(TABLE, key) for key in keys] == [None, None]


def test_pauses_are_jittered_below_a_ceiling_that_doubles_up_to_a_second(
    plant: Callable[..., Faulty], time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: low + high)
    plant(*[FAULTS["throttled"]] * 20)
    with pytest.raises(Unavailable):
        store.get(TABLE, new_key())
    assert time.pauses == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0]


def test_a_business_refusal_and_a_defect_of_ours_are_not_retried(
    plant: Callable[..., Faulty], time: Time
) -> None:
    key = new_key()
    store.commit(create(key))
    client = plant(lambda send: send(), failing(client_error("ValidationException")))
    with pytest.raises(Exists):
        store.commit(create(key))
    with pytest.raises(ClientError, match="ValidationException"):
        store.commit(create(key))
    assert len(client.requests) == 2
    assert time.pauses == []


def test_keys_that_a_batch_left_unprocessed_are_asked_for_again(plant: Callable[..., Faulty]) -> None:
    keys = [new_key(), new_key()]
    store.commit(*map(create, keys))

    def half(send: Send) -> Any:
        ((table, wanted),) = client.requests[-1]["RequestItems"].items()
        left = {table: {**wanted, "Keys": wanted["Keys"][1:]}}
        client.requests[-1]["RequestItems"][table]["Keys"] = wanted["Keys"][:1]
        return {**send(), "UnprocessedKeys": left}

    client = plant(half)
    found = store.get_many((TABLE, key) for key in keys)
    assert [item and item["pk"] for item in found] == [key["pk"] for key in keys]
    assert len(client.requests) == 2
