"""A request that is no request for any operation is told so, however it is malformed, and writes nothing."""

from collections.abc import Iterator

import httpx
import pytest
from pydantic import ValidationError

from chassis.auth import Access
from chassis.operations import Operation
from chassis.proxy import MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_URI_BYTES
from local.system import System
from tests.conftest import connect, new_key, onboard
from tests.functions.inside import everything
from tests.journeys.calling import (
    DOCUMENT,
    JSON,
    OPERATIONS,
    Caller,
    body_for,
    every_body,
    every_operation,
    pointers,
    some,
)


@pytest.fixture(scope="module")
def caller(engine: System, platform: httpx.Client) -> Iterator[Caller]:
    """The platform on behalf of a shop; nothing that it sends here may have written anything in the end."""
    shop = onboard(engine, platform)
    with shop.http:
        caller = Caller(shop)
        before = everything()
        yield caller
        assert everything() == before


@every_body
def test_what_is_no_json_object_is_refused(operation: Operation, caller: Caller) -> None:
    contents = [b" ", b"{", b"{'a': 1}", b'{"amount": NaN}{', b"\xff", b'{"\xff": 1}', b'"\\ud800"']
    contents += [b"null", b"1", b'"text"', b"[]", b"[{}]", b"\xef\xbb\xbf{}", b"{} x", "{}".encode("utf-16")]
    for content in contents:
        assert pointers(caller(operation, content=content, headers=JSON), 400) == [], content


@every_body
def test_no_body_at_all_is_refused_where_one_is_needed(operation: Operation, caller: Caller) -> None:
    answer = caller(operation, content=b"", headers=JSON)
    model = operation.body_model
    assert model
    try:
        model.model_validate({})
    except ValidationError:
        pointers(answer, 400)
    else:
        pointers(answer, 404)  # nothing but what it would be done to is missing


@every_body
def test_what_is_not_declared_as_json_is_refused(operation: Operation, caller: Caller) -> None:
    for name in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", "multipart/x"):
        answer = caller(operation, content=b"{}", headers={"Content-Type": name})
        assert pointers(answer, 415) == [], name
    assert pointers(caller(operation, content=b"{}"), 415) == []


@every_body
@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 2 * 1024 * 1024], ids=["a byte too many", "2 MB"])
def test_a_body_that_is_too_large_is_refused(operation: Operation, caller: Caller, size: int) -> None:
    assert pointers(caller(operation, content=b'{"amount": 1}'.ljust(size), headers=JSON), 413) == []


@every_operation
def test_headers_that_are_too_long_are_refused(operation: Operation, caller: Caller) -> None:
    for name in ("X-Custom", "Authorization", "Idempotency-Key", "Tael-Merchant"):
        headers = {name: "x" * MAX_HEADER_BYTES}
        assert pointers(caller(operation, json=body_for(operation), headers=headers), 431) == []


@every_operation
def test_a_path_or_query_that_is_too_long_is_refused(operation: Operation, caller: Caller) -> None:
    long = "x" * MAX_URI_BYTES
    for name in operation.path_model.model_fields:
        assert pointers(caller(operation, {name: long}, json=body_for(operation)), 414) == []
    assert pointers(caller(operation, json=body_for(operation), params={"cursor": long}), 414) == []


PATHS = {operation.path: operation for operation in OPERATIONS.values()}


@some(list(PATHS.values()))
def test_a_method_that_a_path_does_not_take_is_refused(operation: Operation, caller: Caller) -> None:
    taken = {method.upper() for method in DOCUMENT["paths"][operation.path]}
    url = operation.path.format_map(caller.values)
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "NONSENSE"} - taken:
        answer = caller.shop.platform.request(method, url, headers=new_key())
        assert pointers(answer, 405) == [], method
        assert set(answer.headers["Allow"].split(", ")) == taken


@some(list(PATHS.values()))
def test_there_is_nothing_beside_and_below_a_path(operation: Operation, caller: Caller) -> None:
    url = operation.path.format_map(caller.values)
    others = (f"{url}/", f"/{url}", f"{url}/nothing/at/all", url.upper(), f"/v2{url.removeprefix('/v1')}")
    for other in others:
        answer = caller.shop.platform.request(operation.method, other, headers=new_key())
        assert pointers(answer, 404) == [], other


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/%2e%2e/etc/passwd", "/docs/../", "/docs/x.js"])
def test_there_is_nothing_where_nothing_is_declared(platform: httpx.Client, path: str) -> None:
    assert pointers(platform.get(path), 404) == []


@some([each for each in OPERATIONS.values() if each.access is Access.PLATFORM])
def test_a_merchant_may_not_do_what_only_the_platform_may(
    operation: Operation, caller: Caller, system: System
) -> None:
    url = operation.path.format_map(caller.values)
    with connect(system, caller.shop.key) as merchant:
        answer = merchant.request(operation.method, url, json=body_for(operation), headers=new_key())
    assert pointers(answer, 403) == []
