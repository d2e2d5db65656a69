"""What the gateway answers by itself: health, one document for all services, and its page."""

import json

import pytest

from chassis.service import Health, Service
from runtime.pages import pages


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
