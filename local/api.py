"""A caller of the HTTP API: one key, one connection pool, refusals made readable."""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

import httpx

from local.errors import LocalError

TIMEOUT_SECONDS = 30.0
PAGE_SIZE = 100


class ApiError(LocalError):
    """The API answered with a problem that the caller did not expect, or not at all."""

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that the caller expected."""

    status: int
    body: dict[str, Any]
    replayed: bool
    """Whether it says that an earlier request with this key had the effect."""


class Api:
    """The API as one principal sees it; its operator may name a merchant to act for."""

    def __init__(
        self,
        url: str,
        key: str | None,
        transport: httpx.BaseTransport | None = None,
        *,
        merchant: str | None = None,
    ) -> None:
        told = {"Authorization": f"Bearer {key}" if key else None, "Tael-Merchant": merchant}
        # `trust_env=False`: a proxy for the internet is not asked for what runs on this machine.
        self._client = httpx.Client(
            base_url=url,
            headers={name: value for name, value in told.items() if value},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """Read one thing."""
        return self._answer("GET", path, params=query).body

    def text(self, path: str, media_type: str) -> str:
        """Read one thing as something else than JSON."""
        return self._request("GET", path, headers={"Accept": media_type}).text

    def pages(self, path: str, **filters: str) -> Iterator[dict[str, Any]]:
        """Read a list to its end, page by page."""
        query: dict[str, str | int] = {"limit": PAGE_SIZE, **filters}
        while True:
            page = self.get(path, **query)
            yield from page["data"]
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]

    def post(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        refusal: HTTPStatus | None = None,
    ) -> Answer:
        """Do one thing, under an Idempotency-Key, where a certain refusal may be what the caller expects."""
        headers = {"Idempotency-Key": key} if key else {}
        return self._answer("POST", path, json=body, headers=headers, refusal=refusal)

    def delete(self, path: str) -> None:
        """Take one thing away."""
        self._answer("DELETE", path)

    def _answer(self, method: str, path: str, refusal: HTTPStatus | None = None, **request: Any) -> Answer:
        response = self._request(method, path, refusal, **request)
        replayed = response.headers.get("Idempotent-Replayed") == "true"
        return Answer(response.status_code, response.json() if response.content else {}, replayed)

    def _request(
        self, method: str, path: str, refusal: HTTPStatus | None = None, **request: Any
    ) -> httpx.Response:
        try:
            response = self._client.request(method, path, **request)
        except httpx.TransportError as error:
            raise ApiError(f"{method} {path} got no answer from {self._client.base_url}: {error}.") from error
        if not response.is_success and response.status_code != refusal:
            raise ApiError(_readable(method, path, response), response.status_code)
        return response


def _readable(method: str, path: str, response: httpx.Response) -> str:
    """A problem (RFC 9457) as one sentence, with what is needed to find it in the logs."""
    request = f"{method} {path}: {response.status_code}"
    try:
        problem = response.json()
        title, detail = problem["title"], problem["detail"]
    except (ValueError, TypeError, KeyError):
        return f"{request} {response.reason_phrase}, which is not an answer of Tael."
    faults = "; ".join(f"{fault['pointer']} {fault['message']}" for fault in problem.get("errors", ()))
    trailer = f" (request {problem['request_id']})" if "request_id" in problem else ""
    return f"{request} {title}: {detail}{f' [{faults}]' if faults else ''}{trailer}"
