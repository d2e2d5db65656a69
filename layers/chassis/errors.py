"""Owns the tree of refusals that an API answers with, each a problem detail of RFC 9457.

Problem
├── MalformedRequest 400          not JSON, not an object, a header that cannot be read
├── Unauthorized 401
├── PaymentRequired 402
│   └── InsufficientFunds
├── Forbidden 403
│   └── MerchantSuspended
├── NotFound 404                  also for what belongs to somebody else
├── MethodNotAllowed 405
├── Conflict 409                  the resource's state forbids it
│   └── InProgress                a twin of this request is still being worked on
├── ContentTooLarge 413
├── UriTooLong 414
├── UnsupportedMediaType 415
├── ValidationFailed 422          `errors` names each field
├── IdempotencyMismatch 422
├── HeadersTooLarge 431
├── InternalError 500
└── Unavailable 503               nothing was written, or a retry of the same request will find what was
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar, Literal

TYPE_PREFIX = "urn:tael:problem:"

Place = Literal["body", "query", "path", "header"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One field at fault: where it is, as a JSON pointer (RFC 6901) inside that place, and why."""

    place: Place
    pointer: str
    message: str

    def shown(self) -> dict[str, str]:
        """The member of a problem's `errors`."""
        return {"in": self.place, "pointer": self.pointer, "message": self.message}


class Problem(Exception):
    """A refusal that the caller is told: every subclass fixes its HTTP status, code and title."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str,
        *,
        faults: tuple[Fault, ...] = (),
        instance: str | None = None,
        replayed: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = faults
        self.instance = instance
        self.replayed = replayed
        self.headers = dict(headers or {})

    def document(self, request_id: str) -> str:
        """The problem+json body (RFC 9457, section 3)."""
        body: dict[str, object] = {
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
        }
        if self.instance:
            body["instance"] = self.instance
        if self.faults:
            body["errors"] = [fault.shown() for fault in self.faults]
        return json.dumps({**body, **self.extensions()})

    def extensions(self) -> dict[str, object]:
        """Members of this kind of problem alone (RFC 9457, section 3.2)."""
        return {}


class MalformedRequest(Problem):
    """The request cannot be read at all."""

    status = HTTPStatus.BAD_REQUEST
    code = "malformed_request"
    title = "Malformed request"


class Unauthorized(Problem):
    """No key, or not a live one (RFC 6750 asks for the challenge header)."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"
    title = "Unauthorized"

    def __init__(self, detail: str = "a live API key is needed: Authorization: Bearer <key>") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="tael"'})


class PaymentRequired(Problem):
    """The money could not be had; the refusal is stored, so a retry of the same key is refused again."""

    status = HTTPStatus.PAYMENT_REQUIRED
    code = "payment_required"
    title = "Payment required"


class InsufficientFunds(PaymentRequired):
    """The account holds less than was asked of it."""

    code = "insufficient_funds"
    title = "Insufficient funds"


class Forbidden(Problem):
    """The key is live, but not allowed to do this."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"
    title = "Forbidden"


class MerchantSuspended(Forbidden):
    """The merchant may read, but not act."""

    code = "merchant_suspended"
    title = "Merchant suspended"


class NotFound(Problem):
    """No such thing, or it is somebody else's."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"
    title = "Not found"


class MethodNotAllowed(Problem):
    """The path exists, with other methods."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"
    title = "Method not allowed"


class Conflict(Problem):
    """The request is fine, but the state of what it addresses forbids it."""

    status = HTTPStatus.CONFLICT
    code = "conflict"
    title = "Conflict"


class InProgress(Conflict):
    """Another request is working on the same thing; ask again shortly."""

    code = "in_progress"
    title = "In progress"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class ContentTooLarge(Problem):
    """The body is longer than any operation needs."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "content_too_large"
    title = "Content too large"


class UriTooLong(Problem):
    """Path and query are longer than any operation needs."""

    status = HTTPStatus.REQUEST_URI_TOO_LONG
    code = "uri_too_long"
    title = "URI too long"


class UnsupportedMediaType(Problem):
    """A body that is not declared as JSON."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"
    title = "Unsupported media type"


class ValidationFailed(Problem):
    """Fields are missing, unknown or out of range; `errors` names each."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "validation_failed"
    title = "Validation failed"

    @classmethod
    def of(cls, place: Place, pointer: str, message: str) -> "ValidationFailed":
        """The refusal of a single field."""
        return cls(f"{pointer.lstrip('/') or place}: {message}", faults=(Fault(place, pointer, message),))


class IdempotencyMismatch(Problem):
    """The key was used before, for a request with another body."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "idempotency_mismatch"
    title = "Idempotency key reused for another request"

    def __init__(self, detail: str = "this Idempotency-Key was used before with another body") -> None:
        super().__init__(detail)


class HeadersTooLarge(Problem):
    """The headers are longer than any operation needs (RFC 6585, section 5)."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    code = "headers_too_large"
    title = "Headers too large"


class InternalError(Problem):
    """A defect of ours; the log has the request id."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal_error"
    title = "Internal error"

    def __init__(self) -> None:
        super().__init__("an unexpected error; quote the request_id when you report it")


class Unavailable(Problem):
    """The storage could not answer in time; repeating the same request is safe."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    title = "Temporarily unavailable"

    def __init__(self, detail: str = "the storage did not answer in time; repeat the same request") -> None:
        super().__init__(detail, headers={"Retry-After": "1"})
