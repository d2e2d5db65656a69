"""The entry point of every child process: runs a module, and leaves when the parent is gone.

`python -m local.child <lifeline> <module> [argument ...]`

A `tael` killed outright cannot stop its children, so each child waits for the end of a pipe whose other end
only the parent has, and then sends itself SIGTERM: it drains, or saves its state, as it would have done when
asked.
"""

import os
import runpy
import signal
import sys
import threading


def main() -> None:
    """Become the module named on the command line."""
    lifeline = int(sys.argv[1])
    module = sys.argv[2]
    sys.argv = sys.argv[2:]
    threading.Thread(target=_leave_after, args=(lifeline,), daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _leave_after(lifeline: int) -> None:
    os.read(lifeline, 1)  # nobody ever writes
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
