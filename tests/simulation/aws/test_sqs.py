"""Holds the model of SQS against the embedded engine, and to what is promised: at least once, in no order."""

import uuid
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chassis import aws
from chassis.config import queue_name, settings
from infra.declaration import QUEUES, STREAMS, Queue
from local import queues as provisioning
from local.system import System
from tests.simulation.aws.conftest import Clock
from tests.simulation.aws.sqs import Queues

QUEUE = Queue("captures", consumer="nobody", visibility_seconds=60, max_receives=3)


def seeded(seed: int = 1) -> Random:
    return Random(seed)


@pytest.fixture
def queues(clock: Clock) -> Queues:
    return Queues([QUEUE], clock.now, seeded(), streams=())


@pytest.fixture
def real(engine: System) -> Iterator[Any]:
    """A client of the engine, with this test's own queue."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAEL_STAGE", f"t{uuid.uuid4().hex[:12]}")
        settings.cache_clear()
        provisioning.provision([QUEUE], ())
        yield aws.client("sqs")
    settings.cache_clear()


def send(queues: Queues, *bodies: str, delay: int = 0) -> None:
    for body in bodies:
        queues.send_message(QueueUrl=queues.url("captures"), MessageBody=body, DelaySeconds=delay)


def receive(queues: Any, most: int = 10, queue: str = "captures") -> list[dict[str, Any]]:
    asked = {"MaxNumberOfMessages": most, "MessageSystemAttributeNames": ["All"]}
    messages: list[dict[str, Any]] = queues.receive_message(QueueUrl=queues.url(queue), **asked).get(
        "Messages", []
    )
    return messages


def counts(queues: Queues) -> list[int]:
    """Messages that can be received, that are being handled, and that are delayed."""
    shown = queues.get_queue_attributes(QueueUrl=queues.url("captures"), AttributeNames=["All"])["Attributes"]
    names = ("", "NotVisible", "Delayed")
    return [int(shown[f"ApproximateNumberOfMessages{name}"]) for name in names]


def test_what_is_received_is_hidden_until_its_time_is_over(queues: Queues, clock: Clock) -> None:
    send(queues, "a")
    (first,) = receive(queues)
    assert (receive(queues), queues.next_visible_at("captures")) == ([], clock.seconds + 60)
    clock.seconds += 60
    (again,) = receive(queues)
    assert again["MessageId"] == first["MessageId"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    # Only the last receipt deletes it.
    queues.delete_message(QueueUrl=queues.url("captures"), ReceiptHandle=first["ReceiptHandle"])
    assert queues.waiting("captures") == 1
    queues.delete_message(QueueUrl=queues.url("captures"), ReceiptHandle=again["ReceiptHandle"])
    assert (queues.waiting("captures"), queues.next_visible_at("captures")) == (0, None)


def test_what_is_given_back_can_be_received_at_once(queues: Queues) -> None:
    send(queues, "a")
    (received,) = receive(queues)
    entry = {"Id": "0", "ReceiptHandle": received["ReceiptHandle"], "VisibilityTimeout": 0}
    answer = queues.change_message_visibility_batch(QueueUrl=queues.url("captures"), Entries=[entry])
    assert answer == {"Successful": [{"Id": "0"}]}
    assert [message["Body"] for message in receive(queues)] == ["a"]


def test_a_delayed_message_waits(queues: Queues, clock: Clock) -> None:
    send(queues, "later", delay=900)
    send(queues, "now")
    assert counts(queues) == [1, 0, 1]
    assert [message["Body"] for message in receive(queues)] == ["now"]
    assert counts(queues) == [0, 1, 1]
    clock.seconds += 900
    assert sorted(message["Body"] for message in receive(queues)) == ["later", "now"]


def test_a_message_that_nobody_can_handle_ends_among_the_dead_letters(queues: Queues, clock: Clock) -> None:
    send(queues, "poison")
    for _ in range(3):
        assert len(receive(queues)) == 1
        clock.seconds += 60
    assert (receive(queues), queues.bodies("captures"), queues.bodies("captures-dlq")) == ([], [], ["poison"])
    assert len(receive(queues, queue="captures-dlq")) == 1
    assert queues.redrive("captures") == 1
    (received,) = receive(queues)
    assert received["Attributes"]["ApproximateReceiveCount"] == "1"


def test_messages_come_in_the_order_of_the_seed(clock: Clock) -> None:
    def order(seed: int) -> list[str]:
        queues = Queues([QUEUE], clock.now, seeded(seed), streams=())
        send(queues, *map(str, range(10)))
        return [receive(queues, most=1)[0]["Body"] for _ in range(10)]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert sorted(order(2)) == sorted(map(str, range(10)))


def test_some_messages_come_twice_even_when_they_are_deleted(clock: Clock) -> None:
    twice = iter([True, False])
    queues = Queues([QUEUE], clock.now, seeded(), streams=(), duplicate=lambda: next(twice))
    send(queues, "twice", "once")
    received = receive(queues, most=1) + receive(queues, most=1)
    for message in received:
        queues.delete_message(QueueUrl=queues.url("captures"), ReceiptHandle=message["ReceiptHandle"])
    due = queues.next_visible_at("captures")
    assert due is not None
    assert due <= clock.seconds + 60
    clock.seconds += 60
    (again,) = receive(queues)
    assert (again["MessageId"], again["Body"]) == (received[0]["MessageId"], received[0]["Body"])
    clock.seconds += 60
    assert (receive(queues), queues.waiting("captures"), queues.waiting("captures-dlq")) == ([], 0, 0)


def test_every_declared_queue_is_there() -> None:
    queues = Queues(QUEUES, lambda: 0.0, seeded())
    for queue in QUEUES:
        assert queues.name_of(queues.url(queue.dead_letter)) == queue.dead_letter
        url = queues.get_queue_url(QueueName=queue_name(queue.name))["QueueUrl"]
        assert queues.name_of(url) == queue.name
    assert {queues.waiting(stream.failures) for stream in STREAMS} == {0}


def outcome_of(client: Any, call: str, parameters: dict[str, Any]) -> Any:
    """What a caller gets, but for words and for what is another's every time."""
    try:
        answer = getattr(client, call)(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"]
    failed = [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in answer.get("Failed", ())]
    return [entry["Id"] for entry in answer.get("Successful", ())], failed, answer.get("MD5OfMessageBody")


@pytest.mark.parametrize(
    ("call", "parameters"),
    [
        ("send_message", {"MessageBody": "ünïcode"}),
        ("send_message", {"MessageBody": "\x00"}),
        ("send_message", {"MessageBody": "x" * (256 * 1024)}),
        ("send_message", {"MessageBody": "x" * (256 * 1024 + 1)}),
        ("send_message_batch", {"Entries": []}),
        ("send_message_batch", {"Entries": [{"Id": "a", "MessageBody": "x"}] * 2}),
        ("send_message_batch", {"Entries": [{"Id": "a b", "MessageBody": "x"}]}),
        ("send_message_batch", {"Entries": [{"Id": str(n), "MessageBody": "x"} for n in range(10)]}),
        ("send_message_batch", {"Entries": [{"Id": str(n), "MessageBody": "x"} for n in range(11)]}),
        ("send_message_batch", {"Entries": [{"Id": str(n), "MessageBody": "x" * 2**18} for n in range(4)]}),
        ("send_message_batch", {"Entries": [{"Id": str(n), "MessageBody": "x" * 2**18} for n in range(5)]}),
        ("send_message_batch", {"Entries": [{"Id": str(n), "MessageBody": "\x00x"[n:]} for n in range(2)]}),
        ("receive_message", {"MaxNumberOfMessages": 11}),
        ("delete_message", {"ReceiptHandle": "nobody's"}),
        ("delete_message_batch", {"Entries": [{"Id": "0", "ReceiptHandle": "nobody's"}]}),
        ("change_message_visibility", {"ReceiptHandle": "nobody's", "VisibilityTimeout": 1}),
        ("get_queue_url", {"QueueName": "no-such-queue"}),
    ],
)
def test_the_engine_and_the_model_answer_alike(
    real: Any, queues: Queues, call: str, parameters: dict[str, Any]
) -> None:
    theirs, ours = dict(parameters), dict(parameters)
    if call != "get_queue_url":
        theirs["QueueUrl"] = real.get_queue_url(QueueName=queue_name("captures"))["QueueUrl"]
        ours["QueueUrl"] = queues.url("captures")
    assert outcome_of(queues, call, ours) == outcome_of(real, call, theirs)


@pytest.mark.parametrize("delay", [-1, 901])
def test_a_delay_that_no_queue_grants_is_refused(queues: Queues, delay: int) -> None:
    """The embedded engine takes any."""
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        send(queues, "a", delay=delay)
    entry = {"Id": "0", "MessageBody": "a", "DelaySeconds": delay}
    answer = queues.send_message_batch(QueueUrl=queues.url("captures"), Entries=[entry])
    assert [failure["Code"] for failure in answer["Failed"]] == ["InvalidParameterValue"]
    assert queues.waiting("captures") == 0
