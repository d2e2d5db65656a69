"""Owns how a service answers: each operation in its frame of routing, limits, problems and one log line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from chalice.app import Chalice
from pydantic import BaseModel, ConfigDict

from chassis import clock, ids, observe, proxy
from chassis.auth import Access, Principal, authenticate, require
from chassis.errors import InternalError, MethodNotAllowed, NotFound, Problem
from chassis.observe import RequestRecord
from chassis.operations import Handler, KeyRule, Operation, Reply, declare
from chassis.proxy import Event
from chassis.requests import read_request
from chassis.sources import Sources


class Health(BaseModel):
    """That the process answers; it asks nothing of others."""

    status: Literal["ok"] = "ok"
    services: list[str]


class Document(BaseModel):
    """An OpenAPI 3.1 document."""

    model_config = ConfigDict(extra="allow")

    openapi: str


@dataclass(slots=True)
class _Call:
    event: Event
    record: RequestRecord = field(default_factory=lambda: RequestRecord(""))
    """Without an id until the event has been read, which has one."""
    failure: Exception | None = None


_VARIES = {"Vary": "Accept"}


class Service(Sources):
    """A capability's face: declare operations and event sources on it; Lambda and `runtime` call them."""

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, App(self, name))
        self.description = description
        self.operations: list[Operation] = []
        self.operation("GET /health", access=Access.PUBLIC)(self.health)
        self.operation("GET /openapi.json", access=Access.PUBLIC)(self.openapi)

    def operation(
        self,
        route: str,
        *,
        access: Access = Access.ANY,
        status: int = HTTPStatus.OK,
        key: KeyRule = KeyRule.NONE,
        refusals: tuple[type[Problem], ...] = (),
        may_wait: bool = False,
        csv: Callable[..., str] | None = None,
    ) -> Callable[[Handler], Handler]:
        """Declare the decorated function as the operation of that route (`operations.declare` says how).

        `refusals` are the problems of its own, beside those that every operation of its kind can meet;
        `may_wait` says that it can answer 202, accepted; `csv` answers whoever asks for `text/csv`.
        """

        def register(handler: Handler) -> Handler:
            declared = declare(
                route,
                handler,
                access=access,
                status=status,
                key_rule=key,
                refusals=refusals,
                may_wait=may_wait,
                csv=csv,
            )
            self.operations.append(declared)

            def view(call: _Call) -> Event:
                return _perform(declared, call)

            self.app.route(declared.path, methods=[declared.method], name=declared.name)(view)
            return handler

        return register

    def answer(self, event: Event) -> Event:
        """The proxy response to a proxy event of either payload format; leaves one log line, never raises."""
        started = clock.monotonic()
        call = _Call(event)
        with observe.metered() as counted:
            response = self._guarded(call)
        call.record.duration_ms = round((clock.monotonic() - started) * 1000, 3)
        observe.report(self.name, call.record, counted, call.failure)
        return response

    def _guarded(self, call: _Call) -> Event:
        try:
            return self._route(call)
        except Problem as problem:
            return _refuse(call, problem)
        except Exception as unexpected:  # noqa: BLE001 - whatever it is, the answer is a problem and a log line
            call.failure = unexpected
            return _refuse(call, InternalError())

    def _route(self, call: _Call) -> Event:
        call.event = proxy.normalised(call.event)
        call.record.request_id = proxy.request_id_of(call.event)
        proxy.bound(call.event.get("path") or "", call.event["headers"])
        context = call.event["requestContext"]
        path, method = context["resourcePath"], context["httpMethod"]
        methods = self.app.routes.get(path)  # by get: asking for a path would add it
        if not methods:
            raise NotFound("there is no such route")
        if method not in methods:
            allowed = ", ".join(sorted(methods))
            raise MethodNotAllowed(f"this path takes {allowed}", headers={"Allow": allowed})
        call.record.operation = f"{method} {path}"
        answered: Event = methods[method].view_function(call)
        return answered

    def health(self) -> Health:
        """Whether this process answers."""
        return Health(services=[self.name])

    def openapi(self) -> Document:
        """This service's own OpenAPI document."""
        from chassis import openapi  # noqa: PLC0415 - no other operation needs it

        return Document.model_validate(openapi.document([self]))


class App(Chalice):
    """The Chalice application of a service: its routes and event sources, and what Lambda invokes.

    Chalice's own call would keep the request where all threads share it, read its headers for content and
    binary types that are not its business here, and make a bare 500 of what it does not know.
    """

    def __init__(self, service: Service, name: str) -> None:
        super().__init__(name, configure_logs=False)
        self.service = service

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG002 - Lambda hands it over
        """Answer one proxy event."""
        return self.service.answer(event)


def _perform(operation: Operation, call: _Call) -> Event:
    headers = call.event["headers"]
    principal: Principal | None = None
    if operation.access is not Access.PUBLIC:
        principal = authenticate(headers.get("authorization"), headers.get("tael-merchant"))
        call.record.principal = principal.id
        require(principal, operation.access, changes=operation.changes)
    arguments = read_request(operation, call.event, principal)
    if operation.csv and proxy.prefers_csv(headers.get("accept")):
        rows = operation.csv(**arguments)
        call.record.status, call.record.outcome = operation.status, "ok"
        return _response(call.record, "text/csv; charset=utf-8; header=present", rows, _VARIES)
    result = operation.handler(**arguments)
    reply = result if isinstance(result, Reply) else Reply(result)
    call.record.status, call.record.outcome = reply.status or operation.status, "ok"
    call.record.replayed = reply.replayed
    varies = _VARIES if operation.csv else None
    return _response(call.record, "application/json", reply.resource.model_dump_json(), varies)


def _refuse(call: _Call, problem: Problem) -> Event:
    call.record.request_id = call.record.request_id or ids.random("req")
    call.record.status, call.record.outcome = problem.status, problem.code
    call.record.replayed = problem.replayed
    body = problem.document(call.record.request_id)
    return _response(call.record, "application/problem+json", body, problem.headers)


def _response(
    record: RequestRecord, content_type: str, body: str, more: Mapping[str, str] | None = None
) -> Event:
    headers = {"Content-Type": content_type, "X-Request-Id": record.request_id, **(more or {})}
    if record.replayed:
        headers["Idempotent-Replayed"] = "true"
    return proxy.response(record.status, headers, body)
