"""Stands between a process and its engine, and holds the answer to one call until it is told to let go."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

DEADLINE_SECONDS = 20


@dataclass(frozen=True)
class Gate:
    """The first call of that name is made, but its answer waits."""

    call: str
    url: str
    arrived: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Until the call was made."""
        assert self.arrived.wait(DEADLINE_SECONDS), f"nobody has called {self.call}"

    def open(self) -> None:
        """Let its answer through."""
        self.opened.set()


@contextmanager
def gate(engine_url: str, call: str) -> Iterator[Gate]:
    """A gate in front of an engine, such as at `DeleteMessageBatch`."""
    engine = urlsplit(engine_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            upstream = HTTPConnection(engine.hostname or "", engine.port)
            upstream.request("POST", self.path, body, dict(self.headers.items()))
            answer = upstream.getresponse()
            content = answer.read()
            upstream.close()
            if self.headers["X-Amz-Target"].rpartition(".")[2] == call and not made.arrived.is_set():
                made.arrived.set()
                made.opened.wait(DEADLINE_SECONDS)
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {
                    "content-length",
                    "transfer-encoding",
                    "connection",
                    "date",
                    "server",
                }:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Gate(call, f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.open()
        server.shutdown()
        server.server_close()
        thread.join()
