"""The command that runs the sandbox acquirer: `python -m local.acquirer --port P --state DIR`."""

import argparse
import sys
from pathlib import Path

from local.acquirer.book import Book
from local.acquirer.server import Acquirer
from local.stranger import serve


def main() -> int:
    """Serve on the loopback address until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m local.acquirer", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port to bind on the loopback address")
    parser.add_argument("--state", type=Path, required=True, help="folder of the book")
    parser.add_argument("--slow-seconds", type=float, default=1.0, help="of the slow card (%(default)s)")
    parser.add_argument("--late-seconds", type=float, default=2.0, help="of the late card (%(default)s)")
    options = parser.parse_args()
    options.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    book = Book(options.state, options.late_seconds)
    serve(Acquirer(book, options.slow_seconds), options.port)
    book.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
