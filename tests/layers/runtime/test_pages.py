"""What the gateway answers by itself: health, one document for all services, and its page."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chassis.service import Health, Service
from runtime import pages as module
from runtime.pages import built_pages, handler, main, pages


def service(name: str) -> Service:
    made = Service(name, f"About {name}.")

    def show() -> Health:
        """Show it."""
        return made.health()

    made.operation(f"GET /v1/{name}")(show)
    return made


def test_health_names_every_service() -> None:
    answer = pages([service("tea"), service("milk")])["/health"]
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {"status": "ok", "services": ["tea", "milk"]}


def test_the_document_is_that_of_all_services() -> None:
    answer = pages([service("tea"), service("milk")])["/openapi.json"]
    document = json.loads(answer["body"])
    assert set(document["paths"]) == {"/health", "/openapi.json", "/v1/tea", "/v1/milk"}
    assert [tag["name"] for tag in document["tags"]] == ["tea", "milk", "system"]
    assert answer["headers"]["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "content_type", "begins"),
    [
        ("/docs", "text/html", "<!doctype html>"),
        ("/docs/start.js", "text/javascript", "SwaggerUIBundle("),
        ("/docs/swagger-ui-bundle.js", "text/javascript", ""),
        ("/docs/swagger-ui.css", "text/css", ".swagger-ui"),
    ],
)
def test_the_page_and_its_files_allow_nothing_from_elsewhere(
    path: str, content_type: str, begins: str
) -> None:
    answer = pages([])[path]
    assert answer["headers"]["Content-Type"] == f"{content_type}; charset=utf-8"
    assert answer["headers"]["Content-Security-Policy"].startswith("default-src 'self';")
    assert answer["headers"]["X-Content-Type-Options"] == "nosniff"
    assert answer["body"].startswith(begins)


def test_nothing_else_is_there() -> None:
    files = {"/docs", "/docs/start.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"}
    assert set(pages([])) == {"/health", "/openapi.json"} | files


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What was written down before the images were built."""
    document = tmp_path / "openapi.json"
    assert main([str(document), "functions.wallets.app", "functions.accounts.app"]) == 0
    monkeypatch.setattr(module, "BUILT", document)
    built_pages.cache_clear()
    yield document
    built_pages.cache_clear()


def asked(method: str, path: str, version: str) -> dict[str, Any]:
    """A request as the gateway hands it on."""
    if version == "2.0":
        http = {"method": method, "path": path}
        context: dict[str, Any] = {"http": http, "requestId": "r1"}
        return {"version": version, "routeKey": f"{method} {path}", "requestContext": context}
    context = {"resourcePath": path, "httpMethod": method, "requestId": "r1"}
    return {"version": version, "requestContext": context, "headers": {}}


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_the_function_tells_of_all_services_without_any(built: Path, version: str) -> None:
    health = handler(asked("GET", "/health", version), None)
    assert json.loads(health["body"]) == {"status": "ok", "services": ["wallets", "accounts"]}
    document = handler(asked("GET", "/openapi.json", version), None)
    assert json.loads(document["body"]) == json.loads(built.read_text())
    assert handler(asked("GET", "/docs", version), None)["body"].startswith("<!doctype html>")


@pytest.mark.parametrize(("method", "path"), [("POST", "/health"), ("GET", "/v1/wallets")])
def test_it_knows_nothing_else(built: Path, method: str, path: str) -> None:
    answer = handler(asked(method, path, "2.0"), None)
    assert (answer["statusCode"], answer["headers"]["X-Request-Id"]) == (404, "r1")
    assert json.loads(answer["body"])["code"] == "not_found"
