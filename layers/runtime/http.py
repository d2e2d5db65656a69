"""Owns HTTP outside Lambda: requests become the proxy events that API Gateway would deliver.

    python -m runtime.http functions.payments.app functions.wallets.app --port 8080 --workers 2

serves those services on one port, each request in a thread of its own; without any, the pages about all.
"""

import argparse
import asyncio
import base64
import importlib
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

import uvicorn

from chassis import ids, observe, proxy
from chassis.config import ConfigurationError, settings
from chassis.errors import (
    ContentTooLarge,
    InternalError,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    Problem,
)
from chassis.observe import Meter, RequestRecord
from chassis.operations import Operation
from chassis.proxy import Event
from chassis.service import Service
from runtime.pages import built_pages, pages

THREADS = 32
"""Requests at once in one worker; each mostly waits for the storage."""
DRAIN_SECONDS = 20
PARSER_BYTES = 1024 * 1024
SERVICES_VARIABLE = "TAEL_SERVICES"

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class Router:
    """From method and path to the service that has the operation, and to the path's parameters."""

    def __init__(self, services: Sequence[Service]) -> None:
        # Segment -> the tree below it; below None, a parameter's; at a path's end, "" -> its methods.
        self._tree: dict[str | None, Any] = {}
        for service in services:
            for operation in service.operations:
                self._add(service, operation)

    def _add(self, service: Service, operation: Operation) -> None:
        node = self._tree
        for segment in operation.path.strip("/").split("/"):
            node = node.setdefault(None if segment.startswith("{") else segment, {})
        node.setdefault("", {}).setdefault(operation.method, (service, operation))

    def match(self, method: str, path: str) -> tuple[Service, Operation, dict[str, str]]:
        """The operation of a raw path. Raises NotFound, MethodNotAllowed or MalformedRequest."""
        node = self._tree
        values: list[str] = []
        for segment in path.removeprefix("/").split("/"):
            # A fixed segment wins over a parameter, as in API Gateway.
            if segment in node and segment:
                node = node[segment]
            elif None in node and segment:
                node = node[None]
                values.append(_decoded(segment))
            else:
                raise NotFound("there is no such route")
        methods = node.get("")
        if not methods:
            raise NotFound("there is no such route")
        if method not in methods:
            allowed = ", ".join(sorted(methods))
            raise MethodNotAllowed(f"this path takes {allowed}", headers={"Allow": allowed})
        service, operation = methods[method]
        names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
        return service, operation, dict(zip(names, values, strict=True))


def _decoded(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise MalformedRequest("the path is not UTF-8") from None


class Gateway:
    """An ASGI application in the place of API Gateway: it routes, bounds the body and invokes."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._router = Router(services)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="invoke")
        self._pages = pages(services) if services else built_pages()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request (ASGI 3, HTTP only)."""
        if scope["type"] != "http":
            raise TypeError(f"no {scope['type']} here")
        record = RequestRecord(ids.random("req"))
        try:
            response = await self._respond(scope, receive, record.request_id)
        except Problem as problem:
            response = _refuse(record, problem)
        except Exception as unexpected:  # noqa: BLE001 - whatever it is, the answer is a problem and a log line
            response = _refuse(record, InternalError(), unexpected)
        await _send(send, response)

    async def _respond(self, scope: Scope, receive: Receive, request_id: str) -> Event:
        path = scope["raw_path"].decode("latin-1")
        if scope["method"] == "GET" and path in self._pages:
            return self._pages[path]
        headers = _headers(scope)
        proxy.bound(f"{path}?{scope['query_string'].decode('latin-1')}", headers)
        body = await _read_body(receive)
        service, operation, parameters = self._router.match(scope["method"], path)
        query = proxy.parse_query(scope["query_string"].decode("latin-1"))
        event = {
            **_event(operation, request_id),
            "headers": headers,
            "multiValueQueryStringParameters": query,
            "pathParameters": parameters or None,
            "body": base64.b64encode(body).decode() if body else None,
            "isBase64Encoded": bool(body),
        }
        loop = asyncio.get_running_loop()
        response: Event = await loop.run_in_executor(self._pool, service.app, event, None)
        return response


def _event(operation: Operation, request_id: str) -> Event:
    """What every proxy event of that operation says, payload format 1.0."""
    return {
        "version": "1.0",
        "httpMethod": operation.method,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": operation.path,
            "httpMethod": operation.method,
            "requestId": request_id,
        },
    }


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise MalformedRequest("the client went away")
        body += message.get("body", b"")
        if len(body) > proxy.MAX_BODY_BYTES:
            raise ContentTooLarge(f"the body has more than {proxy.MAX_BODY_BYTES} bytes")
        more = message.get("more_body", False)
    return bytes(body)


async def _send(send: Send, response: Event) -> None:
    body = response["body"].encode()
    headers = {**response["headers"], "Content-Length": str(len(body))}
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": int(response["statusCode"]), "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _headers(scope: Scope) -> dict[str, str]:
    """Header name -> value; one that is given twice is one list of values (RFC 9110, section 5.3)."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        known = headers.get(name.decode("latin-1"))
        text = value.decode("latin-1")
        headers[name.decode("latin-1")] = text if known is None else f"{known}, {text}"
    return headers


def _refuse(record: RequestRecord, problem: Problem, failure: Exception | None = None) -> Event:
    """Refuse a request that reaches no service, which would leave the log line."""
    record.status, record.outcome = problem.status, problem.code
    observe.report("gateway", record, Meter(), failure)
    headers = {
        "Content-Type": "application/problem+json",
        "X-Request-Id": record.request_id,
        **problem.headers,
    }
    return proxy.response(problem.status, headers, problem.document(record.request_id))


def application() -> Gateway:
    """The ASGI application of this worker: the services that the variable names."""
    modules = os.environ[SERVICES_VARIABLE].split()
    return Gateway([importlib.import_module(module).service for module in modules])


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, then finish what is under way. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m runtime.http", description=__doc__.splitlines()[0])
    parser.add_argument("services", nargs="*", metavar="MODULE", help="such as functions.payments.app")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port to bind (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        chosen = settings()
        if options.services:
            chosen.required("platform_key")
            chosen.require_peppers()
        for module in options.services:
            importlib.import_module(module)
    except (ConfigurationError, ModuleNotFoundError) as error:
        sys.stderr.write(f"runtime.http cannot start: {error}\n")
        return 2
    os.environ[SERVICES_VARIABLE] = " ".join(options.services)
    uvicorn.run(
        "runtime.http:application",
        factory=True,
        # Beyond our own limit on headers, so that the refusal is ours too, as a problem detail.
        h11_max_incomplete_event_size=PARSER_BYTES,
        host=options.host,
        port=options.port,
        workers=options.workers,
        # Every service leaves a line of its own for each request.
        access_log=False,
        log_level="warning",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
