"""A batch of messages: each is read and fails alone, whether it is consumed alone or with the others."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from chassis.messages import Failed, consumer


class Order(BaseModel):
    type: Literal["order"] = "order"
    id: int


class Refund(BaseModel):
    type: Literal["refund"]
    id: int


Message = Annotated[Order | Refund, Field(discriminator="type")]
BODIES = {"a": '{"id": 1}', "b": "poison", "c": '{"id": -2}', "d": '{"id": 3}'}


def test_one_by_one_a_failure_is_what_is_raised() -> None:
    taken: list[int] = []

    def consume(order: Order) -> None:
        taken.append(order.id)
        if order.id < 0:
            raise KeyError(order.id)

    failed = consumer(consume).take(BODIES)
    assert taken == [1, -2, 3]
    assert [(name, type(error).__name__) for name, error in failed.items()] == [
        ("b", "ValidationError"),
        ("c", "KeyError"),
    ]


def test_all_at_once_a_failure_is_what_is_returned() -> None:
    taken: list[list[int]] = []

    def consume(orders: Sequence[Order]) -> Failed:
        taken.append([order.id for order in orders])
        return {at: KeyError() for at, order in enumerate(orders) if order.id < 0}

    assert list(consumer(consume).take(BODIES)) == ["b", "c"]
    assert taken == [[1, -2, 3]]
    assert list(consumer(consume).take({"x": "poison"})) == ["x"]
    assert consumer(consume).take({}) == {}
    assert len(taken) == 1


def test_what_fails_as_a_whole_is_raised() -> None:
    def consume(orders: Sequence[Order]) -> Failed:
        raise TimeoutError(orders)

    with pytest.raises(TimeoutError):
        consumer(consume).take(BODIES)


def test_a_message_may_be_one_of_several_types() -> None:
    taken: list[object] = []

    def consume(messages: Sequence[Message]) -> Failed:
        taken.extend(messages)
        return {}

    bodies = {"a": '{"type": "refund", "id": 1}', "b": '{"type": "order", "id": 2}', "c": '{"type": "x"}'}
    assert list(consumer(consume).take(bodies)) == ["c"]
    assert taken == [Refund(type="refund", id=1), Order(id=2)]


def test_a_function_that_takes_no_message_is_no_consumer() -> None:
    def untyped(order: Any) -> None: ...
    def nothing() -> None: ...
    def two(order: Order, refund: Refund) -> None: ...

    wrong: Any
    for wrong in (untyped, nothing, two):
        with pytest.raises(TypeError, match="does not take one message"):
            consumer(wrong)
