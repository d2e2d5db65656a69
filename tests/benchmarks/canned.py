"""Owns what stands between botocore and the engine in a benchmark: answers kept, and calls written down."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSResponse

from chassis import aws

Call = tuple[str, dict[str, Any]]
"""A method of a client and its parameters."""


class Wire:
    """The end of botocore: answers come from the engine, whose last ones are kept, or are those again."""

    def __init__(self, *clients: Any) -> None:
        self.canned = False
        self.kept: dict[str, tuple[int, dict[str, str], bytes]] = {}
        for client in clients:
            session = client._endpoint.http_session
            session.send = self._keeping(session.send)
            client.meta.events.register("before-send.dynamodb", self._answer)

    def _keeping(self, send: Callable[[Any], AWSResponse]) -> Callable[[Any], AWSResponse]:
        def keep(request: Any) -> AWSResponse:
            answer = send(request)
            # The body's checksum is of the connection, and looked at by botocore's retries alone.
            headers = {name: value for name, value in answer.headers.items() if name != "x-amz-crc32"}
            self.kept[_operation(request)] = (answer.status_code, headers, answer.content)
            return answer

        return keep

    def _answer(self, request: Any, **_: Any) -> AWSResponse | None:
        if not self.canned:
            return None
        status, headers, body = self.kept[_operation(request)]
        answer = AWSResponse(request.url, status, headers, None)
        answer._content = body
        return answer


def _operation(request: Any) -> str:
    target = request.headers["X-Amz-Target"]
    return target.decode() if isinstance(target, bytes) else str(target)


class Recorder:
    """A client in front of the real one that writes down what is asked of it."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.calls: list[Call] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.real, name)

        def recorded(**parameters: Any) -> Any:
            self.calls.append((name, parameters))
            return method(**parameters)

        return recorded


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Have what is asked of DynamoDB in this block written down."""
    connected = aws.client
    recorder = Recorder(aws.client("dynamodb"))
    aws.client = lambda *_, **__: recorder  # type: ignore[assignment] # it has lost its cache
    try:
        yield recorder
    finally:
        aws.client = connected
