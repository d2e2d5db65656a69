"""The caller of the API: what it makes of refusals and pages."""

from http import HTTPStatus
from typing import Any

import httpx
import pytest

from local.api import Api, ApiError


def problem(status: HTTPStatus, **members: Any) -> httpx.MockTransport:
    """An API that refuses everything."""
    return httpx.MockTransport(lambda request: httpx.Response(status, json=members))


def test_a_problem_becomes_a_sentence() -> None:
    refusing = problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        title="Validation failed",
        detail="The body does not fit.",
        request_id="req_1",
        errors=[{"pointer": "/amount", "message": "is too small"}],
    )
    with Api("http://tael", "key", refusing) as api, pytest.raises(ApiError) as error:
        api.post("/v1/transfers", {}, key="one")

    assert str(error.value) == (
        "POST /v1/transfers: 422 Validation failed: The body does not fit. "
        "[/amount is too small] (request req_1)"
    )
    assert error.value.status == HTTPStatus.UNPROCESSABLE_ENTITY


def test_an_answer_that_is_no_problem_is_named() -> None:
    proxy = httpx.MockTransport(lambda request: httpx.Response(502, text="<html>"))
    with Api("http://tael", "key", proxy) as api, pytest.raises(ApiError, match="not an answer of Tael"):
        api.get("/v1/wallets")


def test_an_expected_refusal_is_an_answer() -> None:
    refusing = problem(HTTPStatus.PAYMENT_REQUIRED, code="insufficient_funds")
    with Api("http://tael", "key", refusing) as api:
        answer = api.post("/v1/payments/1", {}, refusal=HTTPStatus.PAYMENT_REQUIRED)

    assert (answer.status, answer.body["code"], answer.replayed) == (402, "insufficient_funds", False)


def test_pages_are_read_to_the_end() -> None:
    pages = {
        None: {"data": [{"n": 1}, {"n": 2}], "next_cursor": "a"},
        "a": {"data": [], "next_cursor": "b"},
        "b": {"data": [{"n": 3}], "next_cursor": None},
    }
    listing = httpx.MockTransport(
        lambda request: httpx.Response(200, json=pages[request.url.params.get("cursor")])
    )
    with Api("http://tael", "key", listing) as api:
        assert [row["n"] for row in api.pages("/v1/wallets")] == [1, 2, 3]


def test_something_else_than_json_is_asked_for_by_its_type() -> None:
    echo = httpx.MockTransport(lambda request: httpx.Response(200, text=request.headers["Accept"]))
    with Api("http://tael", "key", echo) as api:
        assert api.text("/v1/settlements/1", "text/csv") == "text/csv"
