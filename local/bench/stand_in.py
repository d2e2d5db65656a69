"""A stand-in for the API that answers everything at once: what the load generator can do by itself.

python -m local.bench.stand_in 8080
"""

import asyncio
import sys

from local.ports import LOOPBACK

PAYMENT_BYTES = 900
"""About what the answer to a payment has."""
_HEAD = b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % PAYMENT_BYTES
ANSWERS = {
    verb: b"HTTP/1.1 " + status + _HEAD + b" " * PAYMENT_BYTES
    for verb, status in ((b"GET", b"200 OK"), (b"POST", b"201 Created"))
}


class Protocol(asyncio.Protocol):
    """One connection, whose requests come one at a time, each in one piece."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer; a request as small as these is one segment on the loopback interface."""
        self.transport.write(ANSWERS[data[: data.index(b" ")]])


async def serve(port: int) -> None:
    """Answer until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Protocol, LOOPBACK, port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
