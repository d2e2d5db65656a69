"""Owns what the gateway answers by itself: health, the merged OpenAPI document, and the page showing it.

As a function or a pod of its own it has no services to ask: then it tells what was written down before the
images were built, by

    python -m runtime.pages build/openapi.json functions.payments.app functions.wallets.app
"""

import argparse
import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from chassis import observe, openapi, proxy
from chassis.errors import NotFound
from chassis.observe import Meter, RequestRecord
from chassis.proxy import Event
from chassis.service import Service

BUILT = Path(__file__).parents[1] / "openapi.json"
"""Where an image has the merged document: beside our packages."""
NAME = "pages"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


def pages(services: Sequence[Service]) -> dict[str, Event]:
    """Path -> the answer to a GET of it, about these services."""
    return _pages(openapi.document(services), [service.name for service in services])


@cache
def built_pages() -> Mapping[str, Event]:
    """The same about all the services that there were when the image was built."""
    document = json.loads(BUILT.read_text("utf-8"))
    names = [tag["name"] for tag in document["tags"] if tag["name"] != openapi.SYSTEM]
    return _pages(document, names)


def _pages(document: dict[str, Any], names: Sequence[str]) -> dict[str, Event]:
    return {
        "/health": _json({"status": "ok", "services": names}),
        "/openapi.json": _json(document),
        "/docs": _file("index.html"),
        **{f"/docs/{name}": _file(name) for name in ("start.js", "swagger-ui-bundle.js", "swagger-ui.css")},
    }


def handler(event: Event, _: Any) -> Event:
    """What Lambda calls with a request for one of the pages."""
    given = proxy.normalised(event)
    context = given["requestContext"]
    record = RequestRecord(proxy.request_id_of(given))
    answer = built_pages().get(context["resourcePath"]) if context["httpMethod"] == "GET" else None
    if answer is not None:
        return answer
    # The gateway has no such route, so this was invoked by somebody else.
    problem = NotFound("there is no such route")
    record.status, record.outcome = problem.status, problem.code
    observe.report(NAME, record, Meter())
    headers = {"Content-Type": "application/problem+json", "X-Request-Id": record.request_id}
    return proxy.response(problem.status, headers, problem.document(record.request_id))


def _json(body: object) -> Event:
    return proxy.response(200, {"Content-Type": "application/json"}, json.dumps(body))


def _file(name: str) -> Event:
    """A file of `runtime/docs`, which allows itself nothing from elsewhere."""
    file = resources.files("runtime") / "docs" / name
    content_type = f"{_TYPES[name[name.rindex('.') :]]}; charset=utf-8"
    headers = {"Content-Type": content_type, "Content-Security-Policy": _POLICY}
    return proxy.response(200, headers, file.read_text("utf-8"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the merged document of these services. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m runtime.pages", description=main.__doc__)
    parser.add_argument("target", type=Path, metavar="FILE")
    parser.add_argument("services", nargs="+", metavar="MODULE", help="such as functions.payments.app")
    options = parser.parse_args(arguments)
    services = [importlib.import_module(module).service for module in options.services]
    options.target.write_text(json.dumps(openapi.document(services), indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
