"""Owns the declaration of an operation: its route, who may call it, and what its handler's signature says."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from chassis import ids
from chassis.auth import Access, Principal
from chassis.errors import IdempotencyMismatch, Problem

ResourceT = TypeVar("ResourceT", bound=BaseModel)
Handler = TypeVar("Handler", bound=Callable[..., Any])

_PATH_PARAMETER = re.compile(r"{(\w+)}")


class KeyRule(StrEnum):
    """Whether an operation takes the header Idempotency-Key."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Intent:
    """What names this request among all others: caller, operation, key, and a digest of what it asks."""

    principal: str
    operation: str
    """Method and full path."""
    key: str | None
    fingerprint: str

    def id(self, prefix: str) -> str:
        """The id of what this request creates: the same for every repetition of it."""
        if self.key is None:
            raise ValueError("an id is derived from an Idempotency-Key, and this operation asked for none")
        return ids.derive(prefix, self.principal, self.operation, self.key)

    def check(self, fingerprint: str) -> None:
        """Raise IdempotencyMismatch unless the earlier request with this fingerprint asked the same."""
        if fingerprint != self.fingerprint:
            raise IdempotencyMismatch

    @property
    def attempt_key(self) -> str:
        """A bounded name of this request where its body may stand in for a key."""
        return ids.derive("key", self.key) if self.key is not None else f"body_{self.fingerprint}"


@dataclass(frozen=True, slots=True)
class Reply(Generic[ResourceT]):
    """A resource, and whether an earlier request already did what this one asks."""

    resource: ResourceT
    replayed: bool = False
    status: int | None = None
    """Where it differs from the operation's own."""


class NoQuery(BaseModel):
    """An operation without query parameters takes none."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Operation:
    """One declared operation; `Service` routes by it and `openapi` describes it."""

    method: str
    path: str
    handler: Callable[..., Any]
    access: Access
    status: int
    key_rule: KeyRule
    refusals: tuple[type[Problem], ...]
    may_wait: bool
    """Whether it can answer 202: accepted, its outcome not known yet."""
    csv: Callable[..., str] | None
    """What answers instead of the handler, with the same arguments, whoever asks for CSV (RFC 4180)."""
    path_model: type[BaseModel]
    query_model: type[BaseModel]
    body_model: type[BaseModel] | None
    returns: type[BaseModel]
    arguments: frozenset[str]

    @property
    def name(self) -> str:
        """Method and path template, as it is routed and logged."""
        return f"{self.method} {self.path}"

    @property
    def changes(self) -> bool:
        """Whether it is more than a reading."""
        return self.method != "GET"

    @property
    def body_is_required(self) -> bool:
        """Whether an empty body would be refused; else it can be left out."""
        if self.body_model is None:
            return False
        try:
            self.body_model.model_validate({})
        except ValidationError:
            return True
        return False

    def bind(
        self,
        path: BaseModel,
        query: BaseModel,
        body: BaseModel | None,
        principal: Principal | None,
        intent: Intent | None,
    ) -> dict[str, Any]:
        """The arguments that the handler's signature asks for."""
        known = {"query": query, "body": body, "principal": principal, "intent": intent, **dict(path)}
        return {name: known[name] for name in self.arguments}


def declare(
    route: str,
    handler: Callable[..., Any],
    *,
    access: Access,
    status: int,
    key_rule: KeyRule,
    refusals: tuple[type[Problem], ...],
    may_wait: bool = False,
    csv: Callable[..., str] | None = None,
) -> Operation:
    """Read an operation off its handler's signature.

    Parameters named as in the path are path parameters; `query` and `body` are pydantic models;
    `principal` is the caller, `intent` what names the request. The return annotation is the resource's
    model, or a Reply of it. Raises TypeError for a signature that does not fit the route.
    """
    method, _, path = route.partition(" ")
    hints = get_type_hints(handler, include_extras=True)
    returned = hints.pop("return")
    if get_origin(returned) is Reply:
        (returned,) = get_args(returned)
    in_path = _PATH_PARAMETER.findall(path)
    arguments = frozenset(inspect.signature(handler).parameters)
    unknown = arguments - {*in_path, "query", "body", "principal", "intent"}
    if unknown or not arguments.issuperset(in_path):
        raise TypeError(f"{handler.__name__}{inspect.signature(handler)} does not fit {route}")
    fields: dict[str, Any] = {name: (hints[name], ...) for name in in_path}
    return Operation(
        method=method,
        path=path,
        handler=handler,
        access=access,
        status=status,
        key_rule=key_rule,
        refusals=refusals,
        may_wait=may_wait,
        csv=csv,
        path_model=create_model(f"PathOf_{handler.__name__}", **fields),
        query_model=hints.get("query", NoQuery),
        body_model=hints.get("body"),
        returns=returned,
        arguments=arguments,
    )
