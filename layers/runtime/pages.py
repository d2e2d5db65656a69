"""Owns what the gateway answers by itself: health, the merged OpenAPI document, and the page showing it."""

import json
from collections.abc import Sequence
from importlib import resources

from chassis import openapi, proxy
from chassis.proxy import Event
from chassis.service import Service

_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


def pages(services: Sequence[Service]) -> dict[str, Event]:
    """Path -> the answer to a GET of it."""
    health = {"status": "ok", "services": [service.name for service in services]}
    return {
        "/health": _json(health),
        "/openapi.json": _json(openapi.document(services)),
        "/docs": _file("index.html"),
        **{f"/docs/{name}": _file(name) for name in ("start.js", "swagger-ui-bundle.js", "swagger-ui.css")},
    }


def _json(body: object) -> Event:
    return proxy.response(200, {"Content-Type": "application/json"}, json.dumps(body))


def _file(name: str) -> Event:
    """A file of `runtime/docs`, which allows itself nothing from elsewhere."""
    file = resources.files("runtime") / "docs" / name
    content_type = f"{_TYPES[name[name.rindex('.') :]]}; charset=utf-8"
    headers = {"Content-Type": content_type, "Content-Security-Policy": _POLICY}
    return proxy.response(200, headers, file.read_text("utf-8"))
